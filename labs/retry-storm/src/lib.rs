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
    Knob::float("load", 0.7, "times", [0.01, 10.0], "requests, in times the server's capacity"),
    Knob::duration("work", "2ms", ["100us", "100ms"], "what an answer keeps the server for"),
    Knob::choice("sizes", &["equal", "bimodal"], "how work differs; 1 in 1,000 takes 100 times"),
    Knob::choice("arrivals", &["poisson", "at-once"], "when requests come; one of each client"),
    Knob::duration("trigger", "100ms", ["0s", "1m"], "the pause of the server that begins it"),
    Knob::int("clients", 16, "", [1, 1_000], "clients, each with a connection and a budget"),
    Knob::duration("timeout", "40ms", ["1ms", "10s"], "how long a client waits for an attempt"),
    Knob::int("retries", 3, "", [0, 20], "attempts after the first"),
    Knob::duration("backoff", "0s", ["0s", "10m"], "the first pause before a retry; it doubles"),
    Knob::choice("jitter", &["none", "full"], "whether a client takes a random part of it"),
    Knob::choice("budget", &["none", "bucket", "breaker"], "what bounds a client's retries"),
    Knob::float("tokens", 0.1, "retries", [0.0, 1.0], "what a success adds to the bucket"),
    Knob::float("bucket", 5.0, "retries", [1.0, 1_000.0], "what the bucket holds, and begins with"),
    Knob::float("threshold", 0.1, "ratio", [0.0, 1.0], "failures at which the breaker opens"),
    Knob::choice("knowledge", &["own", "shared"], "whether clients have one budget together"),
    Knob::choice("admit", &["all", "few", "in-time"], "who may wait, or is still served"),
    Knob::int("queue", 20, "", [1, 1_000_000], "how many may wait where few may"),
    Knob::choice("order", &["fifo", "lifo"], "who of those that wait is next"),
    Knob::choice("cure", &["none", "retries-off", "shed"], "what is done about it, and when"),
    Knob::float("failure-rate", 0.5, "ratio", [0.0, 1.0], "of a service that fails calls"),
    Knob::choice("population", &["open", "serial"], "ever new clients, or a hundred serial ones"),
    Knob::float("hit-ratio", 0.9, "ratio", [0.0, 0.99], "of a full cache"),
    Knob::choice("flush", &["yes", "no"], "whether the cache is emptied"),
];

/// Simulated milliseconds.
const STORM: [u64; 3] = [60_000, 120_000, 600_000];
const FAST: [u64; 3] = [10_000, 20_000, 100_000];
const CALLS: [u64; 3] = [2_000_000, 5_000_000, 50_000_000];
/// Measured milliseconds of a live trial: the last three fifths are ten times as long as the trigger.
const LIVE: [u64; 3] = [2_000, 8_000, 30_000];
/// Longer, since retries also have to use up a bucket's initial tokens.
const LIVE_BUCKET: [u64; 3] = [3_000, 8_000, 30_000];
/// The ends of requests that the experiment expects.
const LOST: &[End] = &[End::Refused, End::TimedOut, End::InFlight];

const VARIANTS: &[Variant] = &[
    server("storm", "three retries, and everybody waits").live(LIVE),
    server("no-retries", "the same without retries").live(LIVE).with(&[("retries", "0")]),
    server("bucket", "retries from a bucket of tokens")
        .live(LIVE_BUCKET)
        .with(&[("budget", "bucket")]),
    server("in-time", "who cannot be answered in time is refused")
        .live(LIVE)
        .with(&[("admit", "in-time")]),
    server("last-first", "who came last is served first").live(LIVE).with(&[("order", "lifo")]),
    server("retries-off", "the storm, and then retries are switched off")
        .with(&[("cure", "retries-off")]),
    server("shed", "the storm, and then few requests are let in for a while")
        .with(&[("cure", "shed")]),
    Variant::new("hidden-capacity", "the load that the server recovers at, by retries", {
        storm::hidden_capacity
    })
    .simulated(STORM)
    .with(&[("trigger", "2s")]),
    server("bimodal", "few requests are long, and nobody tries again")
        .simulated(FAST)
        .with(BIMODAL),
    server("bimodal-retried", "the same with a retry after 15 ms")
        .simulated(FAST)
        .with(BIMODAL_RETRIED),
    server("at-once", "a thousand clients fail together and come back together").with(TOGETHER),
    server("at-once-jittered", "they come back at random").with(TOGETHER_JITTERED),
    failing("n-retries", "a service that fails calls, and three retries"),
    failing("n-retries-bucket", "retries from a bucket")
        .with(&[("clients", "100"), ("budget", "bucket")]),
    failing("n-retries-breaker", "retries behind a breaker")
        .with(&[("clients", "100"), ("budget", "breaker")]),
    Variant::new("crowd", "the same calls from 10, 100 and 1,000 clients", failing::by_clients)
        .simulated(CALLS),
    Variant::new("backoff-open", "backoff of ever new clients", failing::backing_off)
        .simulated(STORM)
        .with(&[("backoff", "100ms")]),
    Variant::new("backoff-serial", "backoff of a hundred serial clients", failing::backing_off)
        .simulated(STORM)
        .with(&[("backoff", "100ms"), ("population", "serial")]),
    Variant::new("cold-cache", "a cache that is emptied, and everybody waits", cache::run)
        .simulated(STORM)
        .expects(LOST)
        .with(CACHE),
    Variant::new("cold-cache-bounded", "the same, and ten may wait", cache::run)
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
