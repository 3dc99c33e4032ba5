//! What is claimed, and the checks of what was sampled; those of the drawing are in
//! [`crate::drawing`].
//!
//! A share from n samples has the standard error √(s(1−s)/n), and is required within three of them
//! or 3 points, whichever is wider: a virtual machine adds to the error.

use lab_kit::stats::binomial_error;
use lab_kit::{Check, Claim, Evidence, Figure, Judged, ShownBy, Source, closed_form, live};

use crate::drawing;
use crate::lock_step;
use crate::repeats::{SHARE, dispersion_bounds, exact_error};
use crate::sources::{FLAMEGRAPH_PL, GREGG_2016, PERF_LABS};
use crate::{SCATTER, SEEN_BY_RATE};

/// What a virtual machine adds to a share.
const MACHINE: f64 = 0.03;

pub const CLAIMS: &[Claim] = &[
    claim(
        "FG-1",
        "From left to right is the alphabet, not time: the order of samples leaves no trace.",
        &FLAMEGRAPH_PL,
        &[closed_form(drawing::fg_1)],
    ),
    claim(
        "FG-2",
        "A frame is as wide as its share of the samples, of 1,180 pixels.",
        &FLAMEGRAPH_PL,
        &[closed_form(drawing::fg_2)],
    ),
    claim(
        "FG-3",
        "A frame is its own samples and its callees; the root is all of them.",
        &GREGG_2016,
        &[closed_form(drawing::fg_3)],
    ),
    claim(
        "FG-4",
        "Samples merge where all callers are the same; a function of two callers is two boxes.",
        &GREGG_2016,
        &[closed_form(drawing::fg_4)],
    ),
    claim(
        "FG-5",
        "Frames narrower than a tenth of a pixel are left out.",
        &FLAMEGRAPH_PL,
        &[closed_form(drawing::fg_5)],
    ),
    claim(
        "FG-6",
        "The top edge ran, what is below called it, and recursion is a tower.",
        &GREGG_2016,
        &[closed_form(drawing::fg_6)],
    ),
    claim(
        "FG-7",
        "Hues say nothing of themselves: hot for CPU, blue for waiting, green for memory.",
        &FLAMEGRAPH_PL,
        &[closed_form(drawing::fg_7)],
    ),
    claim(
        "FG-8",
        "A row has 16 pixels and type of 12; under 100 samples the picture warns.",
        &FLAMEGRAPH_PL,
        &[closed_form(drawing::fg_8)],
    ),
    claim(
        "FG-9",
        "A search adds up what matches without counting nested matches twice.",
        &FLAMEGRAPH_PL,
        &[closed_form(drawing::fg_9)],
    ),
    claim(
        "FG-10",
        "A flame chart keeps time; an icicle hangs; reversed, a graph begins with what ran.",
        &FLAMEGRAPH_PL,
        &[closed_form(drawing::fg_10)],
    ),
    claim(
        "FG-11",
        "One line a stack, so that grep is a filter.",
        &FLAMEGRAPH_PL,
        &[closed_form(drawing::fg_11)],
    ),
    Claim {
        shown_by: &[ShownBy::FlameGraph("one-to-five")],
        ..claim(
            "FG-12",
            "Of two functions that work 1 : 5 under one caller, samples show 16.7 % and 83.3 %.",
            &PERF_LABS,
            &[live(fg_12)],
        )
    },
    Claim {
        shown_by: &[ShownBy::FlameGraph("hot-stack")],
        ..claim("FG-13", "A program with one hot path is one tower.", &PERF_LABS, &[live(fg_13)])
    },
    Claim {
        shown_by: &[ShownBy::Picture(&SEEN_BY_RATE, &["at-99-hz", "at-100-hz"])],
        ..claim(
            "FG-14",
            "Sampled at 100 Hz, a program that lives by a 10 ms clock is seen wrongly; at 99 Hz not.",
            &FLAMEGRAPH_PL,
            &[closed_form(fg_14_formula), live(fg_14)],
        )
    },
    Claim {
        shown_by: &[ShownBy::FlameGraph("no-frame-pointers")],
        ..claim(
            "FG-15",
            "Without frame pointers a walk by frame pointer loses callers.",
            &GREGG_2016,
            &[live(fg_15)],
        )
    },
    Claim {
        shown_by: &[ShownBy::Picture(&SCATTER, &["thirty-profiles"])],
        ..claim(
            "FG-16",
            "A share s of n samples is known to √(s(1−s)/n), as of any draw.",
            &GREGG_2016,
            &[closed_form(fg_16_formula), live(fg_16)],
        )
    },
];

const fn claim(
    id: &'static str,
    says: &'static str,
    source: &'static Source,
    checks: &'static [Check],
) -> Claim {
    Claim { id, says, source, checks, shown_by: &[] }
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

fn fg_14_formula(_: &Evidence) -> Judged {
    let error = |hz| Figure::exact((lock_step::estimate(hz) - 0.5).abs(), "ratio");
    error(100).near(0.5, 1e-9)?.because("error at 100 Hz")?.and(error(99).at_most(0.01))
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

fn fg_16_formula(_: &Evidence) -> Judged {
    // 30 seconds of one thread at 99 Hz; and a profile small enough to add up by hand.
    let worst = [(0.5, 2_970_u64), (1.0 / 6.0, 2_970), (0.01, 990)]
        .map(|(share, n)| {
            // Summed in parts: 2,970 draws at once leave the range of a double.
            let part = n / 30;
            (exact_error(share, part) / 30_f64.sqrt() / binomial_error(share, n) - 1.0).abs()
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
