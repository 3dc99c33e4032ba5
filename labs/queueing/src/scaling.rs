//! More workers on one job: where Amdahl's law and the universal scalability law come from.
//!
//! In each round all workers do a part of their own side by side. Then each takes the lock for the
//! part that only one can do at a time, and holds it the longer the more there are to agree with.

use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use lab_kit::sim::theory::{Usl, amdahl};
use lab_kit::stats::{Estimate, fit_curve};
use lab_kit::{Clock, Ctx, CurveKind, seed, tighten_timer, wait_until};

/// The curve over the number of workers.
pub(crate) const DONE: &str = "shares done a second";
const WORKERS: [u32; 7] = [1, 2, 4, 8, 12, 16, 24];
/// What random numbers are drawn for.
const NOISE: u64 = 2;

/// How long a worker takes over its share of a round.
#[derive(Debug, Clone, Copy)]
struct Share {
    alone: Duration,
    locked: Duration,
    /// For each other worker.
    agreeing: Duration,
    /// Whether all begin a round together.
    meet: bool,
}

/// Has 1 to 24 workers work, and fits the law to what they did.
///
/// # Errors
/// A round of all workers is longer than their time.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let share = Share::of(ctx);
    let span = ctx.timeline().span() / WORKERS.len() as u32;
    let rounds = |workers: u32| (span.as_secs_f64() / share.round(workers).as_secs_f64()) as u32;
    let longest = share.round(WORKERS[WORKERS.len() - 1]);
    ensure!(longest <= span, "a round of all workers takes {longest:?}, and they have {span:?}");
    let live = ctx.is_live();
    let noise = |n: u32| {
        1.0 + ctx.float("noise") * (2.0 * seed::uniform(ctx.seed(), &[NOISE, n.into()]) - 1.0)
    };
    let point = |workers: u32| {
        let seconds = if live {
            share.work_for_real(workers, rounds(workers)).as_secs_f64()
        } else {
            share.simulate(workers, rounds(workers)).as_secs_f64() * noise(workers)
        };
        (f64::from(workers), f64::from(workers * rounds(workers)) / seconds)
    };
    let points = WORKERS.map(point);
    let [one, contention, coherency] = usl_fit(&points)?;
    file(ctx, "contention", contention);
    file(ctx, "coherency", coherency);
    let [_, serial] = amdahl_fit(&points)?;
    file(ctx, "serial", serial);
    let usl = Usl { contention: contention.value, coherency: coherency.value };
    ctx.curve(DONE, CurveKind::Measured, ["workers", "1/s"], points.to_vec());
    let law = (1..=WORKERS[WORKERS.len() - 1]).map(f64::from);
    let law = law.map(|n| (n, one.value * usl.speedup(n))).collect();
    ctx.curve(DONE, CurveKind::Theory, ["workers", "1/s"], law);
    Ok(())
}

impl Share {
    fn of(ctx: &Ctx) -> Self {
        let (share, contention) = (ctx.duration("share"), ctx.float("contention"));
        Self {
            alone: share.mul_f64(1.0 - contention),
            locked: share.mul_f64(contention),
            agreeing: share.mul_f64(ctx.float("coherency")),
            meet: ctx.text("rounds") == "together",
        }
    }

    /// How long one of `workers` holds the lock.
    fn holds(self, workers: u32) -> Duration {
        self.locked + self.agreeing * (workers - 1)
    }

    /// How long a round takes in which all begin together.
    fn round(self, workers: u32) -> Duration {
        self.alone + self.holds(workers) * workers
    }

    fn simulate(self, workers: u32, rounds: u32) -> Duration {
        let (mut begin, mut free) = (vec![Duration::ZERO; workers as usize], Duration::ZERO);
        for _ in 0..rounds {
            if self.meet {
                begin.fill(free);
            }
            // Who began first is first at the lock, in every round.
            for begin in &mut begin {
                free = free.max(*begin + self.alone) + self.holds(workers);
                *begin = free;
            }
        }
        free
    }

    /// As many threads, a lock, and waits for work: two CPUs carry them all.
    fn work_for_real(self, workers: u32, rounds: u32) -> Duration {
        let (lock, meeting) = (Mutex::new(()), Barrier::new(workers as usize));
        let clock = Clock::live();
        let work = || {
            tighten_timer();
            for _ in 0..rounds {
                if self.meet {
                    meeting.wait();
                }
                thread::sleep(self.alone);
                let _held = lock.lock().unwrap_or_else(PoisonError::into_inner);
                wait_until(clock, clock.now() + self.holds(workers));
            }
        };
        thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
        clock.now()
    }
}

/// An estimate, and the ends of its interval.
fn file(ctx: &mut Ctx, name: &str, fit: Estimate) {
    ctx.metric(name, fit.value, "ratio");
    if let Some((low, high)) = fit.interval {
        ctx.metric(&format!("{name}_low"), low, "ratio");
        ctx.metric(&format!("{name}_high"), high, "ratio");
    }
}

/// Throughput of one worker, contention and coherency, fitted to throughput by number of workers.
///
/// # Errors
/// The points do not determine a fit.
pub(crate) fn usl_fit(points: &[(f64, f64)]) -> anyhow::Result<[Estimate; 3]> {
    let law = |[one, contention, coherency]: &[f64; 3], n: f64| {
        one * Usl { contention: *contention, coherency: *coherency }.speedup(n)
    };
    fit(points, [1.0, 0.01, 0.0001], law)
}

/// What one worker does, and the share of its work that only one can do at a time.
///
/// # Errors
/// The points do not determine a fit.
pub(crate) fn amdahl_fit(points: &[(f64, f64)]) -> anyhow::Result<[Estimate; 2]> {
    fit(points, [1.0, 0.01], |[one, serial]: &[f64; 2], n| one * amdahl(1.0 - serial, n))
}

fn fit<const K: usize>(
    points: &[(f64, f64)],
    mut start: [f64; K],
    law: impl Fn(&[f64; K], f64) -> f64,
) -> anyhow::Result<[Estimate; K]> {
    start[0] = points.first().map_or(1.0, |(n, y)| y / n);
    let found = fit_curve(points, start, law);
    found.with_context(|| format!("no law fits {points:?}"))
}
