//! The sources of the lab's claims.

use lab_kit::Source;

pub(crate) const ALL: &[&Source] = &[
    &PATTERSON_2004,
    &BELSHE_2010,
    &GRIGORIK_2012,
    &GRIGORIK_2013,
    &PRITCHETT_2007,
    &GRAY_2000,
    &GRAY_1987,
    &BELOTTI_2025,
    &BROOKER_2021,
];

pub(crate) const PATTERSON_2004: Source = Source {
    short: "Patterson 2004",
    title: "Latency Lags Bandwith, Communications of the ACM 47(10):71-75, October 2004, and its talk",
    link: "https://doi.org/10.1145/1022594.1022596",
};

pub(crate) const BELSHE_2010: Source = Source {
    short: "Belshe 2010",
    title: "More Bandwidth Doesn't Matter (Much), 8 April 2010",
    link: "https://www.belshe.com/2010/05/24/more-bandwidth-doesnt-matter-much/",
};

pub(crate) const GRIGORIK_2012: Source = Source {
    short: "Grigorik 2012",
    title: "Latency: The New Web Performance Bottleneck, 19 July 2012",
    link: "https://www.igvita.com/2012/07/19/latency-the-new-web-performance-bottleneck/",
};

pub(crate) const GRIGORIK_2013: Source = Source {
    short: "Grigorik 2013",
    title: "Optimizing NGINX TLS Time To First Byte (TTTFB), 16 December 2013",
    link: "https://www.igvita.com/2013/12/16/optimizing-nginx-tls-time-to-first-byte/",
};

pub(crate) const PRITCHETT_2007: Source = Source {
    short: "Pritchett 2007",
    title: "The Challenges of Latency, InfoQ, May 2007",
    link: "https://www.infoq.com/articles/pritchett-latency/",
};

pub(crate) const GRAY_2000: Source = Source {
    short: "Gray & Shenoy 2000",
    title: "Rules of Thumb in Data Engineering, ICDE 2000 (MSR-TR-99-100)",
    link: "https://www.microsoft.com/en-us/research/publication/rules-of-thumb-in-data-engineering/",
};

pub(crate) const GRAY_1987: Source = Source {
    short: "Gray & Putzolu 1987",
    title: "The 5 Minute Rule for Trading Memory for Disc Accesses, SIGMOD 1987",
    link: "https://doi.org/10.1145/38713.38755",
};

pub(crate) const BELOTTI_2025: Source = Source {
    short: "Belotti 2025",
    title: "Gray's '5 minute rule' in the cloud era, 2025",
    link: "https://thundergolfer.com/five-minute-rule",
};

pub(crate) const BROOKER_2021: Source = Source {
    short: "Brooker 2021",
    title: "What You Can Learn From Old Hard Drive Adverts, 25 March 2021",
    link: "https://brooker.co.za/blog/2021/03/25/latency-bandwidth.html",
};
