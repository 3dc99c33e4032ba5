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
    Knob::duration("service-time", "4ms", ["100us", "1s"], "mean time a request keeps a server"),
    Knob::choice("work", &["exponential", "constant"], "how service times differ"),
    Knob::float("slow-share", 0.01, "ratio", [0.0, 1.0], "of outliers"),
    Knob::duration("slow-time", "1s", ["0s", "10s"], "how long an outlier keeps a server"),
    Knob::int("servers", 1, "", [1, 64], "servers with one line before them"),
    Knob::choice("arrivals", &["poisson", "even"], "whether they bunch"),
    Knob::float("load", 1.0, "times", [0.01, 10.0], "arrivals, of what each step asks for"),
    Knob::float("unseen", 0.0, "ratio", [0.0, 1.0], "what a real server does beyond its work"),
    Knob::float("speed", 1.0, "times", [0.1, 100.0], "how fast servers work"),
    Knob::choice("clock", &["client", "server"], "who times a request: who asks, or who serves"),
    Knob::int("clients", 32, "", [1, 256], "who wait for their answers: 1, 2, 4 … of them"),
    Knob::duration("think", "16ms", ["0s", "10s"], "pause of a client before it asks again"),
    Knob::float("gain", 1.25, "times", [1.0, 10.0], "how much faster the code becomes"),
    Knob::choice("then", &["load-grows", "load-stays"], "what follows once the code is faster"),
    Knob::duration("burst", "1s", ["0s", "1m"], "time in each minute that a machine is busy"),
    Knob::duration("share", "40ms", ["1ms", "10s"], "a worker's share of a job, by itself"),
    Knob::float("contention", 0.05, "ratio", [0.0, 1.0], "of a share, what only one can do"),
    Knob::float("coherency", 0.001, "ratio", [0.0, 1.0], "of a share, for each other worker"),
    Knob::choice("rounds", &["together", "apart"], "whether workers wait for each other"),
    Knob::float("noise", 0.002, "ratio", [0.0, 0.5], "how far a simulated point may be off"),
    Knob::int("tablet-servers", 500, "", [1, 500], "1, 50, 250 or 500 of Bigtable's"),
    Knob::choice("rows", &["printed", "made"], "Bigtable's table, or one made by the law"),
    Knob::choice("reads", &["parallel", "serial"], "how a disk serves them"),
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
    Variant::new("equal-work", "M/D/1: all requests are as long", |ctx| {
        quietly(ctx, staircase::run)
    })
    .live([800, 6_000, 60_000])
    .simulated(LONG)
    .responds()
    .with(&[("work", "constant")]),
    Variant::new("two-servers", "M/M/2: two servers, one line", |ctx| quietly(ctx, staircase::run))
        .live([800, 6_000, 60_000])
        .simulated(LONG)
        .responds()
        .with(&[("servers", "2")]),
    Variant::new("clients", "a closed world: clients who wait and think", |ctx| {
        quietly(ctx, closed::run)
    })
    .live([1_000, 6_000, 30_000])
    .simulated([600_000, 600_000, 6_000_000]),
    Variant::new("device", "16 parallel servers, clients who do not think", |ctx| {
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
    Variant::new("outliers", "one client, and each hundredth request takes a second", |ctx| {
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
    Variant::new("amdahl", "workers who share a lock", scaling::run)
        .simulated([60_000, 60_000, 600_000])
        .with(&[("coherency", "0"), ("noise", "0.02")]),
    Variant::new("usl", "workers who share a lock and agree", |ctx| quietly(ctx, scaling::run))
        .live([1_400, 6_000, 30_000])
        .simulated([60_000, 60_000, 600_000]),
];
