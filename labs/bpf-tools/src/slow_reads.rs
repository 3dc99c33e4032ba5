//! Reads of a file that take long and that no disk is asked for, for ext4slower.
//!
//! The file is one large hole. Its pages are made by the kernel while the call lasts: an
//! application feels it, a tool that watches the disk does not. All of a call's time is CPU time,
//! so that on a quiet machine the clocks of the caller and of the tool agree.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use anyhow::ensure;
use lab_kit::Ctx;
use lab_kit::proc::Io;
use lab_kit::scratch::{self, forget};
use lab_kit::thread::cpu_time;

/// From this time on ext4slower counts a call as slow by default.
pub(crate) const THRESHOLD: Duration = Duration::from_millis(10);

/// What a call took, by the wall clock and of the CPU.
#[derive(Clone, Copy)]
struct Took {
    wall: Duration,
    cpu: Duration,
}

/// The caller reads its clock a little earlier and later than the tool. So the two may disagree on
/// whether a call is slow that takes up to this much more than the threshold.
const DOUBT: Duration = Duration::from_micros(500);

/// Sizes that are tried until calls are slow enough.
const SMALLEST: usize = 64 << 10;
const LARGEST: usize = 512 << 20;

/// Reads of a size that all have to be slow.
const TRIES: usize = 3;

/// Reads of one byte beside the slow ones.
const FAST_CALLS: usize = 200;

/// Times every read. The large ones are as large as it takes to be slow.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (slow, calls, on_disk) =
        (ctx.duration("slow"), ctx.int("slow-calls"), ctx.text("from") == "disk");
    // It stays one hole, unless its bytes are to come from the disk.
    let bytes = if on_disk { LARGEST as u64 } else { 0 };
    let Some(file) = scratch::file(ctx, bytes)? else { return Ok(()) };
    if !scratch::is_on_ext4(&file)? {
        let fix = "--out DIR, on ext4";
        ctx.unavailable("the run directory does not lie on ext4, which ext4slower traces", fix);
        return Ok(());
    }
    file.set_len(LARGEST as u64)?;
    let (mut took, mut buffer) = (Vec::new(), vec![1; SMALLEST]);
    loop {
        let tries =
            (0..TRIES).map(|_| cold_read(&file, &mut buffer)).collect::<Result<Vec<_>, _>>()?;
        took.extend(&tries);
        // By CPU time, which others on this machine do not make longer.
        if tries.iter().all(|took| took.cpu >= slow) {
            break;
        }
        ensure!(buffer.len() < LARGEST, "reads of {LARGEST} B are faster than {slow:?}");
        buffer.resize(2 * buffer.len(), 1);
    }
    let size = buffer.len();
    if on_disk {
        scratch::fill(&scratch::past_the_cache(&file)?, size)?;
    }
    let (account, ()) = Io::of(|| {
        for _ in 0..calls {
            took.push(cold_read(&file, &mut buffer)?);
        }
        Ok::<_, anyhow::Error>(())
    })?;
    for at in 0..FAST_CALLS {
        took.push(read(&file, at as u64, &mut buffer[..1])?);
    }
    let slow_calls: Vec<Took> = took.iter().copied().filter(|it| it.wall >= THRESHOLD).collect();
    // What waited for a CPU may have done so on its way out, when the tool's clock had stopped.
    let doubtful = slow_calls.iter().filter(|it| it.cpu < THRESHOLD + DOUBT).count();
    let (timeline, mut series) = (ctx.timeline(), ctx.series());
    took.iter().for_each(|took| series.record(timeline.warmup, took.wall));
    ctx.save("read", series)?;
    let sum = |of: fn(&Took) -> Duration| slow_calls.iter().map(of).sum::<Duration>();
    ctx.metric("wanted", calls as f64, "count");
    ctx.metric("slow_calls", slow_calls.len() as f64, "count");
    ctx.metric("doubtful", doubtful as f64, "count");
    ctx.metric("slow_time", sum(|took| took.wall).as_nanos() as f64, "ns");
    ctx.metric("slow_cpu_time", sum(|took| took.cpu).as_nanos() as f64, "ns");
    let read_bytes = calls * size as u64;
    ctx.proportion("from_the_disk", account.fetched_bytes.min(read_bytes), read_bytes);
    Ok(())
}

/// Reads pages that are not in the cache.
fn cold_read(file: &File, buffer: &mut [u8]) -> anyhow::Result<Took> {
    forget(file)?;
    read(file, 0, buffer)
}

fn read(file: &File, at: u64, buffer: &mut [u8]) -> anyhow::Result<Took> {
    let (cpu, begun) = (cpu_time(), Instant::now());
    let read = file.read_at(buffer, at)?;
    let wall = begun.elapsed();
    let took = Took { wall, cpu: cpu_time() - cpu };
    ensure!(read == buffer.len(), "a read of {} B was cut to {read} B", buffer.len());
    Ok(took)
}
