//! Why does the outage outlive its cause?
//!
//! A server with spare capacity pauses once, and its clients retry: `storm`, live over TCP and
//! simulated, with the kit's own client and server, which `setup` describes. `failing` is a service
//! that fails a share of its calls, to show what retries, budgets, breakers and backoff add to its
//! load; `cache` is another loop that keeps a service down.
#![warn(missing_docs)]

mod cache;
mod charts;
mod claims;
mod failing;
mod lessons;
mod setup;
mod sources;
mod storm;
mod story;

use lab_kit::cpus::quietly;
use lab_kit::{End, Knob, Lab, Variant};

/// The lab.
pub const LAB: Lab = Lab {
    name: "retry-storm",
    question: "Why does the outage outlive its cause?",
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
    Knob::float("load", 0.7, "times", [0.01, 10.0], "offered load, in times the server's capacity"),
    Knob::duration("work", "2ms", ["100us", "100ms"], "service time of a request"),
    Knob::choice(
        "sizes",
        &["equal", "bimodal"],
        "service times: all equal, or 1 in 1,000 takes 100 times as long",
    ),
    Knob::choice(
        "arrivals",
        &["poisson", "at-once"],
        "arrivals: Poisson, or one request of each client at once",
    ),
    Knob::duration("trigger", "100ms", ["0s", "1m"], "pause of the server that starts the storm"),
    Knob::int("clients", 16, "", [1, 1_000], "clients, each with a connection and a budget"),
    Knob::duration("timeout", "40ms", ["1ms", "10s"], "how long a client waits for an attempt"),
    Knob::int("retries", 3, "", [0, 20], "attempts after the first"),
    Knob::duration(
        "backoff",
        "0s",
        ["0s", "10m"],
        "pause before the first retry; it doubles with each",
    ),
    Knob::choice(
        "jitter",
        &["none", "full"],
        "whether a client waits a random part of the backoff",
    ),
    Knob::choice("budget", &["none", "bucket", "breaker"], "what bounds a client's retries"),
    Knob::float("tokens", 0.1, "retries", [0.0, 1.0], "tokens that a success adds to the bucket"),
    Knob::float(
        "bucket",
        5.0,
        "retries",
        [1.0, 1_000.0],
        "tokens that the bucket holds, and starts with",
    ),
    Knob::float(
        "threshold",
        0.1,
        "ratio",
        [0.0, 1.0],
        "share of failures at which the breaker opens",
    ),
    Knob::choice("knowledge", &["own", "shared"], "whether clients share one retry budget"),
    Knob::choice(
        "admit",
        &["all", "few", "in-time"],
        "which requests are admitted to the queue, and still served",
    ),
    Knob::int("queue", 20, "", [1, 1_000_000], "length of the queue when admit is few"),
    Knob::choice("order", &["fifo", "lifo"], "which waiting request is served next"),
    Knob::choice(
        "cure",
        &["none", "retries-off", "shed"],
        "what the operator does to end the storm",
    ),
    Knob::float("failure-rate", 0.5, "ratio", [0.0, 1.0], "share of calls that the service fails"),
    Knob::choice(
        "population",
        &["open", "serial"],
        "clients: new ones for each request, or a hundred that wait for answers",
    ),
    Knob::float("hit-ratio", 0.9, "ratio", [0.0, 0.99], "hit ratio of the full cache"),
    Knob::choice("flush", &["yes", "no"], "whether the cache is emptied during the trial"),
];

/// Simulated milliseconds.
const STORM: [u64; 3] = [60_000, 120_000, 600_000];
const FAST: [u64; 3] = [10_000, 20_000, 100_000];
const CALLS: [u64; 3] = [2_000_000, 5_000_000, 50_000_000];
/// Measured milliseconds of a live trial: the last three fifths are ten times as long as the trigger.
const LIVE: [u64; 3] = [2_000, 8_000, 30_000];
/// Longer, since retries also have to use up a bucket's initial tokens.
const LIVE_BUCKET: [u64; 3] = [4_000, 8_000, 30_000];
/// The ends of requests that the experiment expects.
const LOST: &[End] = &[End::Refused, End::TimedOut, End::InFlight];

const VARIANTS: &[Variant] = &[
    server("storm", "three retries, and an unbounded queue").live(LIVE),
    server("no-retries", "the same without retries").live(LIVE).with(&[("retries", "0")]),
    server("bucket", "retries limited by a token bucket")
        .live(LIVE_BUCKET)
        .with(&[("budget", "bucket")]),
    server("in-time", "requests that cannot be answered in time are refused")
        .live(LIVE)
        .with(&[("admit", "in-time")]),
    server("last-first", "last in, first out").live(LIVE).with(&[("order", "lifo")]),
    server("retries-off", "the storm, and then retries are switched off")
        .with(&[("cure", "retries-off")]),
    server("shed", "the storm, and then few requests are admitted for a while")
        .with(&[("cure", "shed")]),
    Variant::new(
        "hidden-capacity",
        "the load from which the server recovers, by number of retries",
        storm::hidden_capacity,
    )
    .simulated(STORM)
    .with(&[("trigger", "2s")]),
    server("bimodal", "a few long requests, and no retries").simulated(FAST).with(BIMODAL),
    server("bimodal-retried", "the same, with a retry after 15 ms")
        .simulated(FAST)
        .with(BIMODAL_RETRIED),
    server("at-once", "a thousand clients fail together and come back together").with(TOGETHER),
    server("at-once-jittered", "the same, and they come back at random").with(TOGETHER_JITTERED),
    failing("n-retries", "a service that fails calls, and three retries"),
    failing("n-retries-bucket", "the same, limited by a token bucket")
        .with(&[("clients", "100"), ("budget", "bucket")]),
    failing("n-retries-breaker", "the same, behind a circuit breaker")
        .with(&[("clients", "100"), ("budget", "breaker")]),
    Variant::new("crowd", "the same calls from 10, 100 and 1,000 clients", failing::by_clients)
        .simulated(CALLS),
    Variant::new("backoff-open", "backoff, with new clients all the time", failing::backing_off)
        .simulated(STORM)
        .with(&[("backoff", "100ms")]),
    Variant::new(
        "backoff-serial",
        "backoff, with a hundred clients that wait for their answers",
        failing::backing_off,
    )
    .simulated(STORM)
    .with(&[("backoff", "100ms"), ("population", "serial")]),
    Variant::new("cold-cache", "a cache that is emptied, and an unbounded queue", cache::run)
        .simulated(STORM)
        .expects(LOST)
        .with(CACHE),
    Variant::new("cold-cache-bounded", "the same, and a queue of ten", cache::run)
        .simulated(STORM)
        .expects(LOST)
        .with(CACHE_BOUNDED),
];

/// A server with 80 % utilisation, and mostly short requests.
const BIMODAL: &[(&str, &str)] = &[
    ("sizes", "bimodal"),
    ("work", "100us"),
    ("load", "0.8"),
    ("timeout", "15ms"),
    ("trigger", "0s"),
    ("retries", "0"),
];
const BIMODAL_RETRIED: &[(&str, &str)] = &[
    ("sizes", "bimodal"),
    ("work", "100us"),
    ("load", "0.8"),
    ("timeout", "15ms"),
    ("trigger", "0s"),
    ("retries", "1"),
];
/// A thousand clients that all ask at the moment of the trigger; twenty may wait.
const TOGETHER: &[(&str, &str)] = &[
    ("arrivals", "at-once"),
    ("clients", "1000"),
    ("admit", "few"),
    ("retries", "8"),
    ("backoff", "10ms"),
    ("trigger", "0s"),
];
const TOGETHER_JITTERED: &[(&str, &str)] = &[
    ("arrivals", "at-once"),
    ("clients", "1000"),
    ("admit", "few"),
    ("retries", "8"),
    ("backoff", "10ms"),
    ("trigger", "0s"),
    ("jitter", "full"),
];
/// The server can answer three tenths of the requests; a full cache answers nine tenths.
const CACHE: &[(&str, &str)] = &[("load", "3.3333"), ("retries", "0"), ("trigger", "0s")];
const CACHE_BOUNDED: &[(&str, &str)] =
    &[("load", "3.3333"), ("retries", "0"), ("trigger", "0s"), ("admit", "few"), ("queue", "10")];

/// A server with a queue, and clients that give up.
const fn server(name: &'static str, why: &'static str) -> Variant {
    Variant::new(name, why, |ctx| quietly(ctx, storm::run))
        .simulated(STORM)
        .responds()
        .expects(LOST)
}

/// A service that fails a share of its calls.
const fn failing(name: &'static str, why: &'static str) -> Variant {
    Variant::new(name, why, failing::by_failure_rate).simulated(CALLS)
}
