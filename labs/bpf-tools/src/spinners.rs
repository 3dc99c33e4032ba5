//! More threads than CPUs, each with CPU time to use up, for profile and runqlat.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread::{available_parallelism, scope};
use std::time::Duration;
use std::{fs, io};

use lab_kit::Ctx;
use rustix::time::{ClockId, clock_gettime};

/// Threads for each CPU.
const CROWD: usize = 2;

/// Spins, and adds up what the kernel says of it while all threads are still there.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let spin = ctx.duration("spin");
    let spinners = CROWD * available_parallelism().map_or(1, usize::from);
    let (all_spun, counted) = (&Barrier::new(spinners + 1), &Barrier::new(spinners + 1));
    let waited = scope(|scope| {
        for _ in 0..spinners {
            scope.spawn(move || {
                use_up(spin);
                all_spun.wait();
                counted.wait();
            });
        }
        all_spun.wait();
        let waited = waited_ns();
        counted.wait();
        waited
    });
    match waited {
        Ok(waited) => ctx.metric("waited", waited as f64, "ns"),
        Err(error) => ctx.note(format!("this kernel keeps no account of waiting: {error}")),
    }
    ctx.metric("cpu_time", time_of(ClockId::ProcessCPUTime).as_secs_f64(), "s");
    Ok(())
}

/// Takes so much of a CPU.
fn use_up(cpu_time: Duration) {
    while time_of(ClockId::ThreadCPUTime) < cpu_time {
        for round in 0..100_000 {
            black_box(round);
        }
    }
}

fn time_of(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

/// How long all threads of this process have waited for a CPU: the second field of each schedstat.
fn waited_ns() -> io::Result<u64> {
    let invalid = |text: &str| io::Error::new(io::ErrorKind::InvalidData, format!("`{text}`"));
    let of_thread = |entry: io::Result<fs::DirEntry>| {
        let text = fs::read_to_string(entry?.path().join("schedstat"))?;
        let waited = text.split_whitespace().nth(1).and_then(|field| field.parse::<u64>().ok());
        waited.ok_or_else(|| invalid(&text))
    };
    fs::read_dir("/proc/self/task")?.map(of_thread).sum()
}
