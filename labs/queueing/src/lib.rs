//! Why does latency explode before utilisation does?
//!
//! One `queue`, simulated and on a real TCP server, which serve the same requests. A `staircase` of
//! load shows the hockey stick, `closed` what clients who wait make of it; `scaling` has workers
//! that get in each other's way.

mod bursts;
mod charts;
mod claims;
mod closed;
mod efficiency;
mod fast_or_many;
mod lessons;
mod outliers;
mod published;
mod queue;
mod scaling;
mod served;
mod sources;
mod staircase;
mod story;

use lab_kit::cpus::quietly;
use lab_kit::{Knob, Lab, Variant};

/// The lab.
pub const LAB: Lab = Lab {
    name: "queueing",
    question: "Why does latency explode before utilisation does?",
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
    Knob::duration("service-time", "4ms", ["100us", "1s"], "mean service time of a request"),
    Knob::choice("work", &["exponential", "constant"], "distribution of service times"),
    Knob::float("slow-share", 0.01, "ratio", [0.0, 1.0], "share of requests that are outliers"),
    Knob::duration("slow-time", "1s", ["0s", "10s"], "service time of an outlier"),
    Knob::int("servers", 1, "", [1, 64], "servers that share one queue"),
    Knob::choice("arrivals", &["poisson", "even"], "arrivals: Poisson, or evenly spaced"),
    Knob::float("load", 1.0, "times", [0.01, 10.0], "arrival rate, in times what each step offers"),
    Knob::float(
        "unseen",
        0.0,
        "ratio",
        [0.0, 1.0],
        "extra work of the real server, in times the work that it reports",
    ),
    Knob::float("speed", 1.0, "times", [0.1, 100.0], "speed of the servers"),
    Knob::choice("clock", &["client", "server"], "who times a request: the client, or the server"),
    Knob::int("clients", 32, "", [1, 256], "most clients of the closed loop: 1, 2, 4 … up to this"),
    Knob::duration("think", "16ms", ["0s", "10s"], "think time of a client"),
    Knob::float("gain", 1.25, "times", [1.0, 10.0], "how many times faster the code becomes"),
    Knob::choice(
        "then",
        &["load-grows", "load-stays"],
        "what happens to the load when the code is faster",
    ),
    Knob::duration("burst", "1s", ["0s", "1m"], "busy time in each minute of a bursty machine"),
    Knob::duration(
        "share",
        "40ms",
        ["1ms", "10s"],
        "a worker's share of a job, when it works alone",
    ),
    Knob::float(
        "contention",
        0.05,
        "ratio",
        [0.0, 1.0],
        "serial part of a share, which one worker does at a time",
    ),
    Knob::float(
        "coherency",
        0.001,
        "ratio",
        [0.0, 1.0],
        "extra work for each other worker, in times a share",
    ),
    Knob::choice(
        "rounds",
        &["together", "apart"],
        "whether workers wait for each other after each round",
    ),
    Knob::float("noise", 0.002, "ratio", [0.0, 0.5], "error of a simulated point"),
    Knob::int(
        "tablet-servers",
        500,
        "",
        [1, 500],
        "row of Bigtable's table: 1, 50, 250 or 500 tablet servers",
    ),
    Knob::choice(
        "rows",
        &["printed", "made"],
        "Bigtable's printed table, or one computed from the USL",
    ),
    Knob::choice("reads", &["parallel", "serial"], "how the disk serves outstanding reads"),
];

/// Simulated milliseconds: at first 1.8 million requests on the last step.
const LONG: [u64; 3] = [15_000_000, 40_000_000, 80_000_000];

const VARIANTS: &[Variant] = &[
    Variant::new("one-server", "M/M/1: Poisson arrivals, exponential work", |ctx| {
        quietly(ctx, staircase::run)
    })
    .live([1_500, 12_000, 60_000])
    .simulated(LONG)
    .responds()
    .profiled(),
    Variant::new("equal-work", "M/D/1: Poisson arrivals, constant work", |ctx| {
        quietly(ctx, staircase::run)
    })
    .live([800, 6_000, 60_000])
    .simulated(LONG)
    .responds()
    .with(&[("work", "constant")]),
    Variant::new("two-servers", "M/M/2: two servers, one queue", |ctx| {
        quietly(ctx, staircase::run)
    })
    .live([800, 6_000, 60_000])
    .simulated(LONG)
    .responds()
    .with(&[("servers", "2")]),
    Variant::new("clients", "a closed loop: clients that wait and think", |ctx| {
        quietly(ctx, closed::run)
    })
    .live([1_000, 6_000, 30_000])
    .simulated([600_000, 600_000, 6_000_000]),
    Variant::new("device", "16 parallel servers, and clients that do not think", |ctx| {
        quietly(ctx, closed::run)
    })
    .live([500, 3_000, 20_000])
    .simulated([60_000, 60_000, 600_000])
    .with(&[
        ("servers", "16"),
        ("think", "0s"),
        ("work", "constant"),
        ("clients", "16"),
        ("service-time", "10ms"),
    ]),
    Variant::new("outliers", "one client, and every hundredth request takes a second", |ctx| {
        quietly(ctx, outliers::run)
    })
    .live([1_200, 4_400, 20_000])
    .simulated([6_000_000, 6_000_000, 60_000_000])
    .with(&[("service-time", "1ms")]),
    Variant::new("fast-or-many", "one fast server, or four slow ones", fast_or_many::run)
        .simulated([800_000, 4_000_000, 40_000_000])
        .with(&[("servers", "4")]),
    Variant::new("efficiency", "faster code, and then more load", efficiency::run)
        .simulated([2_000_000, 8_000_000, 80_000_000]),
    Variant::new("amdahl", "workers that share a lock", scaling::run)
        .simulated([60_000, 60_000, 600_000])
        .with(&[("coherency", "0"), ("noise", "0.02")]),
    Variant::new("usl", "workers that share a lock and exchange state", |ctx| {
        quietly(ctx, scaling::run)
    })
    .live([1_400, 6_000, 30_000])
    .simulated([60_000, 60_000, 600_000]),
];
