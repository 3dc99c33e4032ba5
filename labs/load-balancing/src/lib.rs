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
    Knob::int("servers", 100, "", [1, 100_000], "number of servers"),
    Knob::float("load", 0.9, "ratio", [0.0, 0.99], "utilisation of each server"),
    Knob::duration("service", "1s", ["1ms", "1h"], "mean service time of a request"),
    Knob::choice("sizes", &["exponential", "equal"], "distribution of service times"),
    Knob::choice("arrivals", &["poisson", "even"], "arrivals: Poisson, or evenly spaced"),
    Knob::choice(
        "policy",
        &["best-of", "round-robin", "least", "tied"],
        "how a balancer chooses a server",
    ),
    Knob::int("choices", 2, "", [1, 100], "queues that a request compares, or joins"),
    Knob::int("balancers", 1, "", [1, 100_000], "independent round-robin balancers"),
    Knob::duration("refresh", "0s", ["0s", "24h"], "how long known queue lengths are used"),
    Knob::duration(
        "probe",
        "0s",
        ["0s", "24h"],
        "delay between reading the queue lengths and the request's arrival",
    ),
    Knob::float("slow", 10.0, "times", [1.0, 1_000.0], "slowdown of the slow server"),
    Knob::float(
        "probation",
        5.0,
        "times",
        [1.0, 1e9],
        "multiple of the median response that puts a server on probation",
    ),
    Knob::float(
        "shadow",
        0.01,
        "ratio",
        [0.0, 1.0],
        "share of requests copied to servers on probation",
    ),
    Knob::int("keys", 10_000, "", [1, 1_000_000], "number of keys"),
    Knob::float(
        "skew",
        1.2,
        "",
        [0.0, 3.0],
        "exponent of the Zipf distribution of requests over keys",
    ),
    Knob::int("points", 100, "", [1, 1_000], "points of each server on the hash ring"),
    Knob::int("partitions", 20, "", [1, 1_000], "partitions of data on each server"),
    Knob::int("replicated", 10, "", [0, 1_000], "hot partitions that are copied to all servers"),
    Knob::int("shards", 480, "", [1, 100_000], "shards in the table that maps shards to hosts"),
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
    variant("random", "a server at random", LONG, routing::requests).with(&[("choices", "1")]),
    variant("two", "the shorter of two random queues", LONG, routing::requests),
    variant("three", "the shortest of three random queues", LONG, routing::requests)
        .with(&[("choices", "3")]),
    variant("in-turn", "round robin", LONG, routing::requests).with(&[("policy", "round-robin")]),
    variant("random-by-load", "a server at random, over a range of loads", LOADS, routing::by_load)
        .with(&[("load", "0.95"), ("choices", "1")]),
    variant(
        "two-by-load",
        "the shorter of two queues, over a range of loads",
        LOADS,
        routing::by_load,
    )
    .with(&[("load", "0.99")]),
    variant(
        "three-by-load",
        "the shortest of three queues, over a range of loads",
        LOADS,
        routing::by_load,
    )
    .with(&[("load", "0.99"), ("choices", "3")]),
    variant("many", "a hundred to a hundred thousand servers", CROWD, routing::by_servers)
        .with(&[("servers", "100000"), ("service", "20s")]),
    variant("old-data", "queue lengths that are up to 25 service times old", SWEEP, |ctx| {
        routing::by_age(ctx, &charts::OF_A_HUNDRED)
    })
    .with(&[("refresh", "25s")]),
    variant("post", "ten servers and stale queue lengths, as in the post", POST, |ctx| {
        routing::by_age(ctx, &charts::OF_TEN)
    })
    .with(POST_SYSTEM),
    variant(
        "herd",
        "all requests to the queue that was shortest a while ago",
        SEEN,
        routing::requests,
    )
    .with(HERD),
    variant(
        "two-by-old-data",
        "the shorter of two queues, by the same stale data",
        SEEN,
        routing::requests,
    )
    .with(SPREAD),
    variant("probes", "probing queues before sending, against joining two queues", SWEEP, {
        routing::by_probe
    })
    .with(&[("load", "0.7")]),
    variant("no-probation", "one server is slow for a while", SEEN, probation::run).with(&[
        ("servers", "10"),
        ("load", "0.5"),
        ("service", "100ms"),
        ("probation", "1e9"),
    ]),
    variant("probation", "the same, and the slow server is put on probation", SEEN, probation::run)
        .with(&[("servers", "10"), ("load", "0.5"), ("service", "100ms")]),
    variant("ring", "consistent hashing, with more and more points", COUNTED, placement::ring)
        .with(&[("points", "100")]),
    variant("growth", "from 32 to 96 hosts, step by step", COUNTED, placement::growth)
        .with(&[("keys", "100000")]),
    variant("recovery", "a server fails, and others take its data", COUNTED, partitions::recovery)
        .with(&[("keys", "1000000")]),
    variant(
        "replication",
        "hot partitions that are copied to all servers",
        COUNTED,
        partitions::replication,
    )
    .with(&[("servers", "20")]),
    variant("hot-shards", "hot keys in shards of equal size", COUNTED, partitions::hot_shards),
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
