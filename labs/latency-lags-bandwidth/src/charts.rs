//! What a report draws of this lab; claims say which of these shows them.

use lab_kit::{Bar, Chart};

/// Names of curves.
pub(crate) const BY_BANDWIDTH: &str = "page time by bandwidth";
pub(crate) const BY_RTT: &str = "page time by round trip";

pub(crate) const ALL: &[Chart] = &[BANDWIDTHS, ROUND_TRIPS, TRIPS, CHASES, WRITES];

pub(crate) const BANDWIDTHS: Chart =
    Chart::Lines { title: "A page by the bandwidth of its link", curves: &[BY_BANDWIDTH] };
pub(crate) const ROUND_TRIPS: Chart =
    Chart::Lines { title: "A page by the round trip of its link", curves: &[BY_RTT] };
pub(crate) const TRIPS: Chart = Chart::Bars {
    title: "Waiting, in round trips",
    bars: &[
        bar("first byte of a page", "first_byte"),
        bar("requests in a chain", "chain"),
        bar("overlapped", "overlapped"),
    ],
};
pub(crate) const CHASES: Chart = Chart::Bars {
    title: "The time of a line of memory",
    bars: &[
        bar("in order, one after another", "in_order"),
        bar("at random, one chase", "chases_1"),
        bar("two chases", "chases_2"),
        bar("four chases", "chases_4"),
        bar("eight chases", "chases_8"),
    ],
};
pub(crate) const WRITES: Chart = Chart::Bars {
    title: "Random writes of a block a second",
    bars: &[bar("mirrored", "mirrored_rate"), bar("with parity", "parity_rate")],
};

const fn bar(name: &'static str, metric: &'static str) -> Bar {
    Bar { name, metric, source: None }
}
