//! Samples of the catalogue, and of this machine.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use lab_kit::scratch::{self, PAGE};
use lab_kit::seed::Generator;
use lab_kit::{Clock, Ctx, Series};
use rand::Rng;

use crate::catalogue::{CATALOGUE, GRAINS, Mixture, Shape, of_type};
use crate::shape::{MULTIMODAL, OUTLYING, grain, histogram, max_sigma, moments, mvalue, trail};

/// The series of all samples.
pub(crate) const VALUE: &str = "value";
/// Width of the bins in which the source's page has two modes, in µs.
const BIN_US: f64 = 200.0;
/// Simulated time between two samples of a trial.
const SECOND: Duration = Duration::from_secs(1);

/// Draws a sample of `values` in each simulated second.
pub(crate) fn sample(ctx: &mut Ctx, shape: &Shape) -> anyhow::Result<()> {
    let mixture = turned(ctx, shape);
    let (values, samples) = (ctx.int("values"), samples(ctx));
    let (mut rng, mut series) = (rng_of(ctx, shape), ctx.series());
    let (mut outlying, mut near, mut about) = (0, 0, 0.0);
    let (mut sigmas, mut mvalues, mut densities) = (0.0, 0.0, 0.0);
    for second in 0..samples {
        let sorted = draw(&mixture, values, &mut rng);
        file(&mut series, SECOND * second as u32, &sorted);
        let (mean, sigma) = (moments(&sorted).0, max_sigma(&sorted));
        outlying += u64::from(sigma >= OUTLYING);
        near += sorted.iter().filter(|value| (0.9..=1.1).contains(&(*value / mean))).count() as u64;
        let bins = histogram(&sorted, 0.0, BIN_US);
        densities += bins[(mean / BIN_US) as usize] / bins.iter().copied().fold(0.0, f64::max);
        (about, sigmas, mvalues) = (about + mean, sigmas + sigma, mvalues + mvalue(&sorted));
    }
    let each = samples as f64;
    ctx.proportion("outlying", outlying, samples);
    ctx.proportion("near_mean", near, samples * values);
    ctx.metric("mean", about / each * 1e3, "ns");
    ctx.metric("max_sigma", sigmas / each, "deviations");
    ctx.metric("mvalue", mvalues / each, "heights");
    ctx.metric("density_at_mean", densities / each, "ratio");
    ctx.save(VALUE, series)
}

/// The sample that is said to have a heavy tail.
pub(crate) fn heavy(ctx: &mut Ctx) -> anyhow::Result<()> {
    let number = if ctx.text("tail") == "pareto" { 130 } else { 100 };
    sample(ctx, of_type(number))
}

/// Values of a sample of each type, as many as the source draws.
const EACH: u64 = 5_000;

/// Draws samples of every type, and compares their moments, farthest values and modes with what the
/// source says of the type.
pub(crate) fn catalogue(ctx: &mut Ctx) -> anyhow::Result<()> {
    let samples = samples(ctx);
    let (mut worst, mut figures) = (0.0_f64, 0);
    let (mut one, mut more, mut close) = ((0, 0), (0, 0), (0, 0));
    let (mut labelled, mut bounded) = ((0, 0), (0, 0));
    for shape in CATALOGUE {
        let mixture = turned(ctx, shape);
        let mut rng = rng_of(ctx, shape);
        let mut all = Vec::new();
        for _ in 0..samples {
            let sorted = draw(&mixture, EACH, &mut rng);
            let multimodal = mvalue(&sorted) >= MULTIMODAL;
            match shape.modes {
                0 => {}
                1 => count(&mut one, !multimodal),
                // "Very close": between them is three quarters of the peak.
                _ if shape.number == 200 => count(&mut close, multimodal),
                _ => count(&mut more, multimodal),
            }
            all.extend(sorted);
        }
        all.sort_unstable_by(f64::total_cmp);
        let outlying = max_sigma(&all) >= OUTLYING;
        if shape.outliers {
            count(&mut labelled, outlying);
        } else if !matches!(shape.number, 130 | 131) {
            count(&mut bounded, !outlying);
        }
        for off in off_by(&all, &shape.as_published()).into_iter().flatten() {
            (worst, figures) = (worst.max(off), figures + 1);
        }
    }
    ctx.metric("worst_moment", worst, "standard errors");
    ctx.metric("moments", f64::from(figures), "moments");
    for (name, (hits, of)) in [
        ("one_mode_below", one),
        ("more_modes_above", more),
        ("very_close_above", close),
        ("labelled_outlying", labelled),
        ("others_not_outlying", bounded),
    ] {
        ctx.proportion(name, hits, of);
    }
    Ok(())
}

fn count((hits, of): &mut (u64, u64), hit: bool) {
    *hits += u64::from(hit);
    *of += 1;
}

/// By how many standard errors the mean and the variance of a sample are off; none for a variance
/// whose standard error is infinite.
fn off_by(values: &[f64], expected: &Mixture) -> [Option<f64>; 2] {
    let n = values.len() as f64;
    let (variance, fourth) = expected.spread();
    let squares: f64 = values.iter().map(|value| (value - expected.mean()).powi(2)).sum();
    let off = |found: f64, expected: f64, per_value: f64| {
        per_value.is_finite().then(|| (found - expected).abs() / (per_value / n).sqrt())
    };
    [
        off(values.iter().sum::<f64>() / n, expected.mean(), variance),
        off(squares / n, variance, fourth - variance * variance),
    ]
}

/// Values of a sample with outliers, of which ten are some: those of `frequencytrail.r`.
const WITH_GRAINS: u64 = 10_000;

/// Cuts the frequency trail of a sample in each simulated second, and counts the stretches beyond
/// the bulk against the groups of outliers that are there.
pub(crate) fn grains(ctx: &mut Ctx) -> anyhow::Result<()> {
    let mixture = turned(ctx, &GRAINS);
    let cut = if ctx.text("cut") == "density" { 1.0 } else { 0.0 };
    let (mut rng, mut series) = (rng_of(ctx, &GRAINS), ctx.series());
    let (mut grains, mut groups, mut drawn, mut outliers) = (0, 0, 0, 0);
    for second in 0..samples(ctx) {
        let sorted = draw(&mixture, WITH_GRAINS, &mut rng);
        if second == 0 {
            // One sample, since in many together the grains are a line.
            file(&mut series, Duration::ZERO, &sorted);
        }
        let stretches = trail(&sorted, cut);
        let far = &sorted[sorted.partition_point(|value| *value < 2_000.0)..];
        let apart = grain(&sorted);
        groups += far.chunk_by(|one, next| next - one <= apart).count();
        outliers += far.len() as u64;
        let beyond = stretches.iter().filter(|(from, _)| *from > 1_500.0);
        grains += beyond.clone().count();
        let inside = |value: &&f64| stretches.iter().any(|(a, b)| (a..=b).contains(value));
        drawn += far.iter().filter(inside).count() as u64;
    }
    ctx.metric("grains", grains as f64, "grains");
    ctx.metric("groups", groups as f64, "groups");
    ctx.proportion("drawn", drawn, outliers);
    ctx.save(VALUE, series)
}

/// Times reads of a page that the kernel has in memory; or draws values instead.
pub(crate) fn reads(ctx: &mut Ctx) -> anyhow::Result<()> {
    let values = ctx.int("values");
    let Some(file) = scratch::file(ctx, PAGE as u64)? else { return Ok(()) };
    let mut page = [0; PAGE];
    file.write_all_at(&page, 0)?;
    let (timed, normal) = (ctx.text("timed") == "reads", of_type(100));
    let (draws, mut rng) = (normal.as_published(), rng_of(ctx, normal));
    let (clock, mut series) = (Clock::live(), ctx.series());
    ctx.began(clock);
    let mut sorted = Vec::with_capacity(values as usize);
    // At least the whole span, so that the CPUs can be watched.
    while sorted.len() < values as usize || clock.now() < ctx.timeline().span() {
        let at = clock.now();
        let took = if timed { read(&file, &mut page)? } else { us(draws.draw(&mut rng)) };
        series.record(at, took);
        if sorted.len() < values as usize {
            sorted.push(took.as_secs_f64() * 1e6);
        }
    }
    sorted.sort_unstable_by(f64::total_cmp);
    ctx.metric("max_sigma", max_sigma(&sorted), "deviations");
    ctx.save(VALUE, series)
}

fn read(file: &File, page: &mut [u8]) -> std::io::Result<Duration> {
    let begun = Instant::now();
    file.read_exact_at(page, 0)?;
    Ok(begun.elapsed())
}

fn rng_of(ctx: &Ctx, shape: &Shape) -> Generator {
    ctx.rng(&[u64::from(shape.number)])
}

fn turned(ctx: &Ctx, shape: &Shape) -> Mixture {
    shape.turned(ctx.float("outliers"), ctx.float("apart"))
}

fn samples(ctx: &Ctx) -> u64 {
    ctx.timeline().span().as_secs().max(1)
}

fn draw(mixture: &Mixture, values: u64, rng: &mut impl Rng) -> Vec<f64> {
    let mut drawn: Vec<f64> = (0..values).map(|_| mixture.draw(rng)).collect();
    drawn.sort_unstable_by(f64::total_cmp);
    drawn
}

/// Files values; as in the source, not those below 0.
fn file(series: &mut Series, at: Duration, values: &[f64]) {
    values.iter().filter(|value| **value >= 0.0).for_each(|value| series.record(at, us(*value)));
}

pub(crate) fn us(value: f64) -> Duration {
    Duration::from_nanos((value.max(0.0) * 1e3) as u64)
}
