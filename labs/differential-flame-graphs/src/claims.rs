//! What is claimed, and the checks of what was sampled; those of the method are in
//! [`crate::method`] and [`crate::cpi`].

use lab_kit::{Check, Claim, Evidence, Gap, Judged, ShownBy, Source, closed_form, live};

use crate::sources::{CPI_2014, DIFFFOLDED, GREGG_2014};
use crate::{GROWTH, cpi, method};

/// What DFG-11 needs of each side.
const ENOUGH_SAMPLES: f64 = 20_000.0;

pub const CLAIMS: &[Claim] = &[
    claim(
        "DFG-1",
        "Widths are those of the second profile; red gained, blue lost, deeper is more.",
        &GREGG_2014,
        &[closed_form(method::dfg_1)],
    ),
    claim(
        "DFG-2",
        "The colour belongs to the function that changed itself; its callers stay white.",
        &GREGG_2014,
        &[closed_form(method::dfg_2)],
    ),
    claim(
        "DFG-3",
        "The shade is linear in the change, and deepest for the largest of any stack.",
        &DIFFFOLDED,
        &[closed_form(method::dfg_3)],
    ),
    claim(
        "DFG-4",
        "A line is a stack and two counts, 0 where a side lacks it.",
        &DIFFFOLDED,
        &[closed_form(method::dfg_4)],
    ),
    claim(
        "DFG-5",
        "Without normalisation a change of load paints everything one hue.",
        &DIFFFOLDED,
        &[closed_form(method::dfg_5), live(dfg_5)],
    ),
    claim(
        "DFG-6",
        "Addresses in names are stripped, else no two runs share a stack.",
        &DIFFFOLDED,
        &[closed_form(method::dfg_6)],
    ),
    claim(
        "DFG-7",
        "What vanished has no box: it is seen the other way round, or in a graph of its own.",
        &GREGG_2014,
        &[closed_form(method::dfg_7)],
    ),
    claim(
        "DFG-8",
        "Negating swaps the hues and nothing else.",
        &DIFFFOLDED,
        &[closed_form(method::dfg_8)],
    ),
    Claim {
        shown_by: &[ShownBy::Picture(&GROWTH, &["one-slower"])],
        ..claim(
            "DFG-9",
            "Two runs of one build are all but colourless.",
            &GREGG_2014,
            &[live(dfg_9)],
        )
    },
    Claim {
        shown_by: &[ShownBy::FlameGraph("compression")],
        ..claim(
            "DFG-10",
            "Compression that an upgrade switched on stands out as the top change.",
            &GREGG_2014,
            &[live(dfg_10)],
        )
    },
    Claim {
        shown_by: &[ShownBy::Picture(&GROWTH, &["one-slower"])],
        ..claim(
            "DFG-11",
            "A regression of 5 % in one of twenty functions is found where eyes fail.",
            &GREGG_2014,
            &[live(dfg_11)],
        )
    },
    claim(
        "DFG-12",
        "Before, after and what vanished can be read beside each other.",
        &GREGG_2014,
        &[closed_form(method::dfg_12)],
    ),
    claim(
        "CPI-1",
        "Of a CPI flame graph the widths are CPU time (columns written by hand).",
        &CPI_2014,
        &[closed_form(cpi::cpi_1)],
    ),
    claim(
        "CPI-2",
        "Blue is the highest CPI, red the lowest (columns written by hand).",
        &CPI_2014,
        &[closed_form(cpi::cpi_2), live(cpi_2_proxy)],
    ),
    claim(
        "CPI-3",
        "The fast extreme is a spin lock, the slow one page tables (columns written by hand).",
        &CPI_2014,
        &[closed_form(cpi::cpi_3)],
    ),
];

const fn claim(
    id: &'static str,
    says: &'static str,
    source: &'static Source,
    checks: &'static [Check],
) -> Claim {
    Claim { id, says, source, checks, shown_by: &[] }
}

fn dfg_5(e: &Evidence) -> Judged {
    e.metric("half-load", "blue_as_it_stands")?
        .at_least(0.95)?
        .because("samples in blue boxes as it stands")?
        .and(e.metric("half-load", "moved_normalised")?.at_most(0.05)?.because("moved, normalised"))
}

fn dfg_9(e: &Evidence) -> Judged {
    let slower = e.metric("one-slower", "colour_one_slower")?;
    let same = e.metric("one-slower", "colour_same_build")?;
    slower
        .clone()
        // Half of what the injection moves: else nothing is compared with nothing.
        .at_least(0.01)?
        .because("colour of a slower build")?
        .and(same.over(&slower).at_most(1.0 / 3.0)?.because("that of the same build over it"))
}

fn dfg_10(e: &Evidence) -> Judged {
    e.metric("compression", "rank_of_match")?
        .at_most(1.0)?
        .because("place of the compressor's inner loop by growth")?
        .and(e.metric("compression", "path_is_new")?.at_least(1.0)?.because("its path is new"))
}

fn dfg_11(e: &Evidence) -> Judged {
    let samples = e.metric("one-slower", "samples")?.value;
    if samples < ENOUGH_SAMPLES {
        return Err(Gap::Unavailable(format!(
            "{samples:.0} samples of a side are too few: {ENOUGH_SAMPLES} are needed"
        )));
    }
    e.metric("one-slower", "rank_of_slower")?
        .at_most(1.0)?
        .because("place by growth, of twenty")?
        // Some function is always first; chance takes none this far.
        .and(e.metric("one-slower", "growth_of_slower")?.at_least(4.0)?.because("its growth"))
}

/// For want of a cycle counter: what a step costs that waits for memory, against one that computes.
fn cpi_2_proxy(e: &Evidence) -> Judged {
    e.metric("work-per-sample", "cost_of_a_wait")?
        .at_least(5.0)?
        .because("time a step, memory over arithmetic: a proxy, no CPI")
}
