//! A thread that spins without end, and notes each wait for a CPU.

use std::thread::sleep;
use std::time::Duration;

use lab_kit::thread::keep_on;
use lab_kit::{Clock, Ctx, Timeline, cpus};

use crate::waits::{ThreadWaits, WaitRecorder};

/// Two readings of the clock lie some 50 ns apart while the thread runs. Further apart, something
/// came between: an interrupt, or a stay in a run queue, which the kernel reports.
const JUMP: Duration = Duration::from_micros(2);
/// How long it sleeps at a time where it is not to spin.
const NAP: Duration = Duration::from_millis(10);

/// The number of CPUs that the knob says. `None` where there are fewer: then the trial is
/// unavailable.
pub(crate) fn take(ctx: &mut Ctx) -> Option<Vec<usize>> {
    let wanted = ctx.int("cpus") as usize;
    ctx.metric("cpus", wanted as f64, "");
    cpus::take(ctx, wanted, "cpus")
}

/// What spinners do, as the knob says. Sleeping ones need no CPU, which takes the cause of all
/// waiting away.
pub(crate) fn what_they_do(ctx: &Ctx) -> fn() {
    if ctx.text("spinners-do") == "sleep" { || sleep(NAP) } else { std::hint::spin_loop }
}

/// Keeps the calling thread on `cpus`, and runs `work` until the timeline's end. `work` gets the
/// current time and that of its last call.
///
/// # Errors
/// This kernel keeps no run-queue waits.
pub(crate) fn spin(
    cpus: &[usize],
    timeline: Timeline,
    trial: Clock,
    mut work: impl FnMut(Duration, Duration),
) -> anyhow::Result<ThreadWaits> {
    keep_on(cpus);
    let mut waits = WaitRecorder::begin(timeline, trial)?;
    let mut last = trial.now();
    while last < timeline.span() {
        let now = trial.now();
        if now - last > JUMP {
            waits.note();
        }
        work(now, last);
        last = now;
    }
    Ok(waits.end())
}
