//! One server with small and large requests: whole or in slices, in order or the small ones first.

use lab_kit::sim::{Agenda, Discipline, Nanos, Profile, Spacing, Station};
use lab_kit::{Ctx, Settings};

/// More events are no trial: they would take minutes.
const MOST: f64 = 2e8;
/// What random numbers are drawn for.
const ARRIVALS: u64 = 0;

/// A request of either class, and the work that is left.
#[derive(Debug, Clone, Copy)]
struct Job {
    class: usize,
    came: Nanos,
    left: Nanos,
}

enum Event {
    Arrival(usize),
    End { server: u32, job: Job },
}

/// The work of a small request and of a large one, and how busy each class keeps the server.
pub(crate) fn classes(knobs: &Settings) -> ([Nanos; 2], [f64; 2]) {
    let sizes = ["small", "large"].map(|knob| knobs.duration(knob).as_nanos() as Nanos);
    (sizes, ["small-load", "large-load"].map(|knob| knobs.float(knob)))
}

/// Whether a trial has more events than it should: then it is invalid.
pub(crate) fn too_many(ctx: &mut Ctx, events: f64) -> bool {
    if events > MOST {
        ctx.invalid(format!(
            "{events:.0} events are too many: more work in each, or a shorter trial"
        ));
    }
    events > MOST
}

/// The mean time of a small request in nanoseconds, waiting included. In order it waits for the work that
/// an arrival finds (Pollaczek 1930, Khinchine 1932); first, for the rest of what runs and the small ones
/// before it (Cobham 1954); in slices that are short beside it the server is shared, and a request takes
/// as much longer as the server is busy (Sakata, Noguchi & Oizumi, Operations Research 1971).
pub(crate) fn small_mean(knobs: &Settings) -> f64 {
    let (sizes, [small_load, large_load]) = classes(knobs);
    let [small, large] = sizes.map(|ns| ns as f64);
    let slice = knobs.duration("slice").as_nanos() as f64;
    let runs = if slice == 0.0 { large } else { slice.min(large) };
    let rest = (small_load * small + large_load * runs) / 2.0;
    let busy = small_load + large_load;
    match knobs.text("order") {
        "small-first" => small + rest / (1.0 - small_load),
        _ if slice == 0.0 => small + rest / (1.0 - busy),
        _ => small / (1.0 - busy),
    }
}

/// Serves both classes for a trial.
pub(crate) fn one_server(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (sizes, loads) = classes(ctx.settings());
    let slice = ctx.duration("slice").as_nanos() as Nanos;
    let span = ctx.timeline().span();
    let shortest = if slice == 0 { sizes[0].min(sizes[1]) } else { slice.min(sizes[0]) };
    let busy: f64 = loads.iter().sum();
    let events = 2.0 * busy * span.as_nanos() as f64 / shortest as f64;
    if busy >= 1.0 {
        ctx.invalid(format!("nothing settles where a server is asked for {busy} of its time"));
        return Ok(());
    }
    if too_many(ctx, events) {
        return Ok(());
    }
    let discipline = match ctx.text("order") {
        "small-first" => Discipline::Priority { numbers: 2, of: |job: &Job| job.class },
        _ => Discipline::Fifo,
    };
    let mut station = Station::new(1, discipline)?;
    let starts = |class: usize| {
        let profile = Profile::new().hold(1e9 * loads[class] / sizes[class] as f64, span)?;
        profile.starts(span, Spacing::Poisson, ctx.rng(&[ARRIVALS, class as u64]))
    };
    let mut starts = [starts(0)?, starts(1)?];
    let mut took = [ctx.series(), ctx.series()];
    let mut agenda = Agenda::new();
    for (class, starts) in starts.iter_mut().enumerate() {
        starts.next().into_iter().for_each(|at| agenda.at(at, Event::Arrival(class)));
    }
    while let Some(event) = agenda.step()? {
        let now = agenda.now();
        match event {
            Event::Arrival(class) => {
                station.again(now, Job { class, came: now, left: sizes[class] });
                starts[class].next().into_iter().for_each(|at| {
                    agenda.at(at, Event::Arrival(class));
                });
            }
            Event::End { server, job } => {
                station.end(now, server);
                if job.left > 0 {
                    station.again(now, job);
                } else {
                    took[job.class].record_ns(job.came, now - job.came);
                }
            }
        }
        while let Some((server, job)) = station.start(now) {
            let runs = if slice == 0 { job.left } else { job.left.min(slice) };
            let job = Job { left: job.left - runs, ..job };
            agenda.after(runs, Event::End { server, job });
        }
    }
    for (name, took) in ["small", "large"].into_iter().zip(took) {
        ctx.metric(&format!("{name}_mean"), took.facts().mean_ns, "ns");
        ctx.save(name, took)?;
    }
    Ok(())
}
