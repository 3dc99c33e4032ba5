//! More threads than CPUs, each with CPU time to use up, for profile and runqlat.

use std::thread::{available_parallelism, scope};
use std::time::Duration;

use lab_kit::proc::{process_cpu_time, run_queue_of_living};
use lab_kit::thread::ThreadClock;
use lab_kit::{Ctx, spin};

/// Threads for each CPU.
const CROWD: usize = 2;

/// Spins, and adds up what the kernel says of each thread at its end.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let time = ctx.duration("spin");
    let threads = CROWD * available_parallelism().map_or(1, usize::from);
    let before = waited();
    let by_spinners = scope(|scope| -> anyhow::Result<Duration> {
        let spinner = || {
            spin::cpu(time);
            waited()
        };
        let spinners: Vec<_> = (0..threads).map(|_| scope.spawn(spinner)).collect();
        let waited = spinners.into_iter().map(|it| it.join().expect("a spinner does not panic"));
        waited.sum()
    });
    ctx.metric("cpu_time", process_cpu_time().as_secs_f64(), "s");
    match (before, by_spinners) {
        (Ok(before), Ok(by_spinners)) => {
            let all = by_spinners + run_queue_of_living()?.waited;
            ctx.metric("waited", all.as_nanos() as f64, "ns");
            // This includes an unknown part before the exec, where a probe begins.
            ctx.metric("waited_before", before.as_nanos() as f64, "ns");
        }
        (Err(error), _) | (_, Err(error)) => ctx.note(format!("{error:#}")),
    }
    Ok(())
}

/// How long the calling thread has waited for a CPU.
fn waited() -> anyhow::Result<Duration> {
    Ok(ThreadClock::here()?.run_queue().waited)
}
