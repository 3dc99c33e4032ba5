//! Who said it first.

use lab_kit::Source;

pub(crate) const DEAN_2013: Source = Source {
    short: "Dean & Barroso 2013",
    title: "The Tail at Scale, Communications of the ACM 56(2):74-80, February 2013",
    link: "https://doi.org/10.1145/2408776.2408794",
};

pub(crate) const COBHAM_1954: Source = Source {
    short: "Cobham 1954",
    title: "Priority Assignment in Waiting Line Problems, Operations Research 2(1):70-76",
    link: "https://doi.org/10.1287/opre.2.1.70",
};
