//! Requests that are sent to a second server when the first takes long, and what that costs others.

use std::collections::HashMap;

use lab_kit::sim::{Agenda, Discipline, Distribution, Nanos, Profile, Spacing, Station};
use lab_kit::{Ctx, seed};

use crate::server::too_many;

/// What random numbers are drawn for.
const ARRIVALS: u64 = 20;
const SERVER: u64 = 21;
const WORK: u64 = 22;

/// A first copy (0) or a second one (1) of a request.
#[derive(Debug, Clone, Copy)]
struct Job {
    request: u64,
    copy: u64,
    came: Nanos,
}

enum Event {
    Arrival,
    Hedge(u64),
    End { place: usize, server: u32, job: Job },
}

/// Serves a trial's requests. A second copy that waits is taken back when the first has ended; a first
/// copy stays, so that what copies cost it can be seen.
pub(crate) fn copies(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (copies, seed) = (ctx.text("copies").to_owned(), ctx.seed());
    let (servers, load) = (ctx.int("servers"), ctx.float("load"));
    let mean = ctx.duration("service").as_nanos() as f64;
    let after = ctx.duration("hedge-after").as_nanos() as Nanos;
    let service = Distribution::exponential(mean)?;
    let span = ctx.timeline().span();
    let rate = load * servers as f64 / mean;
    if too_many(ctx, 4.0 * rate * span.as_nanos() as f64) {
        return Ok(());
    }
    let profile = Profile::new().hold(1e9 * rate, span)?;
    let mut arrivals = profile.starts(span, Spacing::Poisson, ctx.rng(&[ARRIVALS]))?;
    // The second copy goes to any other server than the first.
    let place = |request: u64, copy: u64| {
        let draw = |copy| seed::uniform(seed, &[SERVER, request, copy]);
        let first = (draw(0) * servers as f64) as u64;
        let further = 1 + (draw(1) * (servers - 1) as f64) as u64;
        ((first + copy * further) % servers) as usize
    };
    let of: fn(&Job) -> usize = if copies == "low" { |job| job.copy as usize } else { |_| 0 };
    let station = |_| Station::new(1, Discipline::Priority { numbers: 2, of });
    let mut stations = (0..servers).map(station).collect::<anyhow::Result<Vec<_>>>()?;
    let [mut primary, mut response] = [ctx.series(), ctx.series()];
    let (mut requests, mut hedged, mut copied) = (0, 0_u64, 0.0);
    let mut open: HashMap<u64, Nanos> = HashMap::new();
    let mut agenda = Agenda::new();
    arrivals.next().into_iter().for_each(|at| agenda.at(at, Event::Arrival));
    while let Some(event) = agenda.step()? {
        let now = agenda.now();
        let at = match event {
            Event::Arrival => {
                let job = Job { request: requests, copy: 0, came: now };
                requests += 1;
                open.insert(job.request, now);
                if copies != "none" {
                    agenda.after(after, Event::Hedge(job.request));
                }
                arrivals.next().into_iter().for_each(|at| agenda.at(at, Event::Arrival));
                let at = place(job.request, 0);
                stations[at].again(now, job);
                at
            }
            Event::Hedge(request) => {
                let Some(came) = open.get(&request).copied() else { continue };
                hedged += 1;
                let at = place(request, 1);
                stations[at].again(now, Job { request, copy: 1, came });
                at
            }
            Event::End { place: at, server, job } => {
                stations[at].end(now, server);
                if let Some(came) = open.remove(&job.request) {
                    response.record_ns(came, now - came);
                }
                if job.copy == 0 {
                    primary.record_ns(job.came, now - job.came);
                    if copies != "none" && now - job.came >= after {
                        let second = |other: &Job| other.request == job.request;
                        stations[place(job.request, 1)].cancel(now, second);
                    }
                }
                at
            }
        };
        while let Some((server, job)) = stations[at].start(now) {
            let work = service.at(seed::uniform(seed, &[WORK, job.request, job.copy]));
            copied += if job.copy == 1 { work } else { 0.0 };
            agenda.after(work as Nanos, Event::End { place: at, server, job });
        }
    }
    ctx.proportion("hedged", hedged, requests);
    ctx.metric("copied_work", copied / mean / requests.max(1) as f64, "ratio");
    ctx.metric("primary_mean", primary.facts().mean_ns, "ns");
    ctx.save("primary", primary)?;
    ctx.save("request", response)
}
