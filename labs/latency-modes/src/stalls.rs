//! A server that stalls once a second, always at the same moment.

use std::hint::black_box;
use std::time::Duration;

use lab_kit::sim::Distribution;
use lab_kit::{Clock, Ctx, CurveKind, Series, spin, tighten_timer, wait_until};
use lab_record::Grid;

use crate::maps::every;

/// The series of responses, and the grid of the slowest by second and offset within it.
pub(crate) const RESPONSE: &str = "response";
pub(crate) const OFFSETS: &str = "offsets";
/// The curves over the seconds: their means, and their slowest responses.
pub(crate) const MEANS: &str = "mean";
pub(crate) const SLOWEST: &str = "slowest";

const SECOND_NS: u64 = 1_000_000_000;
/// A column of the heat map.
const COLUMN: Duration = Duration::from_millis(50);
const COLUMN_NS: u64 = 50_000_000;
const COLUMNS_A_SECOND: usize = 20;
/// When a stall begins, in ns after the second of the trial's clock.
const OFFSET_NS: u64 = 325_000_000;
/// Time between two requests, and of one.
const GAP_NS: u64 = 1_000_000;
const SERVICE_NS: [f64; 2] = [1e6, 1e5];

/// Serves a request in each millisecond.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let on = ctx.text("stalls") == "on";
    let stall = if on { ctx.duration("stall") } else { Duration::ZERO };
    let mut series = Series::new(every(ctx, COLUMN));
    let mut answered = Vec::new();
    let mut record = |due_ns: u64, end_ns: u64| {
        series.record_ns(due_ns, end_ns - due_ns);
        answered.push((due_ns, end_ns - due_ns));
    };
    if ctx.is_live() {
        serve(ctx, stall, &mut record)?;
    } else {
        for (due_ns, ready_ns) in requests(ctx)? {
            let into = (ready_ns + SECOND_NS - OFFSET_NS) % SECOND_NS;
            let left = (stall.as_nanos() as u64).saturating_sub(into);
            record(due_ns, ready_ns + left);
        }
    }
    file(ctx, &answered);
    ctx.save(RESPONSE, series)
}

/// When each request is due and when its answer is ready, in the order of answers.
fn requests(ctx: &Ctx) -> anyhow::Result<Vec<(u64, u64)>> {
    let (service, mut rng) = (Distribution::normal(SERVICE_NS[0], SERVICE_NS[1])?, ctx.rng(&[0]));
    let span = ctx.timeline().span().as_nanos() as u64;
    let due = (0..span / GAP_NS).map(|i| i * GAP_NS);
    let mut requests: Vec<_> = due.map(|due| (due, due + service.draw(&mut rng))).collect();
    requests.sort_unstable_by_key(|(_, ready)| *ready);
    Ok(requests)
}

/// Answers requests as they are ready, on one thread, and stalls in between.
fn serve(ctx: &mut Ctx, stall: Duration, record: &mut impl FnMut(u64, u64)) -> anyhow::Result<()> {
    let requests = requests(ctx)?;
    let mut next = Duration::from_nanos(OFFSET_NS);
    tighten_timer();
    let clock = Clock::live();
    ctx.began(clock);
    for (due_ns, ready_ns) in requests {
        let ready = Duration::from_nanos(ready_ns);
        while ready >= next {
            wait_until(clock, next);
            collect_garbage(stall);
            next += Duration::from_secs(1);
        }
        wait_until(clock, ready);
        record(due_ns, clock.now().as_nanos() as u64);
    }
    Ok(())
}

/// The stall: work of the server's own, in which it answers no request.
#[inline(never)]
fn collect_garbage(time: Duration) {
    spin::cpu(time);
    // Else the call would be a jump, and leave no frame for a profile.
    black_box(());
}

/// Files what a mean of a second shows, and what the slowest request of each column does.
fn file(ctx: &mut Ctx, answered: &[(u64, u64)]) {
    let from = ctx.timeline().warmup.as_nanos() as u64;
    let seconds = ctx.timeline().measure.as_secs().max(1) as usize;
    let mut slowest = vec![0_u64; seconds * COLUMNS_A_SECOND];
    let mut sums = vec![(0_u64, 0_u64); seconds];
    let measured = answered.iter().filter_map(|(due, took)| Some((due.checked_sub(from)?, *took)));
    for (at, took) in measured {
        let (column, second) = ((at / COLUMN_NS) as usize, (at / SECOND_NS) as usize);
        if second < seconds {
            slowest[column] = slowest[column].max(took);
            sums[second] = (sums[second].0 + took, sums[second].1 + 1);
        }
    }
    let (sum, requests) = sums.iter().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
    let mean = sum as f64 / requests.max(1) as f64;
    // The offset of the stall in a second of the measured span.
    let offset = (OFFSET_NS + SECOND_NS - from % SECOND_NS) % SECOND_NS;
    let stalled = (offset / COLUMN_NS) as usize;
    let (mut hits, mut stripes) = (0, Vec::new());
    for second in slowest.chunks(COLUMNS_A_SECOND) {
        let highest = (0..second.len()).max_by_key(|column| second[*column]).unwrap_or_default();
        hits += u64::from(highest == stalled);
        stripes.push(second[stalled] as f64 / mean);
    }
    ctx.proportion("at_the_offset", hits, seconds as u64);
    ctx.metric("mean", mean, "ns");
    ctx.metric("stripe", lab_kit::stats::median(stripes).unwrap_or_default(), "times");
    let mean_of = |(sum, count): &(u64, u64)| *sum as f64 / (*count).max(1) as f64;
    let longest = |second: &[u64]| second.iter().copied().max().unwrap_or_default() as f64;
    by_second(ctx, MEANS, sums.iter().map(mean_of));
    by_second(ctx, SLOWEST, slowest.chunks(COLUMNS_A_SECOND).map(longest));
    let row = |column: usize| {
        let slowest = slowest.iter().skip(column).step_by(COLUMNS_A_SECOND);
        (format!("{} ms", 50 * column), slowest.map(|ns| *ns as f64).collect())
    };
    ctx.grid(
        OFFSETS,
        Grid {
            unit: "ns".into(),
            starts_s: (0..seconds).map(|second| second as f64).collect(),
            end_s: seconds as f64,
            rows: (0..COLUMNS_A_SECOND).rev().map(row).collect(),
        },
    );
}

/// Files a curve of times in ns, one for each second.
fn by_second(ctx: &mut Ctx, name: &str, times: impl Iterator<Item = f64>) {
    let points = times.enumerate().map(|(second, ns)| (second as f64 + 0.5, ns)).collect();
    ctx.curve(name, CurveKind::Measured, ["s", "ns"], points);
}
