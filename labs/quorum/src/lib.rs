//! Is a quorum tail-tolerant by itself?
//!
//! `replicas` answer a client, each fast as a rule and slow now and then, independently or
//! together. `operations` wait for some of them: a quorum, all, a chain of them, enough pieces of a
//! block, or those that have seen the last write. Everything is simulated.

mod charts;
mod claims;
mod lessons;
mod operations;
mod replicas;
mod sources;
mod story;

use lab_kit::{Ctx, Knob, Lab, Variant};

use crate::operations::{chain, quorum, read_after_write, rebuild};

/// The lab.
pub const LAB: Lab = Lab {
    name: "quorum",
    question: "Is a quorum tail-tolerant by itself?",
    sources: &[
        &sources::DEAN_2013,
        &sources::BROOKER_2021,
        &sources::BROOKER_2023,
        &sources::GIFFORD_1979,
    ],
    knobs: KNOBS,
    variants: VARIANTS,
    claims: claims::CLAIMS,
    charts: charts::ALL,
    story: story::STORY,
    lessons: lessons::LESSONS,
    verbs: &[],
};

const KNOBS: &[Knob] = &[
    Knob::int(
        "replicas",
        3,
        "",
        [1, 100],
        "replicas that are asked, or length of the chain of calls",
    ),
    Knob::int("wait-for", 2, "", [1, 100], "answers that an operation waits for"),
    Knob::float(
        "slow-share",
        0.01,
        "ratio",
        [0.0, 1.0],
        "share of answers that take 100 ms instead of 10",
    ),
    Knob::float(
        "shared",
        0.0,
        "ratio",
        [0.0, 1.0],
        "share of operations whose replicas are slow together",
    ),
    Knob::duration(
        "late-after",
        "50ms",
        ["1ms", "1s"],
        "response time above which an answer is late",
    ),
    Knob::float("load", 0.0, "ratio", [0.0, 0.9], "utilisation of each replica; 0: no queueing"),
    Knob::float("up", 1.0, "ratio", [0.0, 1.0], "availability of a replica"),
    Knob::float(
        "site-up",
        1.0,
        "ratio",
        [0.0, 1.0],
        "availability of the site that all replicas are in",
    ),
    Knob::int("pieces", 4, "", [1, 100], "pieces that are enough to rebuild a block"),
    Knob::int("asked", 5, "", [1, 100], "other servers that are asked for a piece"),
    Knob::duration(
        "rebuild-after",
        "15ms",
        ["0s", "10s"],
        "when other servers are asked for pieces",
    ),
    Knob::int("read", 2, "", [1, 100], "answers that a read waits for"),
    Knob::int("write", 2, "", [1, 100], "answers that a write waits for"),
];

/// Simulated milliseconds, with one operation in each.
const SPAN: [u64; 3] = [400_000, 1_000_000, 4_000_000];
/// For probabilities of one in ten thousand.
const LONG: [u64; 3] = [2_000_000, 4_000_000, 20_000_000];

const VARIANTS: &[Variant] = &[
    waits("one", "one replica", |ctx| quorum(ctx, "operation"))
        .with(&[("replicas", "1"), ("wait-for", "1")]),
    waits("any", "the first of three answers", |ctx| quorum(ctx, "operation"))
        .with(&[("wait-for", "1")]),
    waits("majority", "two of three answers", |ctx| quorum(ctx, "operation")),
    waits("all", "three of three answers", |ctx| quorum(ctx, "operation"))
        .with(&[("wait-for", "3")]),
    waits("together", "two of three, where half of the slowness is shared", |ctx| {
        quorum(ctx, "operation")
    })
    .with(&[("shared", "0.5")]),
    waits("parallel", "ten services at once: the slowest decides", |ctx| quorum(ctx, "call"))
        .with(&[("replicas", "10"), ("wait-for", "10")]),
    waits("serial", "ten services one after another", chain).with(&[("replicas", "10")]),
    waits("block", "a block from the server that has it", |ctx| quorum(ctx, "read")).with(&[
        ("slow-share", "0.1"),
        ("replicas", "1"),
        ("wait-for", "1"),
    ]),
    waits("rebuilt", "the same, or rebuilt from four of five pieces", rebuild)
        .with(&[("slow-share", "0.1")]),
    waits("overlap", "writes and reads that wait for two of three", read_after_write),
    waits("apart", "writes and reads that wait for one of three", read_after_write)
        .with(&[("read", "1"), ("write", "1")]),
    waits("hosts", "two hosts, one of which is enough", |ctx| quorum(ctx, "host"))
        .simulated(LONG)
        .with(&[("replicas", "2"), ("wait-for", "1"), ("up", "0.99")]),
    waits("site", "two hosts in one place", |ctx| quorum(ctx, "host")).simulated(LONG).with(&[
        ("replicas", "2"),
        ("wait-for", "1"),
        ("up", "0.99"),
        ("site-up", "0.999"),
    ]),
];

const fn waits(
    name: &'static str,
    why: &'static str,
    run: fn(&mut Ctx) -> anyhow::Result<()>,
) -> Variant {
    Variant::new(name, why, run).simulated(SPAN)
}
