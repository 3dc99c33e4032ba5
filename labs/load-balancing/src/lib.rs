//! Where should the next request go?
//!
//! A `balancer` spreads requests over `servers`, with or without knowledge of their queues. `setup`
//! reads the knobs, and `routing` measures responses and queues. In `probation` one server is slow
//! for a while. `placement` and `partitions` are about requests that must go where their data is.
//! Everything is simulated.

mod balancer;
mod charts;
mod claims;
mod lengths;
mod lessons;
mod partitions;
mod placement;
mod probation;
mod routing;
mod servers;
mod setup;
mod sources;
mod story;
mod theory;

use lab_kit::{Ctx, Knob, Lab, Variant};

/// The lab.
pub const LAB: Lab = Lab {
    name: "load-balancing",
    question: "Where should the next request go?",
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
    Knob::int("servers", 100, "", [1, 100_000], "that requests go to"),
    Knob::float("load", 0.9, "ratio", [0.0, 0.99], "how busy each server is"),
    Knob::duration("service", "1s", ["1ms", "1h"], "how long a request keeps a server, on average"),
    Knob::choice("sizes", &["exponential", "equal"], "how that differs"),
    Knob::choice("arrivals", &["poisson", "even"], "when requests come"),
    Knob::choice(
        "policy",
        &["best-of", "round-robin", "least", "tied"],
        "who is chosen, and by what",
    ),
    Knob::int("choices", 2, "", [1, 100], "queues that are looked at, or waited in"),
    Knob::int("balancers", 1, "", [1, 100_000], "that take turns, each for itself"),
    Knob::duration("refresh", "0s", ["0s", "24h"], "how long a look at the queues is used"),
    Knob::duration("probe", "0s", ["0s", "24h"], "how long after a look the request comes"),
    Knob::float("slow", 10.0, "times", [1.0, 1_000.0], "as long does the slow server take"),
    Knob::float("probation", 5.0, "times", [1.0, 1e9], "the usual response: too slow for requests"),
    Knob::float("shadow", 0.01, "ratio", [0.0, 1.0], "of requests: copied to who is on probation"),
    Knob::int("keys", 10_000, "", [1, 1_000_000], "of data"),
    Knob::float("skew", 1.2, "", [0.0, 3.0], "Zipf's exponent of requests for keys"),
    Knob::int("points", 100, "", [1, 1_000], "of each server on a hash ring"),
    Knob::int("partitions", 20, "", [1, 1_000], "of data on each server"),
    Knob::int("replicated", 10, "", [0, 1_000], "hot partitions that all servers have"),
    Knob::int("shards", 480, "", [1, 100_000], "in the table of which host has which"),
];

/// Simulated milliseconds; the mean service time is one second.
const LONG: [u64; 3] = [20_000_000, 40_000_000, 200_000_000];
const LOADS: [u64; 3] = [8_000_000, 24_000_000, 100_000_000];
const SWEEP: [u64; 3] = [2_000_000, 8_000_000, 40_000_000];
const CROWD: [u64; 3] = [600_000, 1_200_000, 4_000_000];
/// For the blog post's system, in which a request comes every second.
const POST: [u64; 3] = [20_000_000, 100_000_000, 400_000_000];
const SEEN: [u64; 3] = [1_200_000, 1_200_000, 1_200_000];
/// For variants without time: each simulated second is a shuffle, or part of a ring.
const COUNTED: [u64; 3] = [5_000_000, 50_000_000, 50_000_000];

const VARIANTS: &[Variant] = &[
    variant("random", "any server", LONG, routing::requests).with(&[("choices", "1")]),
    variant("two", "the shorter of two queues", LONG, routing::requests),
    variant("three", "the shortest of three", LONG, routing::requests).with(&[("choices", "3")]),
    variant("in-turn", "one server after another", LONG, routing::requests)
        .with(&[("policy", "round-robin")]),
    variant("random-by-load", "any server, at one load after another", LOADS, routing::by_load)
        .with(&[("load", "0.95"), ("choices", "1")]),
    variant("two-by-load", "the shorter of two queues", LOADS, routing::by_load)
        .with(&[("load", "0.99")]),
    variant("three-by-load", "the shortest of three", LOADS, routing::by_load)
        .with(&[("load", "0.99"), ("choices", "3")]),
    variant("many", "a hundred to a hundred thousand servers", CROWD, routing::by_servers)
        .with(&[("servers", "100000"), ("service", "20s")]),
    variant("old-data", "queues as they were up to 25 services ago", SWEEP, |ctx| {
        routing::by_age(ctx, &charts::OF_A_HUNDRED)
    })
    .with(&[("refresh", "25s")]),
    variant("post", "ten servers and old data, as in the post", POST, |ctx| {
        routing::by_age(ctx, &charts::OF_TEN)
    })
    .with(POST_SYSTEM),
    variant("herd", "all go to the shortest queue of a while ago", SEEN, routing::requests)
        .with(HERD),
    variant("two-by-old-data", "the better of two by the same data", SEEN, routing::requests)
        .with(SPREAD),
    variant("probes", "who looks and goes, against who waits in two queues", SWEEP, {
        routing::by_probe
    })
    .with(&[("load", "0.7")]),
    variant("no-probation", "one server is slow for a while", SEEN, probation::run).with(&[
        ("servers", "10"),
        ("load", "0.5"),
        ("service", "100ms"),
        ("probation", "1e9"),
    ]),
    variant("probation", "the same, and it is put on probation", SEEN, probation::run).with(&[
        ("servers", "10"),
        ("load", "0.5"),
        ("service", "100ms"),
    ]),
    variant("ring", "consistent hashing, with more and more points", COUNTED, placement::ring)
        .with(&[("points", "100")]),
    variant("growth", "from 32 to 96 hosts, step by step", COUNTED, placement::growth)
        .with(&[("keys", "100000")]),
    variant("recovery", "a server fails, and others take its data", COUNTED, partitions::recovery)
        .with(&[("keys", "1000000")]),
    variant("replication", "hot partitions on all servers", COUNTED, partitions::replication)
        .with(&[("servers", "20")]),
    variant("hot-shards", "hot keys in even shards", COUNTED, partitions::hot_shards),
];

/// Brooker's ten servers: one request a second, of eight seconds each.
const POST_SYSTEM: &[(&str, &str)] = &[
    ("servers", "10"),
    ("load", "0.8"),
    ("service", "8s"),
    ("sizes", "equal"),
    ("arrivals", "even"),
    ("refresh", "100s"),
];
/// The same system, in a trial short enough to draw.
const HERD: &[(&str, &str)] = &[
    ("servers", "10"),
    ("load", "0.8"),
    ("service", "8s"),
    ("sizes", "equal"),
    ("arrivals", "even"),
    ("refresh", "40s"),
    ("policy", "least"),
];
const SPREAD: &[(&str, &str)] = &[
    ("servers", "10"),
    ("load", "0.8"),
    ("service", "8s"),
    ("sizes", "equal"),
    ("arrivals", "even"),
    ("refresh", "40s"),
];

const fn variant(
    name: &'static str,
    why: &'static str,
    spans: [u64; 3],
    run: fn(&mut Ctx) -> anyhow::Result<()>,
) -> Variant {
    Variant::new(name, why, run).simulated(spans)
}
