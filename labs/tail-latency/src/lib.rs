//! Why does the slowest of many decide, and what helps?
//!
//! A client asks a root, the root asks a hundred leaves over TCP, and the slowest of them decides.
//! `leaf` and `root` are the two servers as state machines without clock or socket; `live` puts
//! them on threads and connections, `simulation` on an agenda of events, and so every variant runs
//! in both. What the paper measured on thousands of machines is in `theory` and `studies`.

use std::time::Duration;

use anyhow::Result;
use lab_kit::{Ctx, End, Knob, Lab, Variant};

use crate::hedging::{Budget, HedgeDelay};
use crate::root::{Policy, Second};
use crate::setup::Setup;
use crate::slowness::Background;

mod actor;
mod charts;
mod claims;
mod distributions;
mod hedging;
mod leaf;
mod leaf_program;
mod lessons;
mod live;
mod message;
mod root;
mod server;
mod setup;
mod shard;
mod simulation;
mod slowness;
mod sources;
mod story;
mod studies;
pub mod theory;
mod wire;

/// The lab.
pub const LAB: Lab = Lab {
    name: "tail-latency",
    question: "Why does the slowest of many decide, and what tames it?",
    sources: &[&sources::DEAN_2013],
    knobs: KNOBS,
    variants: VARIANTS,
    claims: claims::CLAIMS,
    charts: charts::ALL,
    story: story::STORY,
    lessons: lessons::LESSONS,
    verbs: &[leaf_program::LEAF],
};

const KNOBS: &[Knob] = &[
    Knob::int("leaves", 100, "shards", [1, 20_000], "shards that a request is spread over"),
    Knob::float("rate", 100.0, "req/s", [0.1, 100_000.0], "requests offered a second"),
    Knob::int("work", 10, "records", [1, 100_000], "records a leaf looks up for a request"),
    Knob::int("workers", 8, "", [1, 100_000], "requests a leaf serves at once"),
    Knob::duration(
        "service-time",
        "10ms",
        ["0s", "10s"],
        "mean service time of a leaf that is not slow",
    ),
    Knob::float(
        "slow-fraction",
        0.01,
        "ratio",
        [0.0, 1.0],
        "share of requests at which a leaf is slow",
    ),
    Knob::duration("slow-time", "200ms", ["1us", "1m"], "service time of a slow leaf"),
    Knob::float(
        "correlation",
        0.0,
        "ratio",
        [0.0, 1.0],
        "share of slow requests at which both replicas are slow",
    ),
    Knob::choice(
        "hedge-at",
        &["p95", "p90", "p99", "fixed"],
        "latency of a leaf after which it is hedged",
    ),
    Knob::duration(
        "hedge-after",
        "10ms",
        ["0s", "1m"],
        "time after which a leaf is hedged, when hedge-at is fixed",
    ),
    Knob::float(
        "hedge-budget",
        0.1,
        "ratio",
        [0.0, 1.0],
        "hedges allowed per leaf asked; 1: no bound",
    ),
    Knob::duration("tie-after", "5ms", ["0s", "1m"], "delay of the second of two tied copies"),
    Knob::float(
        "fraction",
        0.95,
        "ratio",
        [0.01, 1.0],
        "share of the leaves that good-enough waits for",
    ),
    Knob::float(
        "duty-cycle",
        0.01,
        "ratio",
        [0.0, 1.0],
        "share of time that background work takes",
    ),
    Knob::duration("background-period", "1s", ["1ms", "1m"], "how often background work comes"),
    Knob::float(
        "chores",
        0.24,
        "ratio",
        [0.0, 0.8],
        "utilisation of a replica by background chores",
    ),
    Knob::choice(
        "pauses",
        &["shared", "none"],
        "whether all leaves pause together in table-1-shared",
    ),
    Knob::duration("message-delay", "0s", ["0s", "1s"], "mean delay of a simulated message"),
    Knob::choice(
        "messages",
        &["alike", "exponential"],
        "delays of messages: 0.5 to 1.5 times the mean, or exponential",
    ),
    Knob::text(
        "leaf-addresses",
        "",
        "addresses of leaves that run elsewhere: two for each shard, separated by commas",
    ),
];

const VARIANTS: &[Variant] = &[
    Variant::new("single", "one leaf: the tail that a single server has", all)
        .live([500, 2_000, 30_000])
        .responds()
        .simulated([10_000, 30_000, 300_000])
        .with(&[("leaves", "1")]),
    Variant::new("fan-out", "a hundred leaves answer: the slowest decides", all)
        .live([2_000, 14_000, 60_000])
        .responds()
        .simulated([15_000, 20_000, 300_000])
        .profiled(),
    Variant::new("hedged", "late leaves are asked a second time", hedged)
        .live([800, 2_000, 30_000])
        .responds()
        .simulated([12_000, 15_000, 200_000])
        .profiled(),
    Variant::new("tied", "two replicas are asked; the first to start cancels the other", tied)
        .live([500, 2_000, 30_000])
        .responds()
        .simulated([12_000, 15_000, 200_000])
        .with(FIVE_MESSAGES),
    Variant::new("good-enough", "the root answers when 95 of 100 leaves have", good_enough)
        .live([500, 2_000, 30_000])
        .responds()
        .simulated([12_000, 15_000, 200_000]),
    Variant::new("background-spread", "each leaf is busy 1 % of the time, on its own", spread)
        .live([2_000, 6_000, 30_000])
        .responds()
        .simulated([16_000, 30_000, 400_000])
        .with(NO_SLOW_LEAF),
    Variant::new("background-synchronized", "all leaves are busy at the same time", synchronized)
        .live([2_000, 6_000, 30_000])
        .responds()
        .simulated([16_000, 30_000, 400_000])
        .with(NO_SLOW_LEAF),
    Variant::new("two-thousand", "2,000 leaves; one request in 10,000 is slow at a leaf", all)
        .simulated([2_000, 5_000, 100_000])
        .with(&[("leaves", "2000"), ("slow-fraction", "0.0001"), ("work", "1")]),
    Variant::new("table-1-independent", "Table 1: leaves that are slow independently", {
        studies::table1_independent
    })
    .simulated([11_000, 11_000, 50_000])
    .with(TABLE_1),
    Variant::new("table-1-shared", "Table 1: leaves that share a parent server", {
        studies::table1_shared
    })
    .simulated([11_000, 20_000, 100_000])
    .with(TABLE_1),
    Variant::new("bigtable", "the paper's benchmark: 100 servers, no hedging", {
        studies::bigtable
    })
    .simulated([10_500, 100_000, 1_000_000])
    .expects(TAIL_WITHOUT_END)
    .with(NO_QUEUE),
    Variant::new("bigtable-hedged", "the same, asked again after 10 ms", {
        studies::bigtable_hedged
    })
    .simulated([10_500, 100_000, 1_000_000])
    .expects(TAIL_WITHOUT_END)
    .with(NO_QUEUE),
    Variant::new("hedge-sweep", "the same, asked again after 1 to 100 ms", {
        studies::hedge_sweep
    })
    .simulated([10_500, 10_500, 50_000])
    .with(NO_QUEUE),
    Variant::new("replica", "Table 2: two queues, chores among the requests", studies::replica)
        .simulated([4_000_000, 8_000_000, 20_000_000])
        .with(TABLE_2),
    Variant::new("replica-tied", "Table 2: the same, tied", studies::replica_tied)
        .simulated([4_000_000, 8_000_000, 20_000_000])
        .with(TABLE_2),
    Variant::new("terasort", "Table 2: beside a terasort, asked once", studies::replica)
        .simulated([40_000_000, 40_000_000, 100_000_000])
        .with(TERASORT),
    Variant::new("terasort-tied", "Table 2: tied, beside a terasort", studies::replica_tied)
        .simulated([40_000_000, 40_000_000, 100_000_000])
        .with(TERASORT),
    Variant::new(
        "tie-sweep",
        "share of requests whose copies both start, by tie delay",
        studies::tie_sweep,
    )
    .simulated([500_000, 1_000_000, 10_000_000])
    .with(&[
        ("leaves", "1"),
        ("rate", "2"),
        ("workers", "1"),
        ("service-time", "20ms"),
        ("slow-fraction", "0"),
        ("message-delay", "1ms"),
    ]),
    Variant::new("correlation-sweep", "what hedging gains when replicas are slow together", {
        studies::correlation_sweep
    })
    .simulated([8_000, 15_000, 100_000])
    .with(&[("hedge-budget", "1"), ("hedge-after", "50ms")]),
];

/// A tied request sends five messages where a plain one sends two, all through two threads. With a
/// hundred leaves these take as long as the copies are apart, and cancellations come too late: a
/// finding about this root, not about tying. With ten leaves they do not.
const FIVE_MESSAGES: &[(&str, &str)] = &[("leaves", "10")];
/// Background work is the only slowness: long compared with a service, and frequent enough to show
/// in the heat map of each trial; and enough requests to tell 1 in 100 from none.
const NO_SLOW_LEAF: &[(&str, &str)] = &[
    ("slow-fraction", "0"),
    ("service-time", "1ms"),
    ("rate", "200"),
    ("background-period", "2s"),
];
/// One leaf in two million takes longer than the client waits.
const TAIL_WITHOUT_END: &[End] = &[End::TimedOut];
/// A calibrated leaf time already includes its queueing, so batches may come at any rate.
const NO_QUEUE: &[(&str, &str)] =
    &[("workers", "100000"), ("work", "1"), ("hedge-budget", "1"), ("rate", "1000")];
const TABLE_1: &[(&str, &str)] = &[("leaves", "1000"), ("workers", "100000"), ("work", "1")];
const TABLE_2: &[(&str, &str)] =
    &[("leaves", "1"), ("workers", "1"), ("work", "1"), ("message-delay", "500us")];
const TERASORT: &[(&str, &str)] = &[
    ("leaves", "1"),
    ("workers", "1"),
    ("work", "1"),
    ("message-delay", "500us"),
    ("chores", "0.51"),
];

fn all(ctx: &mut Ctx) -> Result<()> {
    run(Setup::new(ctx, Policy::ALL), ctx)
}

fn hedged(ctx: &mut Ctx) -> Result<()> {
    let after = match ctx.text("hedge-at") {
        "p90" => HedgeDelay::live(0.90),
        "p95" => HedgeDelay::live(0.95),
        "p99" => HedgeDelay::live(0.99),
        _ => HedgeDelay::fixed(ctx.duration("hedge-after")),
    };
    let budget = Budget::new(ctx.float("hedge-budget"));
    let policy = Policy { fraction: 1.0, second: Second::Hedge { after, budget } };
    run(Setup::new(ctx, policy), ctx)
}

fn tied(ctx: &mut Ctx) -> Result<()> {
    let after = ctx.duration("tie-after");
    run(Setup::new(ctx, Policy { fraction: 1.0, second: Second::Tie { after } }), ctx)
}

fn good_enough(ctx: &mut Ctx) -> Result<()> {
    let fraction = ctx.float("fraction");
    run(Setup::new(ctx, Policy { fraction, second: Second::Never }), ctx)
}

fn spread(ctx: &mut Ctx) -> Result<()> {
    with_background(ctx, false)
}

fn synchronized(ctx: &mut Ctx) -> Result<()> {
    with_background(ctx, true)
}

fn with_background(ctx: &mut Ctx, synchronized: bool) -> Result<()> {
    let (duty_cycle, period): (f64, Duration) =
        (ctx.float("duty-cycle"), ctx.duration("background-period"));
    let mut setup = Setup::new(ctx, Policy::ALL);
    setup.background = Some(Background { duty_cycle, period, synchronized });
    run(setup, ctx)
}

fn run(setup: Setup, ctx: &mut Ctx) -> Result<()> {
    let found = if ctx.is_live() { live::run(&setup)? } else { simulation::run(&setup)? };
    found.file(ctx)
}
