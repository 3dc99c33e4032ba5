//! The claims, and the checks of what was sampled; those of the method are in
//! [`crate::method`] and [`crate::cpi`].

use lab_kit::{Claim, Evidence, Gap, Judged, ShownBy, closed_form, live};

use crate::GROWTH;
use crate::cpi::{self, RECORDED};
use crate::method::{self, Tools};
use crate::sources::{CPI_2014, DIFFFOLDED, GREGG_2014};

/// What DFG-11 needs of each side.
const ENOUGH_SAMPLES: f64 = 20_000.0;

pub(crate) const CLAIMS: &[Claim] = &[
    Claim {
        id: "DFG-1",
        says: "Widths are those of the second profile; red gained, blue lost, deeper is more.",
        source: &GREGG_2014,
        checks: &[closed_form(|e| method::dfg_1(&tools(e))).without(HUES_SWAPPED)],
        shown_by: &[],
    },
    Claim {
        id: "DFG-2",
        says: "The colour belongs to the function that changed itself; its callers stay white.",
        source: &GREGG_2014,
        checks: &[closed_form(|e| method::dfg_2(&tools(e))).without(ONE_SHADE)],
        shown_by: &[],
    },
    Claim {
        id: "DFG-3",
        says: "The shade is linear in the change, and deepest for the largest of any stack.",
        source: &DIFFFOLDED,
        checks: &[closed_form(|e| method::dfg_3(&tools(e))).without(ONE_SHADE)],
        shown_by: &[],
    },
    Claim {
        id: "DFG-4",
        says: "A line is a stack and two counts, 0 where a side lacks it.",
        source: &DIFFFOLDED,
        checks: &[closed_form(|e| method::dfg_4(&tools(e))).without(FIRST_ALONE)],
        shown_by: &[],
    },
    Claim {
        id: "DFG-5",
        says: "Without normalisation a change of load paints everything one hue.",
        source: &DIFFFOLDED,
        checks: &[
            closed_form(|e| method::dfg_5(&tools(e))).without(HUES_SWAPPED),
            live(&["half-load"], dfg_5).without(&[("load", "1")]),
        ],
        shown_by: &[],
    },
    Claim {
        id: "DFG-6",
        says: "Addresses in names are stripped, else no two runs share a stack.",
        source: &DIFFFOLDED,
        checks: &[closed_form(|e| method::dfg_6(&tools(e))).without(FIRST_ALONE)],
        shown_by: &[],
    },
    Claim {
        id: "DFG-7",
        says: "What vanished has no box: it is seen the other way round, or in a graph of its own.",
        source: &GREGG_2014,
        checks: &[closed_form(|e| method::dfg_7(&tools(e))).without(HUES_SWAPPED)],
        shown_by: &[],
    },
    Claim {
        id: "DFG-8",
        says: "Negating swaps the hues and nothing else.",
        source: &DIFFFOLDED,
        checks: &[closed_form(|e| method::dfg_8(&tools(e))).without(ONE_SHADE)],
        shown_by: &[],
    },
    Claim {
        id: "DFG-9",
        says: "Two runs of one build are all but colourless, where what chance explains is white.",
        source: &GREGG_2014,
        checks: &[live(&["one-slower"], dfg_9).without(NOTHING_SLOWER)],
        shown_by: &[ShownBy::Chart(&GROWTH, &["one-slower"])],
    },
    Claim {
        id: "DFG-10",
        says: "Compression that an upgrade switched on stands out as the top change.",
        source: &GREGG_2014,
        checks: &[live(&["compression"], dfg_10).without(&[("compression", "off")])],
        shown_by: &[ShownBy::FlameGraph("compression")],
    },
    Claim {
        id: "DFG-11",
        says: "Of twenty functions alike, one that grows by 5 % of all work is found at once.",
        source: &GREGG_2014,
        checks: &[live(&["one-slower"], dfg_11).without(NOTHING_SLOWER)],
        shown_by: &[ShownBy::Chart(&GROWTH, &["one-slower"])],
    },
    Claim {
        id: "DFG-12",
        says: "Before, after and what vanished can be read beside each other.",
        source: &GREGG_2014,
        checks: &[closed_form(|e| method::dfg_12(&tools(e))).without(SIDES_SWAPPED)],
        shown_by: &[],
    },
    Claim {
        id: "CPI-1",
        says: "Of a CPI flame graph the widths are CPU time (columns written by hand).",
        source: &CPI_2014,
        checks: &[closed_form(|e| cpi::cpi_1(RECORDED, &tools(e))).without(SIDES_SWAPPED)],
        shown_by: &[],
    },
    Claim {
        id: "CPI-2",
        says: "Blue is the highest CPI, red the lowest (columns written by hand).",
        source: &CPI_2014,
        checks: &[
            closed_form(|e| cpi::cpi_2(RECORDED, &tools(e))).without(SIDES_SWAPPED),
            live(&["work-per-sample"], cpi_2_proxy).without(&[("memory", "16")]),
        ],
        shown_by: &[],
    },
    Claim {
        id: "CPI-3",
        says: "The fast extreme is a spin lock, the slow one page tables (columns written by \
               hand).",
        source: &CPI_2014,
        checks: &[closed_form(|e| cpi::cpi_3(RECORDED, &tools(e)))
            .without(SIDES_SWAPPED)
            .calibrates()],
        shown_by: &[],
    },
];

const HUES_SWAPPED: &[(&str, &str)] = &[("tools", "hues-swapped")];
const ONE_SHADE: &[(&str, &str)] = &[("tools", "one-shade")];
const FIRST_ALONE: &[(&str, &str)] = &[("tools", "first-alone")];
const SIDES_SWAPPED: &[(&str, &str)] = &[("tools", "sides-swapped")];
const NOTHING_SLOWER: &[(&str, &str)] = &[("injection", "0")];

fn tools(e: &Evidence) -> Tools {
    Tools::of(e.settings().text("tools"))
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
        // Half of what the injection moves: otherwise nothing would be compared with nothing.
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

/// For lack of a cycle counter: what a step costs that waits for memory, against one that computes.
fn cpi_2_proxy(e: &Evidence) -> Judged {
    e.metric("work-per-sample", "cost_of_a_wait")?
        .at_least(5.0)?
        .because("time a step, memory over arithmetic: a proxy, no CPI")
}
