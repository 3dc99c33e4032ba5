//! The sources of the lab's claims.

use lab_kit::Source;

pub(crate) const DEAN_2013: Source = Source {
    short: "Dean & Barroso 2013",
    title: "The Tail at Scale, Communications of the ACM 56(2):74-80, February 2013",
    link: "https://doi.org/10.1145/2408776.2408794",
};

pub(crate) const BROOKER_2021: Source = Source {
    short: "Brooker 2021",
    title: "Tail Latency Might Matter More Than You Think, 19 April 2021",
    link: "https://brooker.co.za/blog/2021/04/19/latency.html",
};

pub(crate) const BROOKER_2023: Source = Source {
    short: "Brooker 2023",
    title: "Exponential Value at Linear Cost, 8 September 2023",
    link: "https://brooker.co.za/blog/2023/09/08/exponential.html",
};

pub(crate) const GIFFORD_1979: Source = Source {
    short: "Gifford 1979",
    title: "Weighted Voting for Replicated Data, SOSP 1979",
    link: "https://doi.org/10.1145/800215.806583",
};
