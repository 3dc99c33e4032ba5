//! The source of the lab's claims.

use lab_kit::Source;

pub(crate) const DEAN_2013: Source = Source {
    short: "Dean & Barroso 2013",
    title: "The Tail at Scale, Communications of the ACM 56(2):74-80, February 2013",
    link: "https://doi.org/10.1145/2408776.2408794",
};
