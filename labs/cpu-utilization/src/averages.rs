//! What an average of CPU time hides: bursts, and waiting that looks like work.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use lab_kit::thread::cpu_time;
use lab_kit::{Clock, Ctx, Grid, spin};

/// The grid of the busy share of a CPU.
pub(crate) const UTILISATION: &str = "utilisation";

/// How often the thread reads its CPU clock.
const TENTH: Duration = Duration::from_millis(100);

/// A thread that works for a part of each second: its share of a CPU, on average and by tenths of
/// a second.
pub(crate) fn bursts(ctx: &mut Ctx) -> anyhow::Result<()> {
    let seconds = ctx.timeline().span().as_secs().max(1) as u32;
    let (every, burst) = match ctx.text("bursts") {
        "one" => (10, ctx.duration("burst")),
        _ => (1, ctx.duration("burst") / 10),
    };
    let clock = Clock::live();
    ctx.began(clock);
    let begun = (clock.now(), cpu_time());
    let mut last = begun;
    let tenth = |i: u32| {
        if i.is_multiple_of(every) {
            spin::cpu(burst);
        }
        sleep(((i + 1) * TENTH).saturating_sub(clock.now()));
        let from = std::mem::replace(&mut last, (clock.now(), cpu_time()));
        share(from, last)
    };
    let tenths: Vec<f64> = (0..10 * seconds).map(tenth).collect();
    ctx.metric("average", share(begun, last), "ratio");
    ctx.metric("busiest", tenths.iter().copied().fold(0.0, f64::max), "ratio");
    let between = tenths.iter().filter(|busy| (0.1..0.9).contains(*busy)).count();
    ctx.metric("between", between as f64 / tenths.len() as f64, "ratio");
    ctx.grid(UTILISATION, by_tenth(seconds, &tenths));
    Ok(())
}

/// How busy a thread was between two moments, by its wall clock and its CPU clock.
fn share(from: (Duration, Duration), until: (Duration, Duration)) -> f64 {
    (until.1 - from.1).as_secs_f64() / (until.0 - from.0).as_secs_f64()
}

/// A row for each tenth of a second, a column for each second.
fn by_tenth(seconds: u32, tenths: &[f64]) -> Grid {
    let row = |tenth: usize| {
        let values = tenths.iter().copied().skip(tenth).step_by(10).collect();
        (format!("{} to {} ms", 100 * tenth, 100 * (tenth + 1)), values)
    };
    Grid {
        unit: "ratio".into(),
        starts_s: (0..seconds).map(f64::from).collect(),
        end_s: f64::from(seconds),
        rows: (0..10).map(row).collect(),
    }
}

/// A thread that wants a lock whose holder sleeps: how busy it is, and how often it gets the lock.
pub(crate) fn spinner(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (how, span) = (ctx.text("lock"), ctx.timeline().span());
    let (lock, stop) = (Mutex::new(()), AtomicBool::new(false));
    let (busy, taken) = scope(|scope| {
        let held = (how != "free").then(|| lock.lock().unwrap_or_else(PoisonError::into_inner));
        let waiter = scope.spawn(|| {
            let (begun, ran, mut taken) = (Instant::now(), cpu_time(), 0_u64);
            while !stop.load(Relaxed) {
                let guard = match how {
                    "mutex" => Some(lock.lock().unwrap_or_else(PoisonError::into_inner)),
                    _ => lock.try_lock().ok(),
                };
                match guard {
                    // Given up by a holder that leaves, it is no longer wanted.
                    Some(_guard) if !stop.load(Relaxed) => taken += 1,
                    _ => spin_loop(),
                }
            }
            ((cpu_time() - ran).as_secs_f64() / begun.elapsed().as_secs_f64(), taken)
        });
        sleep(span);
        stop.store(true, Relaxed);
        drop(held);
        waiter.join().expect("it does not panic")
    });
    ctx.metric("busy", busy, "ratio");
    ctx.metric("taken", taken as f64, "count");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenths_of_a_second_are_rows_and_seconds_are_columns() {
        let tenths: Vec<f64> = (0..20).map(f64::from).collect();
        let grid = by_tenth(2, &tenths);
        assert_eq!(grid.rows[3], ("300 to 400 ms".to_owned(), vec![3.0, 13.0]));
        assert_eq!((grid.rows.len(), grid.starts_s), (10, vec![0.0, 1.0]));
    }
}
