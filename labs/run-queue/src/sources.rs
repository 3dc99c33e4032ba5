//! The sources of the claims.

use lab_kit::Source;

/// What to look at instead of a load average.
pub(crate) const LOAD_AVERAGES: Source = Source {
    short: "Gregg, load averages",
    title: "B. Gregg, Linux Load Averages: Solving the Mystery, 2017",
    link: "https://www.brendangregg.com/blog/2017-08-08/linux-load-averages.html",
};

/// The histogram with two modes.
pub(crate) const LEARN_EBPF: Source = Source {
    short: "Gregg, eBPF tracing",
    title: "B. Gregg, Learn eBPF Tracing: Tutorial and Examples, 2019",
    link: "https://www.brendangregg.com/blog/2019-01-01/learn-ebpf-tracing.html",
};

/// Programs with something wrong.
pub(crate) const WORKSHOP: Source = Source {
    short: "bpf-perf-workshop",
    title: "B. Gregg, BPF performance workshop, LISA 2019",
    link: "https://github.com/brendangregg/bpf-perf-workshop",
};

/// What a quota does.
pub(crate) const BANDWIDTH_CONTROL: Source = Source {
    short: "Linux, CFS bandwidth",
    title: "Linux kernel documentation, CFS Bandwidth Control, 2011-2025",
    link: "https://docs.kernel.org/scheduler/sched-bwc.html",
};
