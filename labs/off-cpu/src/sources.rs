//! The sources of the claims.

use lab_kit::Source;

/// The method.
pub(crate) const OFF_CPU: Source = Source {
    short: "Gregg, off-CPU",
    title: "B. Gregg, Off-CPU Analysis, 2015-2018",
    link: "https://www.brendangregg.com/offcpuanalysis.html",
};

/// The graph.
pub(crate) const OFF_CPU_FLAME_GRAPHS: Source = Source {
    short: "Gregg, off-CPU graphs",
    title: "B. Gregg, Off-CPU Flame Graphs, 2013-2017",
    link: "https://www.brendangregg.com/FlameGraphs/offcpuflamegraphs.html",
};

/// Both halves in one graph.
pub(crate) const HOT_COLD: Source = Source {
    short: "Gregg, hot/cold",
    title: "B. Gregg, Hot/Cold Flame Graphs, 2013-2016",
    link: "https://www.brendangregg.com/FlameGraphs/hotcoldflamegraphs.html",
};

/// Threads instead of resources.
pub(crate) const TSA: Source = Source {
    short: "Gregg, TSA",
    title: "B. Gregg, The TSA Method: thread state analysis, 2013",
    link: "https://www.brendangregg.com/tsamethod.html",
};

/// Exercises for profilers.
pub(crate) const PERF_LABS: Source = Source {
    short: "perf-labs",
    title: "B. Gregg, perf-labs: small programs whose faults a profiler should find, 2015",
    link: "https://github.com/brendangregg/perf-labs",
};
