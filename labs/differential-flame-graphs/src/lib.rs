//! What changed between two profiles, and what only seems to have?
//!
//! `method` and `cpi` check the drawing, on what inferno's port of the published tools draws
//! (`port`) and on our own (`ours`). The rest is live: `trials` runs two builds of a `service` or a
//! `store` in turns, and `sides` samples and compares them.

mod claims;
mod cpi;
mod lessons;
mod method;
mod ours;
mod port;
mod service;
mod sides;
mod sources;
mod store;
mod story;
mod trials;

use lab_kit::{Chart, Knob, Lab, Variant};

/// The lab.
pub const LAB: Lab = Lab {
    name: "differential-flame-graphs",
    question: "What changed between two profiles, and what only seems to have?",
    sources: &[&sources::GREGG_2014, &sources::DIFFFOLDED, &sources::CPI_2014],
    knobs: &[
        Knob::float(
            "injection",
            0.05,
            "ratio",
            [0.0, 1.0],
            "extra work in one of 20 functions, as a share of all work",
        ),
        Knob::float(
            "load",
            0.5,
            "ratio",
            [0.1, 1.0],
            "load of the second side of half-load, in times the first",
        ),
        Knob::choice("compression", &["on", "off"], "whether the upgraded store compresses"),
        Knob::choice("tools", method::WAYS, "the differential as published, or wrong in one way"),
        Knob::int(
            "memory",
            32_768,
            "KiB",
            [4, 1_048_576],
            "memory that work-per-sample walks through",
        ),
    ],
    variants: &[
        Variant::new(
            "one-slower",
            "one build twice, and one with 1 of 20 functions slower",
            trials::slower,
        )
        .live([10_000, 14_000, 60_000]),
        Variant::new("half-load", "the same build at half the load", trials::half_load)
            .live([3_000, 6_000, 30_000]),
        Variant::new("compression", "a store before and after it compresses", trials::compression)
            .live([1_000, 3_000, 10_000])
            .profiled(),
        Variant::new(
            "work-per-sample",
            "arithmetic beside reads of memory",
            trials::work_per_sample,
        )
        .live([500, 1_000, 5_000]),
    ],
    claims: claims::CLAIMS,
    charts: &[GROWTH],
    story: story::STORY,
    lessons: lessons::LESSONS,
    verbs: &[],
};

const GROWTH: Chart = Chart::Lines {
    title: "What twenty functions grew by: the same build, and one slower",
    curves: &[trials::GROWTH_SAME_BUILD, trials::GROWTH_ONE_SLOWER],
};
