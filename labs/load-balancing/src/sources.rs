//! The sources of the lab's claims.

use lab_kit::Source;

pub(crate) const DEAN_2013: Source = Source {
    short: "Dean & Barroso 2013",
    title: "The Tail at Scale, Communications of the ACM 56(2):74-80, February 2013",
    link: "https://doi.org/10.1145/2408776.2408794",
};

pub(crate) const MITZENMACHER_2001: Source = Source {
    short: "Mitzenmacher 2001",
    title: "The Power of Two Choices in Randomized Load Balancing, IEEE TPDS 12(10), 2001",
    link: "https://doi.org/10.1109/71.963420",
};

pub(crate) const MITZENMACHER_2000: Source = Source {
    short: "Mitzenmacher 2000",
    title: "How Useful Is Old Information?, IEEE TPDS 11(1), 2000",
    link: "https://doi.org/10.1109/71.824633",
};

pub(crate) const BROOKER_2012: Source = Source {
    short: "Brooker 2012",
    title: "The power of two random choices, 17 January 2012",
    link: "https://brooker.co.za/blog/2012/01/17/two-random.html",
};

pub(crate) const BROOKER_2023: Source = Source {
    short: "Brooker 2023",
    title: "False Sharing versus Perfect Placement, 7 March 2023",
    link: "https://brooker.co.za/blog/2023/03/07/false-sharing.html",
};

pub(crate) const KLEINROCK_1975: Source = Source {
    short: "Kleinrock 1975",
    title: "Queueing Systems I: Theory, 1975, chapter 6: G/M/1",
    link: "https://www.wiley.com/en-us/Queueing+Systems%2C+Volume+I-p-9780471491101",
};

pub(crate) const KARGER_1997: Source = Source {
    short: "Karger et al. 1997",
    title: "Consistent Hashing and Random Trees, STOC 1997",
    link: "https://doi.org/10.1145/258533.258660",
};

pub(crate) const NOTION_2021: Source = Source {
    short: "Fidalgo 2021",
    title: "Herding elephants: Lessons learned from sharding Postgres at Notion, October 2021",
    link: "https://www.notion.so/blog/sharding-postgres-at-notion",
};

pub(crate) const ALL: &[&Source] = &[
    &MITZENMACHER_2001,
    &MITZENMACHER_2000,
    &KLEINROCK_1975,
    &BROOKER_2012,
    &DEAN_2013,
    &BROOKER_2023,
    &KARGER_1997,
    &NOTION_2021,
];
