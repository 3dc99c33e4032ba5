//! What it costs to be watched: a thread that computes, with an event of its CPU time that counts,
//! or that takes samples, and without.

use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use lab_kit::stats::median;
use lab_kit::{Clock, Ctx, CurveKind};
use perf_event::events::Software;
use perf_event::{Builder, Counter, SampleFlag, Sampler};

use crate::loops::compute;

/// The curve of the cost, over the rate of samples.
pub(crate) const COST: &str = "cost of sampling";

/// Samples in a CPU-second.
const RATES: [u64; 4] = [49, 99, 999, FAST];
const FAST: u64 = 9_999;
/// Steps in a turn, which takes some 30 ms.
const STEPS: u64 = 20_000_000;
/// Room for the samples of a turn.
const RING: usize = 256 << 10;

/// An event on the calling thread, not yet begun.
enum Watch {
    Counts(Counter),
    Samples(Sampler),
}

/// A turn that was watched, and the one before or after it that was not.
struct Pair {
    watched: Duration,
    alone: Duration,
    samples: u64,
}

/// Pairs of turns, for each rate in turn: watched and not.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    if let Err(error) = watch(FAST) {
        let fix = "sudo sysctl kernel.perf_event_paranoid=2; in a container, --security-opt seccomp=unconfined";
        ctx.unavailable(format!("perf_event_open for cpu-clock: {error}"), fix);
        return Ok(());
    }
    let counting = if ctx.text("counting") == "counts" { 0 } else { FAST };
    let mut sides: Vec<(u64, Vec<Pair>)> = Vec::new();
    sides.extend([counting, ctx.int("rate")].into_iter().chain(RATES).map(|hz| (hz, Vec::new())));
    let clock = Clock::live();
    ctx.began(clock);
    while clock.now() < ctx.timeline().span() || sides[0].1.len() < 3 {
        for (hz, pairs) in &mut sides {
            pairs.push(pair(*hz, pairs.len() % 2 == 0)?);
        }
    }
    let [counting, asked, rates @ ..] = &sides[..] else { unreachable!("six sides") };
    ctx.metric("counting", cost(&counting.1), "ratio");
    ctx.metric("direct", cost(&asked.1), "ratio");
    let fast = &rates[rates.len() - 1].1;
    ctx.metric("fast", cost(fast), "ratio");
    let sample = cost_of_sample(fast);
    ctx.metric("sample", sample, "ns");
    ctx.metric("taken", taken(fast), "ratio");
    ctx.metric("at_rate", sample / 1e9 * asked.0 as f64, "ratio");
    let points = rates.iter().map(|(hz, pairs)| (*hz as f64, cost(pairs)));
    ctx.curve(COST, CurveKind::Measured, ["Hz", "ratio"], points.collect());
    let line = RATES.iter().map(|hz| (*hz as f64, sample / 1e9 * *hz as f64));
    ctx.curve(COST, CurveKind::Theory, ["Hz", "ratio"], line.collect());
    Ok(())
}

/// `first`: the watched turn is before the other one. So drift falls on both alike.
fn pair(hz: u64, first: bool) -> anyhow::Result<Pair> {
    let turn = || {
        let begun = Instant::now();
        black_box(compute(&[], 1, STEPS));
        begun.elapsed()
    };
    let before = if first { None } else { Some(turn()) };
    let mut watch = watch(hz)?;
    watch.begin()?;
    let watched = turn();
    let samples = watch.end()?;
    let alone = before.unwrap_or_else(turn);
    Ok(Pair { watched, alone, samples })
}

/// How much longer a turn takes when it is watched.
fn cost(pairs: &[Pair]) -> f64 {
    let longer = |pair: &Pair| pair.watched.as_secs_f64() / pair.alone.as_secs_f64() - 1.0;
    median(pairs.iter().map(longer)).unwrap_or_default()
}

/// In ns.
fn cost_of_sample(pairs: &[Pair]) -> f64 {
    let each = |Pair { watched, alone, samples }: &Pair| {
        (watched.as_nanos() as f64 - alone.as_nanos() as f64) / (*samples).max(1) as f64
    };
    median(pairs.iter().map(each)).unwrap_or_default()
}

/// The samples that were taken, of those that were asked for.
fn taken(pairs: &[Pair]) -> f64 {
    let samples: u64 = pairs.iter().map(|pair| pair.samples).sum();
    let time: Duration = pairs.iter().map(|pair| pair.watched).sum();
    samples as f64 / (time.as_secs_f64() * FAST as f64)
}

/// An event of the thread's CPU time. At 0 Hz it counts; else each sample is a user stack, as
/// `perf record -F HZ -g` takes it.
fn watch(hz: u64) -> io::Result<Watch> {
    let mut builder = Builder::new(Software::CPU_CLOCK);
    builder.observe_self().exclude_kernel(true);
    if hz == 0 {
        return Ok(Watch::Counts(builder.build()?));
    }
    let sample = SampleFlag::IP | SampleFlag::TID | SampleFlag::TIME | SampleFlag::CALLCHAIN;
    builder.sample_frequency(hz).sample(sample).exclude_callchain_kernel(true);
    Ok(Watch::Samples(builder.build()?.sampled(RING)?))
}

impl Watch {
    fn begin(&mut self) -> io::Result<()> {
        match self {
            Self::Counts(counter) => counter.enable(),
            Self::Samples(sampler) => sampler.enable(),
        }
    }

    /// The number of samples.
    fn end(&mut self) -> io::Result<u64> {
        match self {
            Self::Counts(counter) => counter.disable().map(|()| 0),
            Self::Samples(sampler) => {
                sampler.disable()?;
                let mut samples = 0;
                while sampler.next_record().is_some() {
                    samples += 1;
                }
                Ok(samples)
            }
        }
    }
}
