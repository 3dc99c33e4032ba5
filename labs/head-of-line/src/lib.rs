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
    Knob::duration("small", "1ms", ["10us", "1s"], "work of a small request, or time of a hit"),
    Knob::duration("large", "100ms", ["10us", "10s"], "work of a large one, or time of a miss"),
    Knob::float("small-load", 0.3, "ratio", [0.001, 0.9], "how busy small requests keep a server"),
    Knob::float("large-load", 0.2, "ratio", [0.0, 0.9], "how busy large ones do"),
    Knob::duration("slice", "0s", ["0s", "10s"], "work before a request waits again; 0: all of it"),
    Knob::choice("order", &["arrival", "small-first"], "who starts next"),
    Knob::int("depth", 1, "requests", [1, 64], "requests that the device has"),
    Knob::int("backlog", 64, "requests", [1, 1_000], "batch requests, which come again and again"),
    Knob::int("servers", 10, "", [2, 1_000], "to which a request or its copy may go"),
    Knob::float("load", 0.7, "ratio", [0.05, 0.9], "how busy first copies keep each"),
    Knob::duration("service", "10ms", ["100us", "1s"], "mean work of a copy"),
    Knob::duration("hedge-after", "100ms", ["0s", "1m"], "when a second copy is sent"),
    Knob::choice(
        "copies",
        &["equal", "low", "none"],
        "priority of second copies, if there are any",
    ),
    Knob::int("leaves", 2_000, "", [1, 2_000], "that a query asks"),
    Knob::float("enough", 1.0, "ratio", [0.9, 1.0], "of the leaves, for which a query waits"),
    Knob::int("canaries", 0, "", [0, 2_000], "leaves that are asked before the others"),
    Knob::float("poison", 0.001, "ratio", [0.0, 1.0], "of queries, which crash a leaf"),
    Knob::int("keys", 10_000, "", [100, 1_000_000], "that are asked for"),
    Knob::float("skew", 1.0, "", [0.0, 3.0], "exponent of Zipf's distribution over them"),
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
    variant("whole", "in order of arrival, each to its end", one_server, ONE_SERVER),
    variant("sliced", "a tenth of a millisecond for each, in turn", one_server, SLICES)
        .with(&[("slice", "100us")]),
    variant("first", "the small ones first", one_server, ONE_SERVER)
        .with(&[("order", "small-first")]),
    variant("sliced-first", "the small ones first, after a millisecond", one_server, SLICES)
        .with(&[("order", "small-first"), ("slice", "1ms")]),
    variant("shallow", "a device that has one request", device::one_depth, DEVICE).with(DISK),
    variant("deep", "a device that has 32", device::one_depth, DEVICE).with(&[
        ("order", "small-first"),
        ("large", "10ms"),
        ("small-load", "0.001"),
        ("depth", "32"),
    ]),
    variant("depths", "a device that has 1 to 32", device::depths, DEVICE).with(DISK),
    variant("once", "no second copies", copies::copies, COPIES).with(&[("copies", "none")]),
    variant("equal", "second copies like first ones", copies::copies, COPIES),
    variant("low", "second copies after all first ones", copies::copies, COPIES)
        .with(&[("copies", "low")]),
    variant("all", "the answers of all leaves", leaves::queries, QUERIES),
    variant("but-one", "all but one", leaves::queries, QUERIES).with(&[("enough", "0.9995")]),
    variant("enough", "95 in a hundred", leaves::queries, QUERIES).with(&[("enough", "0.95")]),
    variant("canary", "one leaf, and then all", leaves::queries, QUERIES)
        .with(&[("canaries", "1")]),
    variant("caches", "larger and larger caches", cache::lookups, LOOKUPS),
];

const fn variant(
    name: &'static str,
    why: &'static str,
    run: fn(&mut Ctx) -> anyhow::Result<()>,
    spans_ms: [u64; 3],
) -> Variant {
    Variant::new(name, why, run).simulated(spans_ms)
}
