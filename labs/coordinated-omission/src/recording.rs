//! The cost of recording a value in nanoseconds, and whether it grows.

use std::hint::black_box;
use std::time::{Duration, Instant};

use lab_kit::Ctx;
use lab_kit::stats::median;

/// Recorded between two looks at the clock, which costs as much as a record.
const BLOCK: u64 = 10_000;
const AT_MOST_BLOCKS: usize = 100_000;

/// Records for the whole of the measured span.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let span = ctx.timeline().measure;
    let (mut series, mut list) = (ctx.series(), Vec::new());
    let costs = if ctx.text("keep") == "list" {
        cost_of(span, |i| keep_sorted(&mut list, scattered(i)))
    } else {
        cost_of(span, |i| series.record_ns(i % span.as_nanos() as u64, scattered(i)))
    };
    black_box((&series, &list));
    note(ctx, &costs);
    Ok(())
}

/// The cost of percentiles without a histogram.
fn keep_sorted(list: &mut Vec<u64>, value: u64) {
    list.insert(list.partition_point(|kept| *kept < value), value);
}

/// The cost of one call in each block of calls, in nanoseconds, until `span` is over.
fn cost_of(span: Duration, mut record: impl FnMut(u64)) -> Vec<f64> {
    let mut costs = Vec::with_capacity(AT_MOST_BLOCKS);
    let start = Instant::now();
    while start.elapsed() < span && costs.len() < AT_MOST_BLOCKS {
        let first = costs.len() as u64 * BLOCK;
        let block = Instant::now();
        (first..first + BLOCK).for_each(&mut record);
        costs.push(block.elapsed().as_nanos() as f64 / BLOCK as f64);
    }
    costs
}

/// Medians, since other work on the machine lengthens some blocks.
fn note(ctx: &mut Ctx, costs: &[f64]) {
    let (tenth, count) = (costs.len().div_ceil(10), costs.len());
    let parts = [costs, &costs[..tenth], &costs[count - tenth..]];
    let [all, first, last] =
        parts.map(|costs| median(costs.iter().copied()).expect("at least one block is timed"));
    ctx.metric("record_cost", all, "ns");
    ctx.metric("record_cost_growth", last / first, "times");
    ctx.metric("records", (count as u64 * BLOCK) as f64, "count");
}

/// A value between a microsecond and a second, in no order that a processor could learn.
pub(crate) fn scattered(i: u64) -> u64 {
    1_000 + i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 1_000_000_000
}
