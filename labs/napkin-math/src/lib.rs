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
    Knob::int("memory-kib", 128 << 10, "KiB", [16, 4 << 20], "size of the memory that is read"),
    Knob::choice("order", &["kept", "lost"], "whether sequential memory is read in its order"),
    Knob::choice(
        "reads",
        &["at-once", "one-by-one"],
        "random reads: independent, or each address from the last read",
    ),
    Knob::int("threads", 2, "", [1, 64], "threads that read memory"),
    Knob::choice("digest", &["sha-256", "fast"], "hash that is timed as the cryptographic one"),
    Knob::choice("numbers", &["random", "sorted"], "order of the numbers before they are sorted"),
    Knob::choice("format", &["json", "raw"], "format that records are serialised to"),
    Knob::choice("text", &["words", "random"], "text that is compressed"),
    Knob::choice(
        "call",
        &["system", "function"],
        "call that is timed: a system call, or a function",
    ),
    Knob::choice(
        "partner",
        &["thread", "none"],
        "partner of the thread that passes a byte to and fro",
    ),
    Knob::int("message", 32 << 10, "B", [64, 1 << 20], "bytes of a message that is echoed"),
    Knob::int("block", 8 << 10, "B", [4 << 10, 1 << 20], "bytes of one read or write of the disk"),
    Knob::int("file-mib", 64, "MiB", [32, 1_024], "length of the files that are read and written"),
    Knob::choice("readahead", &["on", "off"], "whether the kernel reads ahead"),
    Knob::choice("cold", &["yes", "no"], "whether the page cache is dropped before random reads"),
    Knob::choice("cache", &["used", "bypassed"], "whether writes use the page cache"),
    Knob::choice("sync", &["yes", "no"], "whether the synced write is synced"),
    Knob::float("km-per-ms", 200.0, "km/ms", [1.0, 300.0], "speed of light in fibre"),
    Knob::float("memory-price", 2.0, "$", [0.001, 1_000.0], "price of a GB of memory for a month"),
];

/// The largest share of the CPUs that other programs may use, including the kernel's threads that
/// write for the lab.
const MOST_TIME_OF_OTHERS: f64 = 0.3;

const VARIANTS: &[Variant] = &[
    rows("memory", "memory read in order, at random, and by a chain of pointers", |ctx| {
        quiet(ctx, memory::run)
    }),
    rows("threads", "memory read in order, by one thread and by several", |ctx| {
        quiet(ctx, memory::threads)
    }),
    rows("compute", "hashing, and sorting a million numbers", |ctx| quiet(ctx, compute::run)),
    rows("encode", "serialising records, and compressing text", |ctx| quiet(ctx, compute::encode))
        .profiled(),
    rows("kernel", "system calls and context switches", |ctx| quiet(ctx, kernel::run)),
    rows("network", "echoes over TCP", |ctx| quiet(ctx, kernel::echo)),
    rows("disk", "blocks that are read, written and synced", |ctx| quiet(ctx, disk::run)),
];

const fn rows(
    name: &'static str,
    why: &'static str,
    run: fn(&mut Ctx) -> anyhow::Result<()>,
) -> Variant {
    Variant::new(name, why, run).live([250, 3_000, 10_000])
}

fn quiet(ctx: &mut Ctx, run: fn(&mut Ctx) -> anyhow::Result<()>) -> anyhow::Result<()> {
    nearly_alone(ctx, MOST_TIME_OF_OTHERS, run)
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
