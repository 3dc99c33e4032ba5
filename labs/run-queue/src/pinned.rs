//! Two threads pinned to one CPU read nothing without end, while another CPU idles.

use std::fs::File;

use anyhow::Context as _;
use lab_kit::cpus::watch;
use lab_kit::thread::{self, named};
use lab_kit::{Clock, Ctx, Timeline};

use crate::spinner::{spin, take};
use crate::waits::ThreadWaits;

/// As many as the workshop's program has.
const READERS: usize = 2;

/// What a reader has read.
#[derive(Clone, Copy, Default)]
struct Read {
    calls: u64,
    bytes: u64,
}

/// Runs the readers, and files what each waited and what the other CPUs did.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some(cpus) = take(ctx) else { return Ok(()) };
    let (_, elsewhere) = cpus.split_at(1);
    if elsewhere.is_empty() {
        return Ok(());
    }
    let kept_on = if ctx.text("pin") == "one" { &cpus[..1] } else { &cpus[..] };
    let (timeline, trial) = (ctx.timeline(), Clock::live());
    let bytes = usize::from(ctx.text("reads") == "a-byte");
    let readers = (1..=READERS).map(|reader| {
        named(format!("reader-{reader}"), move || read(bytes, kept_on, timeline, trial))
    });
    let mut watched = None;
    let ended = thread::run(readers.collect(), || {
        watched = Some(watch(timeline, trial, [&cpus, elsewhere]));
    })?;
    let Some([all, there]) = watched.transpose()? else { return Ok(()) };
    ctx.metric("others", all.others, "ratio");
    ctx.metric("idle_elsewhere", there.idle, "ratio");
    file(ctx, &ended);
    let mut run_queue = ctx.series();
    ended.iter().for_each(|(account, _)| run_queue.merge(&account.series));
    ctx.save("run-queue", run_queue)
}

/// Reads this many bytes, again and again, by the bare system call, so that no frame of libc shows
/// which function does it.
fn read(
    bytes: usize,
    cpus: &[usize],
    timeline: Timeline,
    trial: Clock,
) -> anyhow::Result<(ThreadWaits, Read)> {
    let path = "/dev/zero";
    let file = File::open(path).context(path)?;
    let mut read = Read::default();
    let account = spin(cpus, timeline, trial, |_, _| {
        // What fails reads nothing, and is counted like what succeeds and reads nothing.
        let bytes = rustix::io::read(&file, &mut [0; 1][..bytes]).unwrap_or(0);
        read.calls += 1;
        read.bytes += bytes as u64;
    })?;
    Ok((account, read))
}

fn file(ctx: &mut Ctx, ended: &[(ThreadWaits, Read)]) {
    let shares = || ended.iter().map(|(account, _)| account.waiting_share());
    ctx.metric("least_waiting", shares().fold(1.0, f64::min), "ratio");
    ctx.metric("most_waiting", shares().fold(0.0, f64::max), "ratio");
    let sum = |of: fn(&Read) -> u64| ended.iter().map(|(_, read)| of(read)).sum::<u64>() as f64;
    ctx.metric("reads", sum(|read| read.calls), "count");
    ctx.metric("bytes", sum(|read| read.bytes), "bytes");
}
