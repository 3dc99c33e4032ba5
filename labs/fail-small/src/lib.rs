//! How far does a bad configuration reach?
//!
//! Proxies load a file that is too large: from a `feed`, with a `loader` that panics, keeps the
//! last good one, or goes on without. A `rollout` takes a bad change to all servers at once, or in
//! stages that a health gate can stop. An `error_path` costs more than an answer. `live` has the
//! server and its clients, `tally` counts failures over time.

mod charts;
mod claims;
mod error_path;
mod feed;
mod lessons;
mod live;
mod loader;
mod rollout;
mod sources;
mod story;
mod tally;

use lab_kit::{End, Knob, Lab, Variant};

/// The lab.
pub const LAB: Lab = Lab {
    name: "fail-small",
    question: "How far does a bad configuration reach?",
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
    Knob::int("rows", 60, "", [1, 10_000], "features in a good file"),
    Knob::int("copies", 4, "", [1, 100], "times that a bad file has each of them"),
    Knob::int("cap", 200, "", [1, 1_000_000], "features that a proxy has memory for"),
    Knob::choice(
        "on-bad",
        &["panic", "keep", "zero"],
        "what a proxy does with a file above the cap",
    ),
    Knob::int("databases", 10, "", [1, 1_000], "nodes of the cluster that builds the file"),
    Knob::duration("rebuild", "5m", ["1s", "1d"], "time between two files"),
    Knob::duration("upgrade-every", "10m", ["0s", "1d"], "time between two upgrades of a database"),
    Knob::float("traffic", 500.0, "req/s", [0.1, 100_000.0], "requests to the whole fleet"),
    Knob::int("nodes", 1_000, "", [1, 1_000_000], "servers of the fleet"),
    Knob::float("first", 0.01, "ratio", [1e-6, 1.0], "share of them in the first stage"),
    Knob::duration(
        "bake",
        "30m",
        ["1s", "1d"],
        "time from a stage to the next, ten times as large",
    ),
    Knob::choice("gate", &["on", "off"], "whether failures stop a rollout"),
    Knob::duration("detect", "25m", ["1s", "1d"], "time until a gate or a person decides"),
    Knob::float("alarm", 0.05, "ratio", [0.0, 1.0], "share of failures that stops a rollout"),
    Knob::float("errors", 0.28, "ratio", [0.0, 1.0], "share of requests that a bad change fails"),
    Knob::duration("work", "1ms", ["100us", "100ms"], "CPU time of a request"),
    Knob::float("load", 0.6, "ratio", [0.01, 0.95], "how busy a server is without errors"),
    Knob::duration("enrich", "4ms", ["0s", "100ms"], "CPU time that an error takes in addition"),
];

const PUSHED: [u64; 3] = [1_000, 3_000, 10_000];
const SERVED: [u64; 3] = [3_000, 6_000, 20_000];
const SAMPLED: [u64; 3] = [1_500, 3_000, 10_000];
const UPGRADED: [u64; 3] = [10_800_000, 10_800_000, 43_200_000];
const ROLLED_OUT: [u64; 3] = [7_200_000, 7_200_000, 28_800_000];
const QUEUED: [u64; 3] = [600_000, 1_200_000, 6_000_000];

const VARIANTS: &[Variant] = &[
    pushed("panics", "a bad file is pushed to proxies that panic").live(PUSHED).responds(),
    pushed("keeps", "the same file, and proxies that keep the last good one")
        .with(&[("on-bad", "keep")])
        .live(PUSHED)
        .responds(),
    pushed("zeroes", "the same file, and proxies that go on without features")
        .with(&[("on-bad", "zero")]),
    Variant::new("upgrade", "databases learn to build bad files one by one", feed::upgrade)
        .simulated(UPGRADED),
    Variant::new("global", "a bad change to all servers at once", rollout::run)
        .with(&[("first", "1")])
        .simulated(ROLLED_OUT),
    Variant::new("blind", "in stages, and nothing stops it", rollout::run)
        .with(&[("gate", "off")])
        .simulated(ROLLED_OUT),
    Variant::new("staged", "in stages with a health gate", rollout::run).simulated(ROLLED_OUT),
    served("plain", "errors cost what answers do").with(&[("enrich", "0s")]),
    served("enriched", "errors collect what helps to debug them"),
    Variant::new("error-rates", "the same at higher and higher error rates", error_path::rates)
        .simulated(QUEUED),
    Variant::new("error-path", "samples of a proxy with plain and with enriched errors", {
        error_path::profile
    })
    .live(SAMPLED),
];

const fn pushed(name: &'static str, why: &'static str) -> Variant {
    Variant::new(name, why, feed::push).simulated(PUSHED).expects(&[End::Failed])
}

const fn served(name: &'static str, why: &'static str) -> Variant {
    Variant::new(name, why, error_path::run)
        .live(SERVED)
        .simulated(SERVED)
        .responds()
        .expects(&[End::Failed, End::InFlight])
}
