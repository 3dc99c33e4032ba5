//! What does a flame graph show, and what does sampling hide?
//!
//! The drawing is checked on drawn graphs: `drawing` holds the claims, `rules` what must hold of
//! every graph. Sampling is checked on programs whose answer is
//! known: `towers`, `lock_step`, `frame_pointers` and `repeats`, each sampled from inside by
//! [`lab_kit::sample`].

mod claims;
mod drawing;
mod frame_pointers;
mod lessons;
mod lock_step;
mod repeats;
mod rules;
mod sources;
mod story;
mod towers;

use lab_kit::{Chart, Knob, Lab, Variant};

/// The lab.
pub const LAB: Lab = Lab {
    name: "flame-graphs",
    question: "What does a flame graph show, and what does sampling hide?",
    sources: &[&sources::FLAMEGRAPH_PL, &sources::GREGG_2016, &sources::PERF_LABS],
    knobs: &[
        Knob::int(
            "hz",
            997,
            "Hz",
            [1, 10_000],
            "samples a second, in variants that are not about the rate",
        ),
        Knob::float(
            "aside",
            0.0,
            "ratio",
            [0.0, 10.0],
            "work outside the hot stack, in times the work in it",
        ),
        Knob::int("times", 5, "", [1, 1_000], "work of func_e, in times that of func_c"),
        Knob::duration(
            "period",
            "10ms",
            ["1ms", "1s"],
            "period of the program whose work is timed by a clock",
        ),
        Knob::int(
            "depth",
            40,
            "frames",
            [1, 200],
            "depth of the stack that is unwound with and without frame pointers",
        ),
        Knob::choice("omit", &["yes", "no"], "whether no-frame-pointers omits frame pointers"),
        Knob::choice(
            "drawing",
            drawing::WAYS,
            "the correct flame graph, or one that is wrong in one way",
        ),
        Knob::choice("search", &["once", "twice"], "how often a search counts nested matches"),
        Knob::int(
            "stay",
            10_000,
            "steps",
            [100, 1_000_000_000],
            "work before the next function is chosen",
        ),
    ],
    variants: &[
        Variant::new("hot-stack", "all work at the top of one deep stack", towers::hot_stack)
            .live([1_000, 3_000, 30_000])
            .profiled(),
        Variant::new("one-to-five", "two functions share the work 1 : 5", towers::one_to_five)
            .live([2_000, 3_000, 30_000])
            .profiled(),
        Variant::new(
            "at-99-hz",
            "periodic work of 10 ms, sampled out of step with it",
            lock_step::at_99_hz,
        )
        .live([1_500, 4_000, 30_000]),
        Variant::new("at-100-hz", "the same work, sampled in step with it", lock_step::at_100_hz)
            .live([1_500, 4_000, 30_000]),
        Variant::new(
            "frame-pointers",
            "a deep stack, built with frame pointers",
            frame_pointers::kept,
        )
        .live([500, 1_500, 5_000]),
        Variant::new(
            "no-frame-pointers",
            "the same stack, built without frame pointers",
            frame_pointers::omitted,
        )
        .live([500, 1_500, 5_000])
        .profiled(),
        Variant::new("thirty-profiles", "the same program, profiled 30 times", repeats::run)
            .live([2_500, 6_000, 30_000]),
    ],
    claims: claims::CLAIMS,
    charts: &[SEEN_BY_RATE, SCATTER],
    story: story::STORY,
    lessons: lessons::LESSONS,
    verbs: &[],
};

const SEEN_BY_RATE: Chart = Chart::Lines {
    title: "Half of the time, as 99 Hz and 100 Hz see it",
    curves: &[lock_step::SEEN_SO_FAR],
};
const SCATTER: Chart = Chart::Lines {
    title: "One sixth of the time, as thirty profiles see it",
    curves: &[repeats::SHARE_BY_PROFILE],
};
