//! Operations that are compared: each is timed in turns of some milliseconds, one after the other.

use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use lab_stats::median;

use crate::clock::Clock;
use crate::ctx::Ctx;

/// One operation, and a turn of many of them.
#[expect(missing_debug_implementations, reason = "a turn is a function")]
pub struct Row<'a> {
    name: &'static str,
    bytes: usize,
    operations: u64,
    turn: Box<dyn FnMut() -> io::Result<Duration> + 'a>,
}

impl<'a> Row<'a> {
    /// A row whose operation moves `bytes` bytes, or none. `turn` does `operations` of them.
    pub fn new(
        name: &'static str,
        bytes: usize,
        operations: u64,
        mut turn: impl FnMut() -> io::Result<()> + 'a,
    ) -> Self {
        Self::timed(name, bytes, operations, move || {
            let begun = Instant::now();
            turn()?;
            Ok(begun.elapsed())
        })
    }

    /// A row of one short operation, which a turn does `operations` times.
    pub fn of<T>(
        name: &'static str,
        bytes: usize,
        operations: u64,
        mut operation: impl FnMut() -> T + 'a,
    ) -> Self {
        Self::new(name, bytes, operations, move || {
            for _ in 0..operations {
                black_box(operation());
            }
            Ok(())
        })
    }

    /// As [`Row::new`], for a turn that returns how long its operations took, so that its
    /// preparation does not count.
    pub fn timed(
        name: &'static str,
        bytes: usize,
        operations: u64,
        turn: impl FnMut() -> io::Result<Duration> + 'a,
    ) -> Self {
        Self { name, bytes, operations, turn: Box::new(turn) }
    }
}

/// Runs a turn of each row, again and again, until the trial's span is over, so that drift affects
/// all alike. Returns each row's median over its turns of the time of an operation, in ns.
///
/// # Errors
/// A turn fails.
pub fn medians(ctx: &mut Ctx, rows: &mut [Row<'_>]) -> anyhow::Result<Vec<f64>> {
    let mut times = vec![Vec::new(); rows.len()];
    let clock = Clock::live();
    ctx.began(clock);
    while clock.now() < ctx.timeline().span() || times.first().is_some_and(|own| own.len() < 3) {
        for (row, times) in rows.iter_mut().zip(&mut times) {
            times.push((row.turn)()?.as_nanos() as f64 / row.operations as f64);
        }
    }
    Ok(times.into_iter().map(|times| median(times).unwrap_or_default()).collect())
}

/// Files each row's [median](medians) as a metric of its name, in ns, and the throughput of a row
/// that moves bytes as `NAME_rate`, in MiB/s.
///
/// # Errors
/// As [`medians`].
pub fn measure(ctx: &mut Ctx, mut rows: Vec<Row<'_>>) -> anyhow::Result<()> {
    let medians = medians(ctx, &mut rows)?;
    for (row, ns) in rows.iter().zip(medians) {
        ctx.metric(row.name, ns, "ns");
        if row.bytes > 0 {
            let mib = row.bytes as f64 / f64::from(1 << 20);
            ctx.metric(&format!("{}_rate", row.name), mib / (ns / 1e9), "MiB/s");
        }
    }
    Ok(())
}
