//! Which numbers of the napkin hold on this machine?
//!
//! Each row of the table is one timed operation: in `memory`, `compute`, `kernel` or `disk`.
//! `printed` is the table as published. `cargo bench -p napkin-math --bench loops` times the short
//! operations, those in `loops`, one by one.

mod claims;
mod compute;
mod disk;
mod kernel;
mod lessons;
pub mod loops;
mod memory;
mod printed;
mod rows;
mod story;

use lab_kit::cpus::nearly_alone;
use lab_kit::{Chart, Ctx, Knob, Lab, Variant};

/// The lab.
pub const LAB: Lab = Lab {
    name: "napkin-math",
    question: "Which numbers of the napkin hold on this machine?",
    sources: &[&claims::NAPKIN],
    knobs: KNOBS,
    variants: VARIANTS,
    claims: claims::CLAIMS,
    charts: &[TIMES, RATES],
    story: story::STORY,
    lessons: lessons::LESSONS,
    verbs: &[],
};

const KNOBS: &[Knob] = &[
    Knob::int("memory-kib", 128 << 10, "KiB", [16, 4 << 20], "memory that is read"),
    Knob::choice("order", &["kept", "lost"], "whether sequential memory is read in its order"),
    Knob::choice("reads", &["at-once", "one-by-one"], "how random memory is read"),
    Knob::int("threads", 2, "", [1, 64], "that read memory"),
    Knob::choice("digest", &["sha-256", "fast"], "what is taken for a safe hash"),
    Knob::choice("numbers", &["random", "sorted"], "what is sorted"),
    Knob::choice("format", &["json", "raw"], "what records are written as"),
    Knob::choice("text", &["words", "random"], "what is compressed"),
    Knob::choice("call", &["system", "function"], "what is called"),
    Knob::choice("partner", &["thread", "none"], "to whom a thread hands a byte"),
    Knob::int("message", 32 << 10, "B", [64, 1 << 20], "what is echoed"),
    Knob::int("block", 8 << 10, "B", [4 << 10, 1 << 20], "what a disk reads or writes at a time"),
    Knob::int("file-mib", 64, "MiB", [32, 1_024], "a file that is read, and one that is written"),
    Knob::choice("readahead", &["on", "off"], "whether the kernel reads what may come next"),
    Knob::choice("cold", &["yes", "no"], "whether a random read asks the disk"),
    Knob::choice("cache", &["used", "bypassed"], "the page cache, when writing"),
    Knob::choice("sync", &["yes", "no"], "whether a synced write waits for the disk"),
    Knob::float("km-per-ms", 200.0, "km/ms", [1.0, 300.0], "how fast light is in a fibre"),
    Knob::float("memory-price", 2.0, "$", [0.001, 1_000.0], "of a GB for a month"),
];

/// The largest share of the CPUs that other programs may use, including the kernel's threads that
/// write for the lab.
const MOST_OF_OTHERS: f64 = 0.3;

const VARIANTS: &[Variant] = &[
    rows("memory", "memory in order, at random, and one line after the other", |ctx| {
        quiet(ctx, memory::run)
    }),
    rows("threads", "memory in order, by one thread and by several", |ctx| {
        quiet(ctx, memory::threads)
    }),
    rows("compute", "hashes, and a million numbers in order", |ctx| quiet(ctx, compute::run)),
    rows("encode", "records written and read, text compressed", |ctx| quiet(ctx, compute::encode))
        .profiled(),
    rows("kernel", "system calls and context switches", |ctx| quiet(ctx, kernel::run)),
    rows("network", "echoes over TCP", |ctx| quiet(ctx, kernel::echo)),
    rows("disk", "blocks read, written and synced", |ctx| quiet(ctx, disk::run)),
];

const fn rows(
    name: &'static str,
    why: &'static str,
    run: fn(&mut Ctx) -> anyhow::Result<()>,
) -> Variant {
    Variant::new(name, why, run).live([250, 3_000, 10_000])
}

fn quiet(ctx: &mut Ctx, run: fn(&mut Ctx) -> anyhow::Result<()>) -> anyhow::Result<()> {
    nearly_alone(ctx, MOST_OF_OTHERS, run)
}

const TIMES: Chart = Chart::Bars { title: "The time of an operation", bars: printed::TIMES };
const RATES: Chart = Chart::Bars { title: "Throughput", bars: printed::RATES };

#[cfg(test)]
mod tests {
    #[test]
    fn every_check_can_fail() {
        lab_kit::check_lab(&super::LAB);
    }
}
