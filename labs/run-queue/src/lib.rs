//! Who waits for a CPU, and how long?
//!
//! The lab's own threads compete for CPUs, and each notes every wait in a run queue as the kernel
//! counts it (`waits`), so that the lab needs no rights. `crowd` holds a sleeper among spinners,
//! `sweep` counts what each of n spinners waits, `pinned` keeps two on one CPU, and `quota`
//! throttles a thread although its CPU is free. A check is invalid where other programs took too
//! much of the CPUs.

mod charts;
mod claims;
mod crowd;
mod lessons;
mod modes;
mod pinned;
mod quota;
mod slice;
mod sources;
mod spinner;
mod story;
mod sweep;
mod waits;

use lab_kit::{Knob, Lab, Variant};

/// The lab.
pub const LAB: Lab = Lab {
    name: "run-queue",
    question: "Who waits for a CPU, and how long?",
    sources: &[
        &sources::LOAD_AVERAGES,
        &sources::LEARN_EBPF,
        &sources::WORKSHOP,
        &sources::BANDWIDTH_CONTROL,
    ],
    knobs: KNOBS,
    variants: VARIANTS,
    claims: claims::CLAIMS,
    charts: charts::ALL,
    story: story::STORY,
    lessons: lessons::LESSONS,
    verbs: &[],
};

const KNOBS: &[Knob] = &[
    Knob::int("cpus", 2, "", [1, 64], "CPUs that the spinners run on"),
    Knob::int("spinners", 8, "", [0, 256], "spinning threads, beside the sleeper"),
    Knob::choice("spinners-do", &["spin", "sleep"], "what the spinners do"),
    Knob::choice("pin", &["one", "all"], "CPUs of the workshop's two threads"),
    Knob::choice(
        "reads",
        &["nothing", "a-byte"],
        "what the workshop's two threads read in each call",
    ),
    Knob::duration("quota", "20ms", ["5ms", "100ms"], "CPU time that a thread gets in each 100 ms"),
];

/// The measured span of a sleeper among spinners: quick, default and full, in milliseconds.
const CROWD: [u64; 3] = [1_000, 3_000, 20_000];

const VARIANTS: &[Variant] = &[
    Variant::new("one-spinner", "a sleeper, and a CPU that nobody else uses", crowd::run)
        .with(&[("spinners", "1")])
        .live(CROWD)
        .probed(&["runqlat"]),
    Variant::new("two-spinners", "a sleeper, and a spinner on each CPU", crowd::run)
        .with(&[("spinners", "2")])
        .live(CROWD),
    Variant::new("eight-spinners", "a sleeper, and four spinners for each CPU", crowd::run)
        .with(&[("spinners", "8")])
        .live(CROWD)
        .probed(&["runqlat"]),
    Variant::new("more-spinners", "1, 2, 4 and 8 spinners, one after the other", sweep::run)
        .live([4_000, 8_000, 40_000])
        .probed(&["runqlat"]),
    Variant::new("pinned", "two threads kept on one CPU, and another that idles", pinned::run)
        .live([1_000, 2_000, 10_000]),
    Variant::new("quota", "a spinner that may have 20 ms of each 100 ms", quota::run)
        .live([1_600, 4_000, 20_000]),
];

#[cfg(test)]
mod tests;
