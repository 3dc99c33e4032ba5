//! The sources of the claims.

use lab_kit::Source;

/// The tool and its documentation.
pub(crate) const FLAMEGRAPH_PL: Source = Source {
    short: "flamegraph.pl",
    title: "B. Gregg, FlameGraph: flamegraph.pl and README, 2011-2024",
    link: "https://github.com/brendangregg/FlameGraph",
};

/// The article.
pub(crate) const GREGG_2016: Source = Source {
    short: "Gregg 2016",
    title: "The Flame Graph, ACM Queue 14(2) and Communications of the ACM 59(6), 2016",
    link: "https://doi.org/10.1145/2927299.2927301",
};

/// Exercises for profilers.
pub(crate) const PERF_LABS: Source = Source {
    short: "perf-labs",
    title: "B. Gregg, perf-labs: small programs whose faults a profiler should find, 2015",
    link: "https://github.com/brendangregg/perf-labs",
};
