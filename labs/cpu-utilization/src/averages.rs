//! What an average of CPU time hides: bursts, and waiting that looks like work.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use lab_kit::proc::process_cpu_time;
use lab_kit::thread::cpu_time;
use lab_kit::{Clock, Ctx, Grid, spin};

/// The grid of the busy share of a CPU.
pub(crate) const UTILISATION: &str = "utilisation";

const SECOND: Duration = Duration::from_secs(1);
/// How often the CPU clock is read.
const TENTH: Duration = Duration::from_millis(100);

/// A thread that works for a part of each second: its share of a CPU, on average and by tenths of
/// a second.
pub(crate) fn bursts(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (burst, clock) = (ctx.duration("burst"), Clock::live());
    let (every, burst) = match ctx.text("bursts") {
        "one" => (SECOND, burst),
        _ => (TENTH, burst / 10),
    };
    ctx.began(clock);
    let seconds = ctx.timeline().span().as_secs().max(1) as u32;
    let before = process_cpu_time();
    let tenths = scope(|scope| {
        scope.spawn(|| {
            for start in (0..).map(|i| i * every).take_while(|start| *start < seconds * SECOND) {
                sleep(start.saturating_sub(clock.now()));
                spin::cpu(burst);
            }
        });
        let mut last = (clock.now(), before);
        let tenth = |i: u32| {
            sleep((i * TENTH).saturating_sub(clock.now()));
            let now = (clock.now(), process_cpu_time());
            let (wall, cpu) = (now.0 - last.0, now.1 - last.1);
            last = now;
            cpu.as_secs_f64() / wall.as_secs_f64()
        };
        (1..=10 * seconds).map(tenth).collect::<Vec<f64>>()
    });
    let busy = (process_cpu_time() - before).as_secs_f64() / clock.now().as_secs_f64();
    ctx.metric("average", busy, "ratio");
    ctx.metric("busiest", tenths.iter().copied().fold(0.0, f64::max), "ratio");
    let between = tenths.iter().filter(|busy| (0.1..0.9).contains(*busy)).count();
    ctx.metric("between", between as f64 / tenths.len() as f64, "ratio");
    ctx.grid(UTILISATION, by_tenth(seconds, &tenths));
    Ok(())
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
    ctx.metric("taken", taken as f64, "times");
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
