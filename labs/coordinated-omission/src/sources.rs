//! The sources of the claims.

use lab_kit::Source;

pub(crate) const TENE_2013: Source = Source {
    short: "Tene 2013",
    title: "How NOT to Measure Latency, talk, 2013 to 2015",
    link: "https://www.infoq.com/presentations/latency-response-time/",
};

pub(crate) const WRK2: Source = Source {
    short: "wrk2",
    title: "wrk2, a constant-throughput HTTP load generator: README, 2014",
    link: "https://github.com/giltene/wrk2",
};

pub(crate) const HDR_HISTOGRAM: Source = Source {
    short: "HdrHistogram",
    title: "HdrHistogram, a high dynamic range histogram: README",
    link: "https://github.com/HdrHistogram/HdrHistogram",
};

pub(crate) const BROOKER_2023: Source = Source {
    short: "Brooker 2023",
    title: "Open and Closed, Omission and Collapse, 10 May 2023",
    link: "https://brooker.co.za/blog/2023/05/10/open-closed.html",
};
