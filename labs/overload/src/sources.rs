//! The sources of the lab's claims.

use lab_kit::Source;

pub(crate) const SEDA: Source = Source {
    short: "Welsh et al. 2001",
    title: "SEDA: An Architecture for Well-Conditioned, Scalable Internet Services, SOSP 2001",
    link: "https://doi.org/10.1145/502034.502057",
};

pub(crate) const WELSH_2003: Source = Source {
    short: "Welsh & Culler 2003",
    title: "Adaptive Overload Control for Busy Internet Servers, USITS 2003",
    link: "https://www.usenix.org/conference/usits-03/adaptive-overload-control-busy-internet-servers",
};

pub(crate) const BREWER_2001: Source = Source {
    short: "Brewer 2001",
    title: "Lessons from Giant-Scale Services, IEEE Internet Computing 5(4), 2001",
    link: "https://doi.org/10.1109/4236.939450",
};

pub(crate) const JAIN_1984: Source = Source {
    short: "Jain et al. 1984",
    title: "A Quantitative Measure of Fairness and Discrimination, DEC Research Report TR-301",
    link: "https://arxiv.org/abs/cs/9809099",
};

pub(crate) const MAURER_2015: Source = Source {
    short: "Maurer 2015",
    title: "Fail at Scale: Reliability in the Face of Rapid Change, ACM Queue 13(8), 2015",
    link: "https://doi.org/10.1145/2838344.2839461",
};
