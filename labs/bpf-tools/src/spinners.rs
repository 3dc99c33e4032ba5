//! More threads than CPUs, each with CPU time to use up, for profile and runqlat.

use std::hint::black_box;
use std::thread::{available_parallelism, scope};
use std::time::Duration;
use std::{fs, io};

use lab_kit::Ctx;
use lab_kit::thread::{ThreadClock, cpu_time};
use rustix::time::{ClockId, clock_gettime};

/// Threads for each CPU.
const CROWD: usize = 2;

/// Spins, and adds up what the kernel says of each thread at its end.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let spin = ctx.duration("spin");
    let threads = CROWD * available_parallelism().map_or(1, usize::from);
    let before = waited();
    let by_spinners = scope(|scope| -> anyhow::Result<Duration> {
        let spinner = || {
            use_up(spin);
            waited()
        };
        let spinners: Vec<_> = (0..threads).map(|_| scope.spawn(spinner)).collect();
        let waited = spinners.into_iter().map(|it| it.join().expect("a spinner does not panic"));
        waited.sum()
    });
    let cpu_time = clock_gettime(ClockId::ProcessCPUTime);
    ctx.metric("cpu_time", Duration::try_from(cpu_time)?.as_secs_f64(), "s");
    match (before, by_spinners) {
        (Ok(before), Ok(by_spinners)) => {
            let all = by_spinners + waited_by_living()?;
            ctx.metric("waited", all.as_nanos() as f64, "ns");
            // Of this, nobody knows what was before the exec, where a probe begins.
            ctx.metric("waited_before", before.as_nanos() as f64, "ns");
        }
        (Err(error), _) | (_, Err(error)) => ctx.note(format!("{error:#}")),
    }
    Ok(())
}

/// How long the calling thread has waited for a CPU.
fn waited() -> anyhow::Result<Duration> {
    Ok(ThreadClock::here()?.run_queue().0)
}

/// Takes so much of a CPU.
fn use_up(time: Duration) {
    while cpu_time() < time {
        for round in 0..100_000 {
            black_box(round);
        }
    }
}

/// How long the threads that are still there have waited for a CPU: the second field of schedstat.
fn waited_by_living() -> io::Result<Duration> {
    let of_thread = |entry: io::Result<fs::DirEntry>| {
        let text = fs::read_to_string(entry?.path().join("schedstat"))?;
        let waited = text.split_whitespace().nth(1).and_then(|field| field.parse().ok());
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, format!("`{text}`"));
        waited.map(Duration::from_nanos).ok_or_else(invalid)
    };
    fs::read_dir("/proc/self/task")?.map(of_thread).sum()
}
