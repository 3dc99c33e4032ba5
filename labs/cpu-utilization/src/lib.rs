//! Is a busy CPU working?
//!
//! Two `loops` keep a CPU equally busy, and one of them gets nothing done but waiting (`busy`).
//! Where the processor has `counters`, they tell the two apart; elsewhere the time of a step stands
//! in, as a proxy. `averages` hide bursts and spinning, `two_threads` share a core or do not, and
//! `sampling` tells what it costs to look.

mod averages;
mod busy;
mod claims;
mod counters;
mod lessons;
pub mod loops;
mod sampling;
mod two_threads;

use lab_kit::cpus::quietly;
use lab_kit::{Bar, Chart, Knob, Lab, Variant};

/// The lab.
pub const LAB: Lab = Lab {
    name: "cpu-utilization",
    question: "Is a busy CPU working?",
    sources: &[&claims::WRONG, &claims::PMCS],
    knobs: KNOBS,
    variants: VARIANTS,
    claims: claims::CLAIMS,
    charts: &[STAIRCASE, STEPS, SECONDS, TWO, COSTS],
    story: claims::STORY,
    lessons: lessons::LESSONS,
    verbs: &[],
};

const KNOBS: &[Knob] = &[
    Knob::choice("loop", &loops::NAMES, "what keeps the CPU busy"),
    Knob::int(
        "set-kib",
        256 << 10,
        "KiB",
        [4, 16 << 20],
        "memory that a memory-bound loop goes through",
    ),
    Knob::choice("between", &["nothing", "sleep"], "what a thread does between turns of its loop"),
    Knob::duration("burst", "100ms", ["1ms", "1s"], "CPU time of the work in each second"),
    Knob::choice("bursts", &["one", "ten"], "whether it comes at once or in ten parts"),
    Knob::choice(
        "lock",
        &["spin", "mutex", "free"],
        "how a thread waits for a lock whose holder sleeps, or whether it is free",
    ),
    Knob::choice("second", &["own-cpu", "same-cpu"], "CPU of the second of two threads"),
    Knob::choice("counters", &["on", "off"], "whether the processor's counters are enabled"),
    Knob::int("rate", 99, "Hz", [1, 9_999], "samples of PMC-4 in a CPU-second"),
    Knob::choice(
        "counting",
        &["counts", "samples"],
        "what the event does that PMC-4 calls counting",
    ),
    Knob::int("width", 4, "", [1, 16], "instructions that the source's core can do in a cycle"),
    Knob::int(
        "loop-cycles",
        6_245_387_593,
        "",
        [1, 1 << 50],
        "cycles that the source prints for a loop of no operations",
    ),
    Knob::int(
        "build-cycles",
        1_433_972_173_374,
        "",
        [1, 1 << 50],
        "cycles that the source prints for a build",
    ),
];

const VARIANTS: &[Variant] = &[
    Variant::new("compute", "a loop that only multiplies", |ctx| quietly(ctx, busy::run))
        .live([1_000, 2_000, 10_000])
        .profiled(),
    Variant::new("chase", "a loop that only follows pointers through memory", |ctx| {
        quietly(ctx, busy::run)
    })
    .with(&[("loop", "chase")])
    .live([1_000, 2_000, 10_000])
    .profiled(),
    Variant::new("sizes", "the same through 4 KiB of memory and more", |ctx| {
        quietly(ctx, busy::sizes)
    })
    .live([1_500, 4_000, 20_000]),
    Variant::new("calibration", "two loops that calibrate, and four to classify", |ctx| {
        quietly(ctx, busy::calibrate)
    })
    .live([1_000, 3_000, 10_000]),
    Variant::new("bursts", "a thread that works for a tenth of each second", |ctx| {
        quietly(ctx, averages::bursts)
    })
    .live([3_000, 8_000, 30_000]),
    Variant::new("spinner", "a thread that waits for a lock", |ctx| {
        quietly(ctx, averages::spinner)
    })
    .live([1_000, 2_000, 10_000]),
    Variant::new("two-threads", "one thread and two, in turns", |ctx| {
        quietly(ctx, two_threads::run)
    })
    .live([1_000, 4_000, 20_000]),
    Variant::new("counters", "the processor's own counters, where there are any", counters::run)
        .live([100; 3]),
    Variant::new("sampling", "a thread that is watched, and the same alone, in turns", |ctx| {
        quietly(ctx, sampling::run)
    })
    .live([3_000, 8_000, 30_000]),
];

const STAIRCASE: Chart = Chart::Lines {
    title: "The CPU time of a step, by the memory that it goes through",
    curves: &[busy::STEP],
};
const STEPS: Chart = Chart::Bars { title: "The CPU time of a step, by loop", bars: LOOP_BARS };
const SECONDS: Chart = Chart::Rows {
    title: "The busy share of each tenth of a second",
    grid: averages::UTILISATION,
    variant: "bursts",
};
const TWO: Chart = Chart::Bars { title: "Two threads, times one", bars: TWO_BARS };
const COSTS: Chart = Chart::Lines {
    title: "The share of its speed that a watched thread loses",
    curves: &[sampling::COST],
};

const LOOP_BARS: &[Bar] = &[
    bar("compute", "compute"),
    bar("hash", "hash"),
    bar("branches", "branches"),
    bar("the midpoint", "midpoint"),
    bar("list", "list"),
    bar("table", "table"),
    bar("chase", "chase"),
];
const TWO_BARS: &[Bar] = &[
    bar("CPU time", "busy_of_two"),
    bar("work", "work_of_two"),
    bar("work of a CPU-second", "work_per_cpu_second"),
];

const fn bar(name: &'static str, metric: &'static str) -> Bar {
    Bar { name, metric, source: None }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_check_can_fail() {
        lab_kit::check_lab(&super::LAB);
    }
}
