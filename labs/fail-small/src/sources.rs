//! Who said it first.

use lab_kit::Source;

pub(crate) const NOVEMBER: Source = Source {
    short: "Cloudflare 2025a",
    title: "Cloudflare outage on November 18, 2025",
    link: "https://blog.cloudflare.com/18-november-2025-outage/",
};

pub(crate) const DECEMBER: Source = Source {
    short: "Cloudflare 2025b",
    title: "Cloudflare outage on December 5, 2025",
    link: "https://blog.cloudflare.com/5-december-2025-outage/",
};

pub(crate) const FAIL_SMALL: Source = Source {
    short: "Cloudflare 2025c",
    title: "Code Orange: Fail Small, our resilience plan following recent incidents, December 2025",
    link: "https://blog.cloudflare.com/fail-small-resilience-plan/",
};

pub(crate) const ALL: &[&Source] = &[&NOVEMBER, &DECEMBER, &FAIL_SMALL];
