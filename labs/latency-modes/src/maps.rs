//! Traces that become heat maps, and what a histogram of a second saves against its events.

use std::fs;
use std::time::Duration;

use lab_kit::{Ctx, Series, Timeline};

use crate::catalogue::of_type;
use crate::heat::{BOX, Cell, HeatMap, cells, linear, logarithmic};
use crate::sample::us;

/// The series of traces.
pub(crate) const LATENCY: &str = "latency";
/// The grids of the two maps.
pub(crate) const WHOLE: &str = "whole";
pub(crate) const CUT: &str = "cut";
/// Where the second map ends, in µs.
const MAX_US: f64 = 2_000.0;
/// Events a second of the trace that is drawn.
const RATE: u64 = 1_000;
/// How far the bulk of a trace moves up and down, in µs, and in how many seconds.
const SWING_US: f64 = 300.0;
const PERIOD_S: f64 = 20.0;
/// What counts as the bulk: all but 2 % at each end.
const BULK: [f64; 2] = [0.02, 0.98];
const READ: [f64; 3] = [0.5, 0.9, 0.99];

/// A trace whose bulk moves slowly, with outliers far above it: drawn whole, and with a maximum.
pub(crate) fn map(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (mixture, mut rng) = (of_type(142).turned(ctx.float("outliers"), 1.0), ctx.rng(&[0]));
    let seconds = ctx.timeline().span().as_secs().max(1);
    let event = |i: u64| {
        let at = i as f64 / RATE as f64;
        let swing = SWING_US * libm::sin(std::f64::consts::TAU * at / PERIOD_S);
        (at, (mixture.draw(&mut rng) + swing).max(0.0))
    };
    let events: Vec<(f64, f64)> = (0..seconds * RATE).map(event).collect();
    let mut series = Series::new(every(ctx, Duration::from_secs(1)));
    events.iter().for_each(|(at, value)| series.record(Duration::from_secs_f64(*at), us(*value)));

    let cell = if ctx.text("cell") == "count" { Cell::Count } else { Cell::Mark };
    let shade = if ctx.text("shade") == "linear" { linear } else { logarithmic };
    let rows = ctx.int("rows") as usize;
    let largest = events.iter().map(|(_, us)| *us).fold(0.0, f64::max);
    let whole = HeatMap::of(&events, rows, largest, cell);
    let cut = HeatMap::of(&events, rows, MAX_US, cell);
    let above = events.iter().filter(|(_, us)| *us > MAX_US).count() as u64;
    ctx.proportion("left_out", above, events.len() as u64);
    ctx.metric("bulk_whole", whole.rows_between(BULK) as f64 / rows as f64, "ratio");
    ctx.metric("bulk_cut", cut.rows_between(BULK) as f64 / rows as f64, "ratio");
    ctx.metric("off_percentiles", off_percentiles(&events, &cut), "rows");

    let svg = whole.svg(shade);
    let (events_off, shades_off) = off_cells(&events, &svg, rows, whole.row_us);
    ctx.proportion("events_off", events_off, events.len() as u64);
    ctx.proportion("shades_off", shades_off, cells(&svg).len() as u64);
    ctx.keep("map.svg", &svg)?;
    ctx.grid(WHOLE, whole.grid());
    ctx.grid(CUT, cut.grid());
    ctx.save(LATENCY, series)
}

/// By how many rows, at most, a percentile that is read from a column differs from that of the
/// events which the column shows.
fn off_percentiles(events: &[(f64, f64)], map: &HeatMap) -> f64 {
    let mut worst = 0.0_f64;
    let columns: Vec<&[(f64, f64)]> =
        events.chunk_by(|one, next| one.0.floor() == next.0.floor()).collect();
    for quantile in READ {
        for (column, read) in columns.iter().zip(map.percentiles(quantile)) {
            let shown = column.iter().map(|(_, us)| *us).filter(|us| *us <= MAX_US);
            let mut sorted: Vec<f64> = shown.collect();
            sorted.sort_unstable_by(f64::total_cmp);
            // As a histogram has it: the value at which the count from below reaches the quantile.
            let rank = (quantile * sorted.len() as f64).ceil() as usize;
            let exact = sorted[rank.clamp(1, sorted.len()) - 1];
            worst = worst.max((read - exact).abs() / map.row_us);
        }
    }
    worst
}

/// How many events are not in the cell of their second and latency, and how many cells do not have
/// the source's shade, in a picture.
fn off_cells(events: &[(f64, f64)], svg: &str, rows: usize, row_us: f64) -> (u64, u64) {
    let drawn = cells(svg);
    let most = drawn.iter().map(|cell| cell.count).max().unwrap_or(1);
    let (mut events_off, mut shades_off) = (events.len() as u64, 0);
    for cell in drawn {
        let (second, row) = ((cell.x / BOX) as f64, rows - 1 - cell.y / BOX);
        let belongs = |(at, us): &&(f64, f64)| {
            at.floor() == second && ((us / row_us) as usize).min(rows - 1) == row
        };
        // Events come in the order of time.
        let from = events.partition_point(|(at, _)| *at < second);
        let to = events.partition_point(|(at, _)| *at < second + 1.0);
        let there = events[from..to].iter().filter(belongs).count() as u64;
        events_off -= there.min(cell.count);
        let share = cell.count as f64 / most as f64;
        let expected = [255.0, 240.0 * (1.0 - share), 220.0 * (1.0 - share)];
        let near = |(found, expected): (&usize, f64)| (*found as f64 - expected).abs() <= 0.501;
        shades_off += u64::from(!cell.colour.iter().zip(expected).all(near));
    }
    (events_off, shades_off)
}

/// A time and a latency of eight bytes each.
const EVENT_BYTES: f64 = 16.0;
/// Ranges of an in-kernel histogram of a second, each with a count of eight bytes.
const RANGES: usize = 200;
const RANGE_BYTES: f64 = 8.0;

/// Busy seconds, as events and as histograms: of 200 ranges, and as this project's interval log.
pub(crate) fn busy(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (mixture, mut rng) = (of_type(142).as_published(), ctx.rng(&[0]));
    let (rate, seconds) = (ctx.int("rate"), ctx.timeline().span().as_secs().max(1));
    let mut series = Series::new(every(ctx, Duration::from_secs(1)));
    for second in 0..seconds {
        let at = Duration::from_secs(second);
        (0..rate).for_each(|_| series.record(at, us(mixture.draw(&mut rng))));
    }
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("latency.hlog");
    series.clone().into_log().write(&path, LATENCY)?;
    let events = rate as f64 * EVENT_BYTES;
    let log = fs::metadata(&path)?.len() as f64 / seconds as f64;
    ctx.metric("events", events, "B/s");
    ctx.metric("ranges", RANGES as f64 * RANGE_BYTES, "B/s");
    ctx.metric("log", log, "B/s");
    ctx.metric("by_ranges", events / (RANGES as f64 * RANGE_BYTES), "times");
    ctx.metric("by_log", events / log, "times");
    ctx.save(LATENCY, series)
}

/// The trial's timeline with intervals of this length.
pub(crate) fn every(ctx: &Ctx, interval: Duration) -> Timeline {
    Timeline { interval, ..ctx.timeline() }
}
