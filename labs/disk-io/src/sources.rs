//! The sources of the lab's claims.

use lab_kit::Source;

pub(crate) const ALL: &[&Source] =
    &[&WORKSHOP, &PERF_LABS, &ACTIVE, &BOOK, &DYNAMO, &PHOTON, &IO_URING, &FSYNC];

pub(crate) const WORKSHOP: Source = Source {
    short: "bpf-perf-workshop",
    title: "B. Gregg, bpf-perf-workshop: programs to be analysed, LISA 2019",
    link: "https://github.com/brendangregg/bpf-perf-workshop",
};
pub(crate) const PERF_LABS: Source = Source {
    short: "perf-labs",
    title: "B. Gregg, perf-labs: small programs whose faults a profiler should find, 2015",
    link: "https://github.com/brendangregg/perf-labs",
};
pub(crate) const ACTIVE: Source = Source {
    short: "Gregg, active benchmarking",
    title: "B. Gregg, Active Benchmarking, 2014",
    link: "https://www.brendangregg.com/activebenchmarking.html",
};
pub(crate) const BOOK: Source = Source {
    short: "Gregg 2020",
    title: "B. Gregg, Systems Performance, 2nd edition, Addison-Wesley, 2020",
    link: "https://www.brendangregg.com/systems-performance-2nd-edition-book.html",
};
pub(crate) const DYNAMO: Source = Source {
    short: "DeCandia et al. 2007",
    title: "G. DeCandia et al., Dynamo: Amazon's Highly Available Key-value Store, SOSP 2007",
    link: "https://doi.org/10.1145/1294261.1294281",
};
pub(crate) const PHOTON: Source = Source {
    short: "Ananthanarayanan et al. 2013",
    title: "R. Ananthanarayanan et al., Photon: Fault-tolerant and Scalable Joining of Continuous \
            Data Streams, SIGMOD 2013",
    link: "https://doi.org/10.1145/2463676.2465272",
};
pub(crate) const IO_URING: Source = Source {
    short: "Axboe 2019",
    title: "J. Axboe, Efficient IO with io_uring, 2019",
    link: "https://kernel.dk/io_uring.pdf",
};
pub(crate) const FSYNC: Source = Source {
    short: "fsync(2)",
    title: "Linux man-pages, fsync(2)",
    link: "https://man7.org/linux/man-pages/man2/fsync.2.html",
};
