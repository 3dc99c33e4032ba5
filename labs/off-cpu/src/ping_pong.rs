//! Two threads that hand a byte to and fro, with a recorder of their switches and without.
//!
//! The recorder dumps a record for each switch into a buffer (`perf_event_open`, context-switch
//! records, which need no rights on a thread of one's own).

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use lab_kit::Ctx;
use lab_kit::stats::mean_interval;
use lab_kit::thread::{self, allowed_cpus, cpu_time, named, pin_to};
use perf_event::events::Software;
use perf_event::{Builder, SampleFlag};

/// There and back, in a batch; and in one that is longer.
const ROUNDS: u32 = 500;
const LONGER: u32 = 4;
/// Room for all records of the longest batch: 4 switches a round trip of both threads, each two
/// records of at most 64 bytes.
const BUFFER: usize = 1 << 20;
/// Of a record: type, flags and size.
const HEADER_BYTES: u64 = 8;

/// What a batch cost and left behind, of both threads together.
#[derive(Debug, Clone, Copy, Default)]
struct Batch {
    cpu: Duration,
    dumped_bytes: u64,
}

/// Runs batches with and without the recorder, in turns.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    if let Err(error) = recorder() {
        let fix = "sudo sysctl kernel.perf_event_paranoid=2";
        ctx.unavailable(format!("perf_event_open: {error}"), fix);
        return Ok(());
    }
    let (until, records) =
        (Instant::now() + ctx.timeline().measure, ctx.text("record") == "switches");
    let short = batch(ROUNDS, records)?;
    let long = batch(LONGER * ROUNDS, records)?;
    let mut costs = Vec::new();
    while costs.len() < 5 || Instant::now() < until {
        // There and back, so that what drifts falls on both alike.
        let on_first = costs.len() % 2 == 0;
        let first = batch(ROUNDS, records && on_first)?;
        let second = batch(ROUNDS, records && !on_first)?;
        let (on, off) = if on_first { (first, second) } else { (second, first) };
        costs.push(on.cpu.as_secs_f64() / off.cpu.as_secs_f64());
    }
    let (cost, interval) = mean_interval(&costs);
    let (low, high) = interval.unwrap_or((cost, cost));
    ctx.metric("cost", cost, "times");
    ctx.metric("cost_low", low, "times");
    ctx.metric("cost_high", high, "times");
    let growth = long.dumped_bytes as f64 / short.dumped_bytes.max(1) as f64;
    ctx.metric("dump_growth", growth, "times");
    ctx.metric("dumped_a_round", short.dumped_bytes as f64 / f64::from(ROUNDS), "B");
    Ok(())
}

fn batch(rounds: u32, recorded: bool) -> anyhow::Result<Batch> {
    let (ping, pong) = (io::pipe()?, io::pipe()?);
    let (cpu, together) = (allowed_cpus()[0], Barrier::new(2));
    let together = &together;
    let halves = thread::run(
        vec![
            named("ping", move || half(rounds, recorded, cpu, together, (ping.0, pong.1), false)),
            named("pong", move || half(rounds, recorded, cpu, together, (pong.0, ping.1), true)),
        ],
        || (),
    )?;
    Ok(halves.iter().fold(Batch::default(), |sum, half| Batch {
        cpu: sum.cpu + half.cpu,
        dumped_bytes: sum.dumped_bytes + half.dumped_bytes,
    }))
}

/// One of the two. On one CPU, so that each round trip switches.
fn half(
    rounds: u32,
    recorded: bool,
    cpu: usize,
    together: &Barrier,
    (mut from, mut to): (PipeReader, PipeWriter),
    serves: bool,
) -> anyhow::Result<Batch> {
    pin_to(cpu);
    let mut recorder = if recorded { Some(recorder()?) } else { None };
    together.wait();
    if let Some(recorder) = &mut recorder {
        recorder.enable()?;
    }
    let begun = cpu_time();
    let mut byte = [0];
    for _ in 0..rounds {
        if serves {
            to.write_all(&byte)?;
        }
        from.read_exact(&mut byte)?;
        if !serves {
            to.write_all(&byte)?;
        }
    }
    let cpu = cpu_time() - begun;
    let mut dumped_bytes = 0;
    if let Some(recorder) = &mut recorder {
        recorder.disable()?;
        while let Some(record) = recorder.next_record() {
            dumped_bytes += HEADER_BYTES + record.len() as u64;
        }
    }
    Ok(Batch { cpu, dumped_bytes })
}

/// Of the calling thread's switches, not yet begun.
fn recorder() -> io::Result<perf_event::Sampler> {
    let mut builder = Builder::new(Software::DUMMY);
    builder.observe_self().exclude_kernel(true).context_switch(true);
    builder.sample(SampleFlag::TID | SampleFlag::TIME).sample_id_all(true);
    builder.build()?.sampled(BUFFER)
}
