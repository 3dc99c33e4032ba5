//! More threads than CPUs, each with CPU time to use up, for profile and runqlat.

use std::hint::black_box;
use std::thread::{available_parallelism, scope};
use std::time::Duration;
use std::{fs, io};

use lab_kit::Ctx;
use rustix::time::ClockId;

use crate::clock::{HERE, cpu_time, waited};

/// Threads for each CPU.
const CROWD: usize = 2;

/// Spins, and adds up what the kernel says of each thread at its end.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (spin, before) = (ctx.duration("spin"), waited(HERE));
    let threads = CROWD * available_parallelism().map_or(1, usize::from);
    let all = scope(|scope| -> io::Result<Duration> {
        let spinner = || {
            use_up(spin);
            waited(HERE)
        };
        let spinners: Vec<_> = (0..threads).map(|_| scope.spawn(spinner)).collect();
        let waited = spinners.into_iter().map(|it| it.join().expect("a spinner does not panic"));
        waited.sum()
    });
    match (before, all, others_waited()) {
        (Ok(before), Ok(spinners), Ok(others)) => {
            ctx.metric("waited", (spinners + others).as_nanos() as f64, "ns");
            // Of this, nobody knows what was before the exec, where a probe begins.
            ctx.metric("waited_before", before.as_nanos() as f64, "ns");
        }
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
            ctx.note(format!("this kernel keeps no account of waiting: {error}"));
        }
    }
    ctx.metric("cpu_time", cpu_time(ClockId::ProcessCPUTime).as_secs_f64(), "s");
    Ok(())
}

/// Takes so much of a CPU.
fn use_up(time: Duration) {
    while cpu_time(ClockId::ThreadCPUTime) < time {
        for round in 0..100_000 {
            black_box(round);
        }
    }
}

/// How long the threads that are still there have waited for a CPU.
fn others_waited() -> io::Result<Duration> {
    let of_thread = |entry: io::Result<fs::DirEntry>| waited(entry?.path());
    fs::read_dir("/proc/self/task")?.map(of_thread).sum()
}
