//! The sources of the lab's claims.

use lab_kit::Source;

pub(crate) const BRONSON_2021: Source = Source {
    short: "Bronson et al. 2021",
    title: "Metastable Failures in Distributed Systems, HotOS 2021",
    link: "https://doi.org/10.1145/3458336.3465286",
};

pub(crate) const HUANG_2022: Source = Source {
    short: "Huang et al. 2022",
    title: "Metastable Failures in the Wild, OSDI 2022",
    link: "https://www.usenix.org/conference/osdi22/presentation/huang-lexiang",
};

pub(crate) const RETRIES_2022: Source = Source {
    short: "Brooker 2022a",
    title: "Fixing retries with token buckets and circuit breakers, 28 February 2022",
    link: "https://brooker.co.za/blog/2022/02/28/retries.html",
};

pub(crate) const BACKOFF_2022: Source = Source {
    short: "Brooker 2022b",
    title: "What is Backoff For?, 11 August 2022",
    link: "https://brooker.co.za/blog/2022/08/11/backoff.html",
};

pub(crate) const JITTER_2015: Source = Source {
    short: "Brooker 2015",
    title: "Exponential Backoff And Jitter, AWS Architecture Blog, 4 March 2015",
    link: "https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/",
};

pub(crate) const OPEN_2023: Source = Source {
    short: "Brooker 2023",
    title: "Open and Closed, Omission and Collapse, 10 May 2023",
    link: "https://brooker.co.za/blog/2023/05/10/open-closed.html",
};

pub(crate) const CACHES_2021: Source = Source {
    short: "Brooker 2021",
    title: "Caches, Modes, and Unstable Systems, 27 August 2021",
    link: "https://brooker.co.za/blog/2021/08/27/caches.html",
};

pub(crate) const ALL: &[&Source] = &[
    &BRONSON_2021,
    &HUANG_2022,
    &RETRIES_2022,
    &BACKOFF_2022,
    &JITTER_2015,
    &OPEN_2023,
    &CACHES_2021,
];
