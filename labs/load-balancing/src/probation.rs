//! A server that is slow for a while, and a balancer that may put it on probation.

use std::collections::VecDeque;

use lab_kit::sim::{Distribution, Nanos, Profile, Spacing};
use lab_kit::stats::median;
use lab_kit::{Ctx, seed};
use rand::Rng as _;

use crate::balancer::one_of;
use crate::lengths::Lengths;
use crate::servers::Servers;

/// When the first server is slow, as shares of the trial.
const SLOW: [f64; 2] = [0.2, 0.5];
/// The weight of the latest answer in a server's mean response.
const WEIGHT: f64 = 0.2;
/// A server leaves probation once its mean response is below this share of the limit that put it
/// there.
const BACK: f64 = 0.5;
/// Samples of the queues in a trial.
const LOOKS: u64 = 120;
/// More requests take minutes.
const MOST: f64 = 1e7;

/// Purposes of random numbers, each with a stream of its own.
const ARRIVALS: u64 = 50;
const WORK: u64 = 51;
const CHOICE: u64 = 52;
const SHADOW: u64 = 53;

/// What the balancer knows of a server.
#[derive(Debug, Clone)]
struct Known {
    /// Answers to come: their time, and their response time.
    to_come: VecDeque<(Nanos, Nanos)>,
    mean: f64,
    on_probation: bool,
}

/// Records the answers that have come, and decides which servers are on probation.
fn judge(known: &mut [Known], now: Nanos, limit: f64) {
    let come = |answer: &(Nanos, Nanos)| answer.0 <= now;
    for known in known.iter_mut() {
        while let Some((_, took)) = known.to_come.front().copied().filter(come) {
            known.to_come.pop_front();
            known.mean += WEIGHT * (took as f64 - known.mean);
        }
    }
    let usual = median(known.iter().map(|known| known.mean)).unwrap_or(0.0);
    let most = known.len() / 2;
    let mut aside = known.iter().filter(|known| known.on_probation).count();
    for known in known {
        let bound = if known.on_probation { BACK * limit } else { limit };
        let too_slow = known.mean > bound * usual;
        // Half of the servers have to stay, however slow they are.
        if too_slow && !known.on_probation && aside >= most {
            continue;
        }
        aside = aside + usize::from(too_slow) - usize::from(known.on_probation);
        known.on_probation = too_slow;
    }
}

/// Each request goes to a random server. A server that answers `probation` times as slowly as the
/// median one gets no requests, only copies of a share `shadow` of them, for whose answers no
/// client waits.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let count = ctx.int("servers") as usize;
    if count == 1 {
        ctx.invalid("one server: there is no other to go to");
        return Ok(());
    }
    let span = ctx.timeline().span();
    let work = Distribution::exponential(ctx.duration("service").as_nanos() as f64)?;
    let rate = 1e9 * ctx.float("load") * count as f64 / work.mean();
    let profile = Profile::new().hold(rate, span)?;
    if !(1e3..=MOST).contains(&profile.expected()) {
        ctx.invalid(format!("{:.0} requests: from 1,000 to {MOST:.0} tell", profile.expected()));
        return Ok(());
    }
    let ns = span.as_nanos() as f64;
    let [slow_from, slow_until] = SLOW.map(|part| (part * ns) as Nanos);
    let (limit, shadow, slow) = (ctx.float("probation"), ctx.float("shadow"), ctx.float("slow"));
    let [mut works, mut choices, mut shadows] = [WORK, CHOICE, SHADOW].map(|of| ctx.rng(&[of]));
    let mut servers = Servers::new(count as u64);
    let unheard = Known { to_come: VecDeque::new(), mean: work.mean(), on_probation: false };
    let mut known = vec![unheard; count];
    let mut send = |now: Nanos, server: usize, servers: &mut Servers, known: &mut Known| {
        let starts = servers.free_at(now, server);
        let is_slow = server == 0 && (slow_from..slow_until).contains(&starts);
        let times = if is_slow { slow } else { 1.0 };
        let end = servers.join(now, server, (times * work.draw(&mut works) as f64) as Nanos);
        known.to_come.push_back((end, end - now));
        end - now
    };
    let (mut response, mut lengths) = (ctx.series(), Lengths::of(count));
    let (mut next_look, every) = (0, (ns as Nanos / LOOKS).max(1));
    let (mut back_at, mut away, mut requests) = (None, 0, 0);
    for now in profile.starts(span, Spacing::Poisson, ctx.rng(&[ARRIVALS]))? {
        while next_look <= now {
            lengths.look(next_look, &servers.lengths(next_look));
            next_look += every;
        }
        judge(&mut known, now, limit);
        if known[0].on_probation {
            away += 1;
        } else if now >= slow_until {
            back_at = back_at.or(Some(now));
        }
        requests += 1;
        let trusted: Vec<usize> =
            (0..count).filter(|server| !known[*server].on_probation).collect();
        let server = trusted[one_of(trusted.len(), &mut choices)];
        response.record_ns(now, send(now, server, &mut servers, &mut known[server]));
        for (server, known) in known.iter_mut().enumerate() {
            if known.on_probation && seed::unit(shadows.next_u64()) < shadow {
                send(now, server, &mut servers, known);
            }
        }
    }
    // A server that is still on probation was away for at least this long.
    let back = back_at.unwrap_or(ns as Nanos).saturating_sub(slow_until);
    ctx.metric("back_after", back as f64, "ns");
    ctx.proportion("away", away, requests);
    lengths.file(ctx);
    ctx.save("response", response)
}
