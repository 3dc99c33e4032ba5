//! Who said it first.

use lab_kit::Source;

pub(crate) const ALL: &[&Source] = &[
    &LITTLE_1961,
    &KLEINROCK_1975,
    &GREGG_2012,
    &GUNTHER_2007,
    &DENNING_1978,
    &CHANG_2006,
    &DEAN_2013,
    &IOSTAT_2014,
    &MEAN_2017,
    &UTILIZATION_2021,
];

pub(crate) const LITTLE_1961: Source = Source {
    short: "Little 1961",
    title: "A Proof for the Queuing Formula L = λW, Operations Research 9(3):383-387",
    link: "https://doi.org/10.1287/opre.9.3.383",
};

pub(crate) const KLEINROCK_1975: Source = Source {
    short: "Kleinrock 1975",
    title: "Queueing Systems, volume I: Theory, Wiley",
    link: "https://dl.acm.org/doi/10.5555/540868",
};

pub(crate) const GREGG_2012: Source = Source {
    short: "Gregg 2012",
    title: "PerfModels: util-md1.r, amdahl.g and usl.g; Systems Performance, 2.6",
    link: "https://github.com/brendangregg/PerfModels",
};

pub(crate) const GUNTHER_2007: Source = Source {
    short: "Gunther 2007",
    title: "Guerrilla Capacity Planning, Springer",
    link: "http://www.perfdynamics.com/Manifesto/USLscalability.html",
};

pub(crate) const DENNING_1978: Source = Source {
    short: "Denning & Buzen 1978",
    title: "The Operational Analysis of Queueing Network Models, ACM Computing Surveys 10(3)",
    link: "https://doi.org/10.1145/356733.356735",
};

pub(crate) const CHANG_2006: Source = Source {
    short: "Chang et al. 2006",
    title: "Bigtable: A Distributed Storage System for Structured Data, OSDI, figure 6",
    link: "https://www.usenix.org/conference/osdi-06/bigtable-distributed-storage-system-structured-data",
};

pub(crate) const DEAN_2013: Source = Source {
    short: "Dean & Barroso 2013",
    title: "The Tail at Scale, Communications of the ACM 56(2):74-80, February 2013",
    link: "https://doi.org/10.1145/2408776.2408794",
};

pub(crate) const IOSTAT_2014: Source = Source {
    short: "Brooker 2014",
    title: "Two traps in iostat: %util and svctm, 4 July 2014",
    link: "https://brooker.co.za/blog/2014/07/04/iostat-pct.html",
};

pub(crate) const MEAN_2017: Source = Source {
    short: "Brooker 2017",
    title: "Is the Mean Really Useless?, 28 December 2017",
    link: "https://brooker.co.za/blog/2017/12/28/mean.html",
};

pub(crate) const UTILIZATION_2021: Source = Source {
    short: "Brooker 2021",
    title: "Latency Sneaks Up On You, 5 August 2021",
    link: "https://brooker.co.za/blog/2021/08/05/utilization.html",
};
