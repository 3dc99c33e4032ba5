//! Why does a faster link not make a faster page?
//!
//! `page` is a browser in simulated time, and `sweeps` gives it faster and shorter links. `live` does
//! the same over sockets. `memory`, `threads` and `disks` show how to live with latency, and what
//! limits that. `rules` are rules of thumb as arithmetic.

mod charts;
mod claims;
mod disks;
mod lessons;
mod live;
mod memory;
mod page;
mod rules;
mod sources;
mod story;
mod sweeps;
mod threads;

use lab_kit::cpus::nearly_alone;
use lab_kit::{Ctx, Knob, Lab, Variant};

/// The lab.
pub const LAB: Lab = Lab {
    name: "latency-lags-bandwidth",
    question: "Why does a faster link not make a faster page?",
    sources: sources::ALL,
    knobs: KNOBS,
    variants: VARIANTS,
    claims: claims::CLAIMS,
    charts: charts::ALL,
    story: story::STORY,
    lessons: lessons::LESSONS,
    verbs: &[],
};

const KNOBS: &[Knob] = &[
    Knob::float("bandwidth", 5.0, "Mb/s", [0.01, 100_000.0], "of the link, from server to browser"),
    Knob::duration("rtt", "60ms", ["0s", "10s"], "a round trip between browser and server"),
    Knob::int("resources", 44, "", [1, 1_000], "resources of a page, its document included"),
    Knob::int("page-kib", 320, "KiB", [1, 10_000], "size of a page, on average"),
    Knob::int("connections", 2, "", [1, 100], "connections that a browser opens"),
    Knob::int("first-window", 3, "", [1, 1_000_000], "segments that a server may send at first"),
    Knob::int("tls-trips", 2, "", [0, 10], "round trips of a TLS handshake"),
    Knob::int("requests", 10, "", [1, 1_000], "requests that are asked in a chain, or overlapped"),
    Knob::choice("asks", &["at-once", "one-by-one"], "how overlapped requests are asked"),
    Knob::int("memory-kib", 256 << 10, "KiB", [1, 1 << 20], "memory that chases go through"),
    Knob::choice("chases", &["interleaved", "one-by-one"], "how several chases take their steps"),
    Knob::int("threads", 2, "", [1, 64], "threads that do the work"),
    Knob::float("serial", 0.2, "ratio", [0.0, 1.0], "share of the work that cannot be divided"),
    Knob::choice("parts", &["beside", "in-turn"], "how threads work on what can be divided"),
    Knob::int("pairs", 2, "", [2, 100], "pairs of disks"),
    Knob::choice("write", &["block", "stripe"], "what is written where parity is kept"),
    Knob::choice(
        "latency",
        &["lags", "keeps-pace"],
        "whether latency keeps pace with bandwidth, in the rules",
    ),
    Knob::float("km-per-ms", 200.0, "km/ms", [1.0, 300.0], "how fast light is in a fibre"),
    Knob::float("moore-years", 3.0, "a", [0.5, 100.0], "years until there is four times as much"),
    Knob::int("io-instructions", 50_000, "", [1, 1_000_000_000], "instructions for each I/O"),
    Knob::float("access-price", 2_000.0, "$", [0.0, 1e9], "price of an access a second, in 1987"),
    Knob::float("ram-price", 0.98, "$", [0.001, 1e6], "price of a GiB of memory for a month"),
];

/// Spans for 20, 60 and 1,000 pages at each point.
const PAGES: [u64; 3] = [20_000, 60_000, 1_000_000];
/// Spans of simulated writes.
const WRITES: [u64; 3] = [100_000, 1_000_000, 10_000_000];
/// Spans of live trials.
const SHORT: [u64; 3] = [1_000, 3_000, 20_000];

/// The largest share of the CPUs that other programs may use where the CPUs are measured.
const MOST_OF_OTHERS: f64 = 0.1;

fn quiet(ctx: &mut Ctx, run: fn(&mut Ctx) -> anyhow::Result<()>) -> anyhow::Result<()> {
    nearly_alone(ctx, MOST_OF_OTHERS, run)
}

/// No TLS, as on nearly all pages of 2010.
const IN_2010: &[(&str, &str)] = &[("tls-trips", "0")];
const NEARBY: &[(&str, &str)] = &[("rtt", "20ms")];

const VARIANTS: &[Variant] = &[
    Variant::new("bandwidth", "a page, at 1 to 10 Mb/s", sweeps::bandwidths)
        .simulated(PAGES)
        .with(IN_2010),
    Variant::new("round-trip", "a page, with round trips of 0 to 240 ms", sweeps::round_trips)
        .simulated(PAGES)
        .with(IN_2010),
    Variant::new("page", "the page over sockets, with a bandwidth and twice that", live::page)
        .live(SHORT)
        .with(IN_2010),
    Variant::new("first-byte", "the first byte of a page with TLS", live::first_byte)
        .live(SHORT)
        .simulated([100; 3])
        .with(NEARBY),
    Variant::new("requests", "requests in a chain, and overlapped", live::requests)
        .live(SHORT)
        .with(NEARBY),
    Variant::new("memory", "pointers chased in order and at random", |ctx| quiet(ctx, memory::run))
        .live(SHORT),
    Variant::new("threads", "divided work by one thread and by two", |ctx| {
        quiet(ctx, threads::run)
    })
    .live(SHORT),
    Variant::new("disks", "random writes to mirrored disks, and with parity", disks::run)
        .simulated(WRITES),
];
