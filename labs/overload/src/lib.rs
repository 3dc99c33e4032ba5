//! What should a server do with more than it can?
//!
//! A TCP server on one CPU gets up to three times the load it can serve, from clients with a
//! timeout. `setup` has its policies, `sweep` raises its load step by step, and `simulation` runs
//! the same queue in simulated time. `clients`, `stage` and `nodes` are simulated: clients that
//! wait for a connection, a stage's controllers, and a service that loses nodes.

mod charts;
mod claims;
mod clients;
mod lessons;
mod nodes;
mod setup;
mod simulation;
mod sources;
mod stage;
mod story;
mod sweep;

use lab_kit::{End, Knob, Lab, Variant};

/// The lab.
pub const LAB: Lab = Lab {
    name: "overload",
    question: "What should a server do with more than it can?",
    sources: &[
        &sources::SEDA,
        &sources::WELSH_2003,
        &sources::BREWER_2001,
        &sources::JAIN_1984,
        &sources::MAURER_2015,
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
    Knob::float("load", 3.0, "times", [0.1, 10.0], "the most that is asked, in times the capacity"),
    Knob::duration("work", "2ms", ["500us", "10ms"], "what an answer keeps the server's CPU for"),
    Knob::duration("timeout", "100ms", ["1ms", "2s"], "how long a client waits"),
    Knob::choice("threads", &["one", "each"], "one serves, or each request has its own"),
    Knob::choice("admit", &["all", "few", "adaptive"], "who may wait"),
    Knob::choice("order", &["fifo", "lifo"], "who of those that wait is next"),
    Knob::int("queue", 20, "", [1, 1_000_000], "how many may wait where few may"),
    Knob::duration("target", "50ms", ["1ms", "10s"], "the p90 that adaptive admission holds"),
    Knob::float("harvest", 1.0, "ratio", [0.05, 1.0], "the share of a whole answer that all get"),
    Knob::int("clients", 1_000, "", [1, 100_000], "clients of the closed world"),
    Knob::int("processes", 150, "", [1, 100_000], "connections that are served at a time"),
    Knob::int("backlog", 128, "", [0, 100_000], "connections that wait for a process"),
    Knob::duration("overhead", "1ms", ["0s", "100ms"], "what a batch costs beside its events"),
    Knob::choice("thread-controller", &["on", "off"], "whether a stage gets more threads"),
    Knob::int("nodes", 5, "", [1, 20], "nodes of a service"),
    Knob::int("lost", 2, "", [0, 20], "nodes that it loses"),
];

/// The measured span of the trials that sweep the load: quick, default and full, in milliseconds.
const SPAN: [u64; 3] = [800, 5_000, 30_000];
/// The same for simulations.
const SIMULATED: [u64; 3] = [60_000, 120_000, 600_000];
const CLIENTS: [u64; 3] = [120_000, 120_000, 600_000];
const NODES: [u64; 3] = [10_000, 20_000, 60_000];
/// The ends of requests that overload causes.
const SHED: &[End] = &[End::Refused, End::TimedOut, End::InFlight];

const VARIANTS: &[Variant] = &[
    asked("queue-all", "one thread, and everybody may wait"),
    asked("queue-few", "one thread, and few may wait").with(&[("admit", "few")]),
    asked("last-first", "one thread, and who came last is next").with(&[("order", "lifo")]),
    asked("adaptive", "as many may wait as hold a p90").with(&[("admit", "adaptive")]),
    asked("thread-each", "a thread for each request").with(&[("threads", "each")]),
    asked("smaller-answers", "everybody gets a third of an answer")
        .with(&[("admit", "few"), ("harvest", "0.333")]),
    Variant::new("processes", "a thousand clients, 150 connections at a time", clients::run)
        .simulated(CLIENTS)
        .with(&[("work", "1400us")]),
    Variant::new("stages", "the same clients, all connected", clients::run)
        .simulated(CLIENTS)
        .with(&[("work", "1400us"), ("processes", "100000")]),
    Variant::new("batching", "a stage that takes one event, many, or what is there", {
        stage::batching
    })
    .simulated(SIMULATED),
    Variant::new("blocked-threads", "a stage whose threads wait for something else", {
        stage::threads
    })
    .simulated(SIMULATED),
    Variant::new("replicas", "every node has all data, and two of five are lost", {
        nodes::replicated
    })
    .simulated(NODES),
    Variant::new("partitions", "every node has its part, and two of five are lost", {
        nodes::partitioned
    })
    .simulated(NODES),
];

/// A server under increasing load.
const fn asked(name: &'static str, why: &'static str) -> Variant {
    Variant::new(name, why, sweep::run).live(SPAN).simulated(SIMULATED).responds().expects(SHED)
}
