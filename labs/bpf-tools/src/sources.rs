//! The sources of the claims.

use lab_kit::Source;

/// Where to begin.
pub(crate) const LEARN: Source = Source {
    short: "Gregg, Learn eBPF",
    title: "B. Gregg, Learn eBPF Tracing: Tutorial and Examples, 2019",
    link: "https://www.brendangregg.com/blog/2019-01-01/learn-ebpf-tracing.html",
};

/// Eleven tools to run first, with examples of what they print.
pub(crate) const BCC_TUTORIAL: Source = Source {
    short: "bcc tutorial",
    title: "B. Gregg and others, bcc Tutorial, 2016-2019",
    link: "https://github.com/iovisor/bcc/blob/master/docs/tutorial.md",
};

/// Dump or sum.
pub(crate) const OFF_CPU: Source = Source {
    short: "Gregg, off-CPU",
    title: "B. Gregg, Off-CPU Analysis, 2015-2018",
    link: "https://www.brendangregg.com/offcpuanalysis.html",
};

/// Exercises for profilers and tracers.
pub(crate) const PERF_LABS: Source = Source {
    short: "perf-labs",
    title: "B. Gregg, perf-labs: small programs whose faults a profiler should find, 2015",
    link: "https://github.com/brendangregg/perf-labs",
};

/// Growth, seen by the faults that it takes.
pub(crate) const MEMORY: Source = Source {
    short: "Gregg, memory graphs",
    title: "B. Gregg, Memory Leak (and Growth) Flame Graphs, 2014-2017",
    link: "https://www.brendangregg.com/FlameGraphs/memoryflamegraphs.html",
};
