//! The sources of the claims.

use lab_kit::Source;

/// The method.
pub(crate) const GREGG_2014: Source = Source {
    short: "Gregg 2014",
    title: "B. Gregg, Differential Flame Graphs, November 2014",
    link: "https://www.brendangregg.com/blog/2014-11-09/differential-flame-graphs.html",
};

/// The tools of the method.
pub(crate) const DIFFFOLDED: Source = Source {
    short: "difffolded.pl",
    title: "B. Gregg, FlameGraph: difffolded.pl and flamegraph.pl, 2011-2024",
    link: "https://github.com/brendangregg/FlameGraph",
};

/// The same engine with other columns.
pub(crate) const CPI_2014: Source = Source {
    short: "Gregg 2014, CPI",
    title: "B. Gregg, CPI Flame Graphs: Catching Your CPUs Napping, October 2014",
    link: "https://www.brendangregg.com/blog/2014-10-31/cpi-flame-graphs.html",
};
