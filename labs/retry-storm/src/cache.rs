//! A cache that clients fill with the answers they get, in front of a server that is sized for its
//! misses.

use lab_kit::sim::{Agenda, Discipline, Nanos, Station};
use lab_kit::{Ctx, Ledger, Schedule, seed};

use crate::setup::{Setup, TRIGGER};

/// Requests per key and second.
const PER_KEY: f64 = 1.0;

/// Purposes of random numbers, each with a stream of its own.
const KEY: u64 = 20;
const AGE: u64 = 21;

enum Event {
    Arrival(usize),
    End { server: u32, number: usize, came: Nanos },
}

/// Requests arrive at `load` times the server's capacity; a share `hit-ratio` finds its answer in
/// the cache, until the cache is emptied.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let setup = Setup::of(ctx)?;
    let schedule = setup.schedule(ctx, ctx.float("load"), 1.0)?;
    let ledger = Ledger::new(&schedule, setup.timeline);
    let Schedule::Open(starts) = schedule else { anyhow::bail!("these clients never wait") };
    let rate = ctx.float("load") * setup.capacity();
    let keys = (rate / PER_KEY).ceil().max(1.0);
    // An entry has a fixed lifetime: of `1 + n` requests in it, the first misses.
    let hits = ctx.float("hit-ratio");
    let lives = (hits / (1.0 - hits) * 1e9 / PER_KEY) as Nanos;
    let warm = |key: u64| {
        let age = seed::uniform(ctx.seed(), &[AGE, key]);
        if age < hits { (age / hits * lives as f64) as Nanos } else { 0 }
    };
    let mut until: Vec<Nanos> = (0..keys as u64).map(warm).collect();
    let key_of = |number: usize| (seed::uniform(ctx.seed(), &[KEY, number as u64]) * keys) as usize;
    let limit = if ctx.text("admit") == "few" { ctx.int("queue") as usize } else { usize::MAX };
    let mut station = Station::new(1, Discipline::Fifo)?.bounded(limit);
    let timeout = setup.client.timeout.as_nanos() as Nanos;
    let emptied = setup.timeline.warmup + setup.timeline.measure.mul_f64(TRIGGER);
    let mut is_full = true;
    let mut agenda = Agenda::until(setup.until().as_nanos() as Nanos);
    let mut starts = (0..).zip(starts);
    let first = starts.next();
    first.into_iter().for_each(|(number, at)| agenda.at(at, Event::Arrival(number)));
    while let Some(event) = agenda.step()? {
        let (now, at) = (agenda.now(), std::time::Duration::from_nanos(agenda.now()));
        if is_full && at >= emptied && ctx.text("flush") == "yes" {
            until.fill(0);
            is_full = false;
        }
        match event {
            Event::Arrival(number) => {
                if let Some((next, at)) = starts.next() {
                    agenda.at(at, Event::Arrival(next));
                }
                ledger.sent(number, at);
                if now < until[key_of(number)] {
                    ledger.completed(number, at);
                } else if let Err((number, _)) = station.arrive(now, (number, now)) {
                    ledger.refused(number, at);
                }
            }
            Event::End { server, number, came } => {
                station.end(now, server);
                ledger.completed(number, at);
                // A client that has given up does not fill the cache.
                if now - came <= timeout {
                    until[key_of(number)] = now.saturating_add(lives);
                }
            }
        }
        while let Some((server, (number, came))) = station.start(now) {
            let work = setup.work_of(number).as_nanos() as Nanos;
            agenda.after(work, Event::End { server, number, came });
        }
    }
    ledger.heard_until(setup.until());
    ledger.settle(ctx, setup.client.timeout)
}
