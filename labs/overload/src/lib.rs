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
    Knob::float("load", 3.0, "times", [0.1, 10.0], "highest load offered, in times the capacity"),
    Knob::duration("work", "2ms", ["500us", "10ms"], "CPU time of an answer"),
    Knob::duration("timeout", "100ms", ["1ms", "2s"], "how long a client waits for an answer"),
    Knob::choice("threads", &["one", "each"], "one serving thread, or a thread for each request"),
    Knob::choice("admit", &["all", "few", "adaptive"], "which requests are admitted to the queue"),
    Knob::choice("order", &["fifo", "lifo"], "which waiting request is served next"),
    Knob::int("queue", 20, "", [1, 1_000_000], "length of the queue when admit is few"),
    Knob::duration("target", "50ms", ["1ms", "10s"], "the p90 that adaptive admission holds"),
    Knob::float(
        "harvest",
        1.0,
        "ratio",
        [0.05, 1.0],
        "share of a whole answer that each client gets",
    ),
    Knob::int("clients", 1_000, "", [1, 100_000], "clients of the closed loop"),
    Knob::int("processes", 150, "", [1, 100_000], "connections served at once, by a process each"),
    Knob::int("backlog", 128, "", [0, 100_000], "connections that can wait for a process"),
    Knob::duration("overhead", "1ms", ["0s", "100ms"], "fixed cost of a batch"),
    Knob::choice(
        "thread-controller",
        &["on", "off"],
        "whether a controller adds threads to a stage",
    ),
    Knob::int("nodes", 5, "", [1, 20], "nodes of the service"),
    Knob::int("lost", 2, "", [0, 20], "nodes that fail"),
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
    asked("queue-all", "one thread, and an unbounded queue"),
    asked("queue-few", "one thread, and a short queue").with(&[("admit", "few")]),
    asked("last-first", "one thread, last in first out").with(&[("order", "lifo")]),
    asked("adaptive", "one thread, and a queue that adapts to hold a p90")
        .with(&[("admit", "adaptive")]),
    asked("thread-each", "a thread for each request").with(&[("threads", "each")]),
    asked("smaller-answers", "one thread, and a third of an answer for everybody")
        .with(&[("admit", "few"), ("harvest", "0.333")]),
    Variant::new(
        "processes",
        "a thousand clients, of which 150 are connected at once",
        clients::run,
    )
    .simulated(CLIENTS)
    .with(&[("work", "1400us")]),
    Variant::new("stages", "the same clients, all connected to staged queues", clients::run)
        .simulated(CLIENTS)
        .with(&[("work", "1400us"), ("processes", "100000")]),
    Variant::new("batching", "a stage that takes one event at a time, many, or all that wait", {
        stage::batching
    })
    .simulated(SIMULATED),
    Variant::new("blocked-threads", "a stage whose threads block on something else", {
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
