//! The claims, and the checks of what was sampled; those of the drawing are in
//! [`crate::drawing`].
//!
//! A share from n samples has the standard error √(s(1−s)/n), and is required within three of them
//! or 3 points, whichever is wider: a virtual machine adds to the error.

use lab_flame::draw::Options;
use lab_flame::folded::Folded;
use lab_kit::stats::binomial_error;
use lab_kit::{Claim, Evidence, Figure, Judged, ShownBy, closed_form, live};

use crate::drawing::{self, svg};
use crate::lock_step;
use crate::repeats::{SHARE, dispersion_bounds, exact_error, samples_alike};
use crate::sources::{FLAMEGRAPH_PL, GREGG_2016, PERF_LABS};
use crate::{SCATTER, SEEN_BY_RATE};

/// What a virtual machine adds to a share.
const MACHINE: f64 = 0.03;

pub(crate) const CLAIMS: &[Claim] = &[
    Claim {
        id: "FG-1",
        says: "From left to right is the alphabet, not time: the order of samples leaves no trace.",
        source: &FLAMEGRAPH_PL,
        checks: &[closed_form(|e| drawing::fg_1(&drawn(e))).without(&[("drawing", "time-order")])],
        shown_by: &[],
    },
    Claim {
        id: "FG-2",
        says: "A frame is as wide as its share of the samples, of 1,180 pixels.",
        source: &FLAMEGRAPH_PL,
        checks: &[closed_form(|e| drawing::fg_2(&drawn(e))).without(&[("drawing", "stretched")])],
        shown_by: &[],
    },
    Claim {
        id: "FG-3",
        says: "A frame is its own samples and its callees; the root is all of them.",
        source: &GREGG_2016,
        checks: &[closed_form(|e| drawing::fg_3(&drawn(e))).without(&[("drawing", "pruned")])],
        shown_by: &[],
    },
    Claim {
        id: "FG-4",
        says: "Samples merge where all callers are the same; a function of two callers is two \
               boxes.",
        source: &GREGG_2016,
        checks: &[closed_form(|e| drawing::fg_4(&drawn(e))).without(&[("drawing", "time-order")])],
        shown_by: &[],
    },
    Claim {
        id: "FG-5",
        says: "Frames narrower than a tenth of a pixel are left out.",
        source: &FLAMEGRAPH_PL,
        checks: &[closed_form(|e| drawing::fg_5(&drawn(e))).without(&[("drawing", "pruned")])],
        shown_by: &[],
    },
    Claim {
        id: "FG-6",
        says: "The top edge ran, what is below called it, and recursion is a tower.",
        source: &GREGG_2016,
        checks: &[closed_form(|e| drawing::fg_6(&drawn(e))).without(&[("drawing", "collapsed")])],
        shown_by: &[],
    },
    Claim {
        id: "FG-7",
        says: "Hues say nothing of themselves: hot for CPU, blue for waiting, green for memory.",
        source: &FLAMEGRAPH_PL,
        checks: &[closed_form(|e| drawing::fg_7(&drawn(e))).without(&[("drawing", "one-palette")])],
        shown_by: &[],
    },
    Claim {
        id: "FG-8",
        says: "A row has 16 pixels and type of 12; under 100 samples the graph warns.",
        source: &FLAMEGRAPH_PL,
        checks: &[closed_form(|e| drawing::fg_8(&drawn(e))).without(&[("drawing", "stretched")])],
        shown_by: &[],
    },
    Claim {
        id: "FG-9",
        says: "A search adds up what matches without counting nested matches twice.",
        source: &FLAMEGRAPH_PL,
        checks: &[closed_form(|e| drawing::fg_9(&svg, search(e))).without(&[("search", "twice")])],
        shown_by: &[],
    },
    Claim {
        id: "FG-10",
        says: "A flame chart keeps time; an icicle hangs; reversed, a graph begins with what ran.",
        source: &FLAMEGRAPH_PL,
        checks: &[closed_form(|e| drawing::fg_10(&drawn(e))).without(&[("drawing", "hanging")])],
        shown_by: &[],
    },
    Claim {
        id: "FG-11",
        says: "One line a stack, so that grep is a filter.",
        source: &FLAMEGRAPH_PL,
        checks: &[closed_form(|e| drawing::fg_11(&drawn(e))).without(&[("drawing", "unsplit")])],
        shown_by: &[],
    },
    Claim {
        id: "FG-12",
        says: "Of two functions that work 1 : 5 under one caller, samples show 16.7 % and 83.3 %.",
        source: &PERF_LABS,
        checks: &[live(&["one-to-five"], fg_12).without(&[("times", "1")])],
        shown_by: &[ShownBy::FlameGraph("one-to-five")],
    },
    Claim {
        id: "FG-13",
        says: "A program with one hot path is one tower.",
        source: &PERF_LABS,
        checks: &[live(&["hot-stack"], fg_13).without(&[("aside", "0.2")])],
        shown_by: &[ShownBy::FlameGraph("hot-stack")],
    },
    Claim {
        id: "FG-14",
        says: "Sampled at 100 Hz, a program that lives by a 10 ms clock is seen wrongly; at 99 Hz \
               not.",
        source: &FLAMEGRAPH_PL,
        checks: &[
            closed_form(fg_14_formula).without(OUT_OF_STEP),
            live(&["at-99-hz", "at-100-hz"], fg_14).without(OUT_OF_STEP),
        ],
        shown_by: &[ShownBy::Chart(&SEEN_BY_RATE, &["at-99-hz", "at-100-hz"])],
    },
    Claim {
        id: "FG-15",
        says: "Without frame pointers a walk by frame pointer loses callers.",
        source: &GREGG_2016,
        checks: &[live(&["frame-pointers", "no-frame-pointers"], fg_15).without(&[("omit", "no")])],
        shown_by: &[ShownBy::FlameGraph("no-frame-pointers")],
    },
    Claim {
        id: "FG-16",
        says: "A share s of n samples is known to √(s(1−s)/n), as of any draw.",
        source: &GREGG_2016,
        checks: &[
            closed_form(fg_16_formula).without(STAYS),
            live(&["thirty-profiles"], fg_16).without(STAYS),
        ],
        shown_by: &[ShownBy::Chart(&SCATTER, &["thirty-profiles"])],
    },
];

/// A program that lives by another clock than the sampler.
const OUT_OF_STEP: &[(&str, &str)] = &[("period", "7300us")];
/// A program that does one thing for many samples: they are no draws of their own.
const STAYS: &[(&str, &str)] = &[("stay", "20000000")];

fn drawn(e: &Evidence) -> impl Fn(&str, &Options) -> anyhow::Result<String> + use<> {
    let drawing = e.settings().text("drawing").to_owned();
    move |folded, options| drawing::by(&drawing, folded, options)
}

fn search(e: &Evidence) -> drawing::Search {
    if e.settings().text("search") == "twice" { drawing::every_frame } else { Folded::matching }
}

fn fg_12(e: &Evidence) -> Judged {
    let (c, n) = e.proportion("one-to-five", "func_c_ratio")?;
    let tolerance = MACHINE.max(3.0 * binomial_error(1.0 / 6.0, n));
    c.near(1.0 / 6.0, tolerance)?
        .because("func_c")?
        .and(e.metric("one-to-five", "func_e_ratio")?.near(5.0 / 6.0, tolerance)?.because("func_e"))
}

fn fg_13(e: &Evidence) -> Judged {
    e.metric("hot-stack", "one_tower_ratio")?.at_least(0.98)?.because("samples in one tower")
}

fn fg_14_formula(e: &Evidence) -> Judged {
    let period = e.settings().duration("period");
    let error = |hz| Figure::exact((lock_step::estimate(hz, period) - 0.5).abs(), "ratio");
    error(100)
        .near(0.5, 1e-9)?
        .because("error at 100 Hz")?
        .and(error(99).at_most(0.01)?.because("at 99 Hz"))
}

fn fg_14(e: &Evidence) -> Judged {
    let error = |variant| {
        let seen = e.metric(variant, "first_half_ratio")?.value;
        Ok(Figure::exact((seen - 0.5).abs(), "ratio"))
    };
    error("at-100-hz")?
        .at_least(0.4)?
        .because("error at 100 Hz")?
        .and(error("at-99-hz")?.at_most(0.05)?.because("at 99 Hz"))
}

fn fg_15(e: &Evidence) -> Judged {
    let kept = e.metric("frame-pointers", "mean_depth")?;
    let omitted = e.metric("no-frame-pointers", "mean_depth")?;
    omitted
        .over(&kept)
        .at_most(0.5)?
        .because("mean depth without, of that with")?
        .and(
            e.metric("frame-pointers", "whole_ratio")?.at_least(0.95)?.because("whole stacks with"),
        )?
        .and(e.metric("no-frame-pointers", "whole_ratio")?.at_most(0.05)?.because("without"))
}

fn fg_16_formula(e: &Evidence) -> Judged {
    let alike = samples_alike(e.settings().int("stay"));
    // 30 seconds of one thread at 99 Hz; and a profile small enough to add up by hand.
    let worst = [(0.5, 2_970_u64), (1.0 / 6.0, 2_970), (0.01, 990)]
        .map(|(share, n)| {
            // Summed in parts: 2,970 draws at once leave the range of a double.
            let part = n / 30;
            let error = exact_error(share, part) * alike.sqrt() / 30_f64.sqrt();
            (error / binomial_error(share, n) - 1.0).abs()
        })
        .into_iter()
        .fold(0.0, f64::max);
    Figure::exact(worst, "ratio").at_most(1e-9)?.because("formula against all outcomes, worst of 3")
}

fn fg_16(e: &Evidence) -> Judged {
    let (low, high) = dispersion_bounds();
    let (share, n) = e.proportion("thirty-profiles", "rare_ratio")?;
    e.metric("thirty-profiles", "dispersion")?
        .between(low, high, Some(1.0))?
        .because("scatter of 30 profiles over that of draws")?
        .and(share.near(SHARE, MACHINE.max(3.0 * binomial_error(SHARE, n)))?.because("rare share"))
}
