//! What it costs to be watched: a thread that computes, with an event of its CPU time that counts,
//! or that takes samples, and without.

use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use lab_kit::stats::quantile_of_sorted;
use lab_kit::{Clock, Ctx, CurveKind};
use perf_event::events::Software;
use perf_event::{Builder, Counter, SampleFlag, Sampler};

use crate::loops::compute;

/// The curve of the speed that is lost, over the rate of samples.
pub(crate) const COST: &str = "lost to sampling";

/// Samples in a CPU-second.
const RATES: [u64; 4] = [49, 99, 999, FAST];
const FAST: u64 = 9_999;
/// A turn: long enough for a sample at the lowest rate.
const TURN: Duration = Duration::from_millis(25);
/// Room for the samples of a turn, in bytes.
const RING: usize = 256 << 10;

/// An event on the calling thread; it begins and ends with each turn.
enum Watch {
    None,
    Counts(Counter),
    Samples(Sampler),
}

/// One way to be watched, and its turns.
struct Side {
    watch: Watch,
    turns_ns: Vec<f64>,
    samples: u64,
}

/// All ways in turns, there and back, so that drift falls on all alike.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let counting = if ctx.text("counting") == "counts" { counter() } else { sampler(FAST) };
    let counting = match counting {
        Ok(watch) => watch,
        Err(error) => {
            let fix = "sudo sysctl kernel.perf_event_paranoid=2; in a container, --security-opt \
                       seccomp=unconfined";
            ctx.unavailable(format!("perf_event_open for cpu-clock: {error}"), fix);
            return Ok(());
        }
    };
    let mut sides = vec![Side::new(Watch::None), Side::new(counting)];
    for hz in RATES {
        sides.push(Side::new(sampler(hz)?));
    }
    let (steps, clock) = (steps_of_a_turn(), Clock::live());
    ctx.began(clock);
    while clock.now() < ctx.timeline().span() {
        sides.iter_mut().try_for_each(|side| side.turn(steps))?;
        sides.iter_mut().rev().try_for_each(|side| side.turn(steps))?;
    }
    file(ctx, &sides);
    Ok(())
}

fn file(ctx: &mut Ctx, sides: &[Side]) {
    let [alone, counting, rates @ ..] = sides else { unreachable!("six sides") };
    let lost = |side: &Side| 1.0 - alone.ns() / side.ns();
    let fast = &rates[RATES.len() - 1];
    let time_s = fast.turns_ns.iter().sum::<f64>() / 1e9;
    let fast_hz = fast.samples as f64 / time_s;
    let sample_ns = lost(fast) * 1e9 / fast_hz.max(1.0);
    let lost_at = |hz: u64| sample_ns / 1e9 * hz as f64;
    ctx.metric("counting", lost(counting), "ratio");
    ctx.metric("fast", lost(fast), "ratio");
    ctx.metric("sample", sample_ns, "ns");
    ctx.metric("taken", fast_hz / FAST as f64, "ratio");
    ctx.metric("at_rate", lost_at(ctx.int("rate")), "ratio");
    let measured = RATES.iter().zip(rates).map(|(hz, side)| (*hz as f64, lost(side))).collect();
    let line = RATES.iter().map(|hz| (*hz as f64, lost_at(*hz))).collect();
    ctx.curve(COST, CurveKind::Measured, ["Hz", "ratio"], measured);
    ctx.curve(COST, CurveKind::Theory, ["Hz", "ratio"], line);
}

/// The steps that take as long as a turn, at the speed of some.
fn steps_of_a_turn() -> u64 {
    const SOME: u64 = 2_000_000;
    let begun = Instant::now();
    black_box(compute(&[], 1, SOME));
    (SOME as f64 * TURN.as_secs_f64() / begun.elapsed().as_secs_f64()) as u64
}

impl Side {
    fn new(watch: Watch) -> Self {
        Self { watch, turns_ns: Vec::new(), samples: 0 }
    }

    fn turn(&mut self, steps: u64) -> io::Result<()> {
        self.watch.begin()?;
        let begun = Instant::now();
        black_box(compute(&[], 1, steps));
        self.turns_ns.push(begun.elapsed().as_nanos() as f64);
        self.samples += self.watch.end()?;
        Ok(())
    }

    /// A turn that nothing else disturbed: the lower quartile, as others only make turns longer.
    fn ns(&self) -> f64 {
        let mut sorted = self.turns_ns.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        quantile_of_sorted(&sorted, 0.25).unwrap_or_default()
    }
}

impl Watch {
    fn begin(&mut self) -> io::Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Counts(counter) => counter.enable(),
            Self::Samples(sampler) => sampler.enable(),
        }
    }

    /// The number of samples since it began.
    fn end(&mut self) -> io::Result<u64> {
        match self {
            Self::None => Ok(0),
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

fn counter() -> io::Result<Watch> {
    Ok(Watch::Counts(builder().build()?))
}

/// Each sample is a user stack, as of `perf record -F HZ -g`.
fn sampler(hz: u64) -> io::Result<Watch> {
    let sample = SampleFlag::IP | SampleFlag::TID | SampleFlag::TIME | SampleFlag::CALLCHAIN;
    let mut builder = builder();
    builder.sample_frequency(hz).sample(sample).exclude_callchain_kernel(true);
    Ok(Watch::Samples(builder.build()?.sampled(RING)?))
}

/// The CPU time of the calling thread, by the kernel's clock.
fn builder() -> Builder<'static> {
    let mut builder = Builder::new(Software::CPU_CLOCK);
    builder.observe_self().exclude_kernel(true);
    builder
}
