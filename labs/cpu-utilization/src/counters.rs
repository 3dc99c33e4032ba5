//! The processor's own counters, where there are any: what two loops need of each event.
//!
//! One event is counted at a time, so that the processor has a counter for each.

use std::hint::black_box;
use std::io;

use lab_kit::Ctx;
use perf_event::Builder;
use perf_event::events::Hardware;

use crate::busy::{loop_of, wanted};

/// The seven architectural events.
pub(crate) const EVENTS: [(&str, Hardware); 7] = [
    ("cycles", Hardware::CPU_CYCLES),
    ("reference_cycles", Hardware::REF_CPU_CYCLES),
    ("instructions", Hardware::INSTRUCTIONS),
    ("cache_references", Hardware::CACHE_REFERENCES),
    ("cache_misses", Hardware::CACHE_MISSES),
    ("branches", Hardware::BRANCH_INSTRUCTIONS),
    ("branch_misses", Hardware::BRANCH_MISSES),
];

const STEPS: u64 = 200_000;

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let refused: Vec<String> = EVENTS.iter().filter_map(|event| refusal(*event)).collect();
    if let Some(first) = refused.first().filter(|_| refused.len() == EVENTS.len()) {
        // All for one reason.
        let fix = "bare metal, or a virtual machine with a virtual PMU; if it is not permitted, sudo sysctl kernel.perf_event_paranoid=2";
        ctx.unavailable(format!("none of {} hardware events: {first}", EVENTS.len()), fix);
        return Ok(());
    }
    let Some(memory) = wanted(ctx)? else { return Ok(()) };
    let on = ctx.text("counters") == "on";
    let mut counted = 0;
    for (name, event) in EVENTS {
        let mut each = [0.0; 2];
        for (count, kind) in each.iter_mut().zip(["compute", "chase"]) {
            let work = || black_box(loop_of(kind)(&memory, 0, STEPS));
            let Ok(found) = count_of(event, on, work) else { continue };
            *count = found as f64 / STEPS as f64;
            ctx.metric(&format!("{kind}_{name}"), *count, "a step");
        }
        counted += u32::from(each.iter().any(|count| *count > 0.0));
    }
    ctx.metric("counted", f64::from(counted), "events");
    ctx.metric("refused", refused.len() as f64, "events");
    refused.into_iter().for_each(|reason| ctx.note(format!("Not counted: {reason}.")));
    Ok(())
}

fn refusal((name, event): (&str, Hardware)) -> Option<String> {
    let error = Builder::new(event).build().err()?;
    Some(format!("perf_event_open for {name}: {error}"))
}

/// How often the event occurred in this thread's own code, outside the kernel. If other programs
/// had the counter for a part of the time, the count is scaled up.
fn count_of<T>(event: Hardware, on: bool, work: impl FnOnce() -> T) -> io::Result<u64> {
    let mut counter = Builder::new(event).build()?;
    if on {
        counter.enable()?;
    }
    work();
    counter.disable()?;
    let read = counter.read_count_and_time()?;
    let (enabled, running) = (u128::from(read.time_enabled), u128::from(read.time_running));
    Ok((u128::from(read.count) * enabled / running.max(1)) as u64)
}
