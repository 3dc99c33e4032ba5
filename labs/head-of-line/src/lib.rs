//! What does one large request do to the small ones?
//!
//! One `server` has both: whole or in slices, in order or the small ones first. A `device` has a queue
//! below that with the priorities, second `copies` of requests stand in the way of first ones, a query
//! asks many `leaves` and waits for the slowest, and a `cache` leaves the slowest as they are.
//! Everything is simulated.

mod cache;
mod charts;
mod claims;
mod copies;
mod device;
mod leaves;
mod lessons;
mod server;
mod sources;
mod story;

use lab_kit::{Ctx, Knob, Lab, Variant};

use crate::server::one_server;

/// The lab.
pub const LAB: Lab = Lab {
    name: "head-of-line",
    question: "What does one large request do to the small ones?",
    sources: &[&sources::DEAN_2013, &sources::COBHAM_1954],
    knobs: KNOBS,
    variants: VARIANTS,
    claims: claims::CLAIMS,
    charts: charts::ALL,
    story: story::STORY,
    lessons: lessons::LESSONS,
    verbs: &[],
};

const KNOBS: &[Knob] = &[
    Knob::duration(
        "small",
        "1ms",
        ["10us", "1s"],
        "service time of a small request, or of a cache hit",
    ),
    Knob::duration(
        "large",
        "100ms",
        ["10us", "10s"],
        "service time of a large request, or of a cache miss",
    ),
    Knob::float(
        "small-load",
        0.3,
        "ratio",
        [0.001, 0.9],
        "utilisation of the server by small requests",
    ),
    Knob::float(
        "large-load",
        0.2,
        "ratio",
        [0.0, 0.9],
        "utilisation of the server by large requests",
    ),
    Knob::duration(
        "slice",
        "0s",
        ["0s", "10s"],
        "longest turn of a request before it queues again; 0: until it is done",
    ),
    Knob::choice("order", &["arrival", "small-first"], "which waiting request starts next"),
    Knob::int("depth", 1, "requests", [1, 64], "requests that the device holds at once"),
    Knob::int("backlog", 64, "requests", [1, 1_000], "batch requests that are always outstanding"),
    Knob::int("servers", 10, "", [2, 1_000], "servers that a request or its copy can go to"),
    Knob::float("load", 0.7, "ratio", [0.05, 0.9], "utilisation of each server by first copies"),
    Knob::duration("service", "10ms", ["100us", "1s"], "mean service time of a copy"),
    Knob::duration("hedge-after", "100ms", ["0s", "1m"], "when a second copy is sent"),
    Knob::choice(
        "copies",
        &["equal", "low", "none"],
        "priority of second copies, if there are any",
    ),
    Knob::int("leaves", 2_000, "", [1, 2_000], "leaves that a query asks"),
    Knob::float("enough", 1.0, "ratio", [0.9, 1.0], "share of the leaves that a query waits for"),
    Knob::int("canaries", 0, "", [0, 2_000], "leaves that are asked first, as canaries"),
    Knob::float("poison", 0.001, "ratio", [0.0, 1.0], "share of queries that crash a leaf"),
    Knob::int("keys", 10_000, "", [100, 1_000_000], "number of distinct keys"),
    Knob::float(
        "skew",
        1.0,
        "",
        [0.0, 3.0],
        "exponent of the Zipf distribution of requests over keys",
    ),
];

const ONE_SERVER: [u64; 3] = [4_000_000, 10_000_000, 40_000_000];
const SLICES: [u64; 3] = [1_000_000, 4_000_000, 10_000_000];
const DEVICE: [u64; 3] = [10_000_000, 20_000_000, 100_000_000];
const COPIES: [u64; 3] = [500_000, 2_000_000, 5_000_000];
const QUERIES: [u64; 3] = [20_000, 100_000, 400_000];
const LOOKUPS: [u64; 3] = [100_000, 400_000, 2_000_000];

const DISK: &[(&str, &str)] =
    &[("order", "small-first"), ("large", "10ms"), ("small-load", "0.001")];

const VARIANTS: &[Variant] = &[
    variant("whole", "served in order of arrival, each to its end", one_server, ONE_SERVER),
    variant("sliced", "served a tenth of a millisecond each, in turn", one_server, SLICES)
        .with(&[("slice", "100us")]),
    variant("first", "small requests first", one_server, ONE_SERVER)
        .with(&[("order", "small-first")]),
    variant(
        "sliced-first",
        "small requests first, large ones in slices of a millisecond",
        one_server,
        SLICES,
    )
    .with(&[("order", "small-first"), ("slice", "1ms")]),
    variant("shallow", "a device that holds one request at a time", device::one_depth, DEVICE)
        .with(DISK),
    variant("deep", "a device that holds 32", device::one_depth, DEVICE).with(&[
        ("order", "small-first"),
        ("large", "10ms"),
        ("small-load", "0.001"),
        ("depth", "32"),
    ]),
    variant("depths", "a device that holds 1 to 32", device::depths, DEVICE).with(DISK),
    variant("once", "requests without second copies", copies::copies, COPIES)
        .with(&[("copies", "none")]),
    variant("equal", "second copies with the priority of first ones", copies::copies, COPIES),
    variant("low", "second copies with a lower priority", copies::copies, COPIES)
        .with(&[("copies", "low")]),
    variant("all", "queries that wait for all leaves", leaves::queries, QUERIES),
    variant("but-one", "queries that wait for all leaves but one", leaves::queries, QUERIES)
        .with(&[("enough", "0.9995")]),
    variant("enough", "queries that wait for 95 in a hundred", leaves::queries, QUERIES)
        .with(&[("enough", "0.95")]),
    variant("canary", "queries that ask one leaf first, and then all", leaves::queries, QUERIES)
        .with(&[("canaries", "1")]),
    variant("caches", "a cache that grows in steps", cache::lookups, LOOKUPS),
];

const fn variant(
    name: &'static str,
    why: &'static str,
    run: fn(&mut Ctx) -> anyhow::Result<()>,
    spans_ms: [u64; 3],
) -> Variant {
    Variant::new(name, why, run).simulated(spans_ms)
}
