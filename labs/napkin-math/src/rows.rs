//! Rows of the table, timed in turns.

use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use lab_kit::stats::median;
use lab_kit::{Clock, Ctx};

/// One operation, and a turn of many of them.
pub(crate) struct Row<'a> {
    name: &'static str,
    bytes: usize,
    operations: u64,
    turn: Box<dyn FnMut() -> io::Result<Duration> + 'a>,
}

impl<'a> Row<'a> {
    /// A row whose operation moves `bytes` bytes, or none. `turn` does `operations` of them.
    pub(crate) fn new(
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
    pub(crate) fn of<T>(
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
    pub(crate) fn timed(
        name: &'static str,
        bytes: usize,
        operations: u64,
        turn: impl FnMut() -> io::Result<Duration> + 'a,
    ) -> Self {
        Self { name, bytes, operations, turn: Box::new(turn) }
    }
}

/// Runs a turn of each row, again and again, until the trial's span is over, so that drift affects
/// all alike. A row's metric is the median over its turns of the time of an operation, in ns;
/// `NAME_rate` is its throughput in MiB/s.
pub(crate) fn measure(ctx: &mut Ctx, mut rows: Vec<Row<'_>>) -> anyhow::Result<()> {
    let mut times = vec![Vec::new(); rows.len()];
    let clock = Clock::live();
    ctx.began(clock);
    while clock.now() < ctx.timeline().span() || times[0].len() < 3 {
        for (row, times) in rows.iter_mut().zip(&mut times) {
            times.push((row.turn)()?.as_nanos() as f64 / row.operations as f64);
        }
    }
    for (row, times) in rows.iter().zip(times) {
        let ns = median(times).unwrap_or_default();
        ctx.metric(row.name, ns, "ns");
        if row.bytes > 0 {
            let mib = row.bytes as f64 / f64::from(1 << 20);
            ctx.metric(&format!("{}_rate", row.name), mib / (ns / 1e9), "MiB/s");
        }
    }
    Ok(())
}
