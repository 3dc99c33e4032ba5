//! What does the average hide?
//!
//! The `catalogue` has distributions of known shape, and `shape` the figures that tell them apart:
//! `sample` draws. `heat` draws a latency heat map, of the traces of `maps`. A server `stalls`, and
//! `threads` share their work badly, behind means that hardly move. `outages` are longer for those
//! who meet them.

mod catalogue;
mod charts;
mod claims;
mod heat;
mod lessons;
mod maps;
mod outages;
mod sample;
mod shape;
mod sources;
mod stalls;
mod story;
mod threads;

use lab_kit::cpus::nearly_alone;
use lab_kit::{Ctx, Knob, Lab, Variant};

use crate::catalogue::{CACHE, DISK, of_type};
use crate::sample::sample;

/// The lab.
pub const LAB: Lab = Lab {
    name: "latency-modes",
    question: "What does the average hide?",
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
    Knob::int("values", 50_000, "", [2, 1_000_000], "values of a sample"),
    Knob::float("apart", 1.0, "times", [0.0, 4.0], "distance between modes, over the catalogue's"),
    Knob::float("outliers", 1.0, "times", [0.0, 10.0], "share of outliers, over the catalogue's"),
    Knob::choice("tail", &["pareto", "normal"], "distribution of the sample with a heavy tail"),
    Knob::choice("timed", &["reads", "normal"], "what is timed: reads, or nothing but draws"),
    Knob::choice("cut", &["density", "nothing"], "where a frequency trail is not drawn"),
    Knob::choice("cell", &["count", "mark"], "what a cell of a heat map holds"),
    Knob::choice("shade", &["linear", "logarithmic"], "how a cell's shade grows with its count"),
    Knob::int("rows", 50, "", [1, 1_000], "rows of a heat map"),
    Knob::int("rate", 100_000, "events/s", [1, 1_000_000], "events that become a histogram"),
    Knob::duration(
        "stall",
        "6ms",
        ["0s", "500ms"],
        "length of a stall, of which each second has one",
    ),
    Knob::choice("stalls", &["on", "off"], "whether the server stalls"),
    Knob::choice("threads", &["one-works", "both-half"], "how two threads share their work"),
    Knob::duration("median", "30ms", ["1us", "1h"], "median of an outage"),
    Knob::duration("p99", "600ms", ["1us", "1h"], "99th percentile of an outage"),
    Knob::choice("seen", &["by-moment", "each-once"], "how outages are seen"),
];

/// Simulated milliseconds, with a sample in each second.
const SAMPLES: [u64; 3] = [20_000, 100_000, 200_000];
const TRACE: [u64; 3] = [40_000, 60_000, 120_000];
const STALLED: [u64; 3] = [3_000, 10_000, 60_000];
/// Simulated milliseconds, with an outage in each.
const OUTAGES: [u64; 3] = [1_000_000, 2_000_000, 10_000_000];

const VARIANTS: &[Variant] = &[
    Variant::new("catalogue", "samples of every type of the catalogue", sample::catalogue)
        .simulated(SAMPLES),
    drawn("narrow", "type 100: one mode", |ctx| sample(ctx, of_type(100))),
    drawn("outliers", "type 141: one mode, and 1 % outliers", |ctx| sample(ctx, of_type(141))),
    drawn("pareto", "type 130: a heavy tail", sample::heavy),
    drawn("two-modes", "type 203", |ctx| sample(ctx, of_type(203))),
    drawn("three-modes", "type 302", |ctx| sample(ctx, of_type(302))),
    drawn("four-modes", "type 402", |ctx| sample(ctx, of_type(402))),
    drawn("disk", "modes at 0.1 and 2.3 ms", |ctx| sample(ctx, &DISK)),
    drawn("cache", "hits of 0.1 ms, misses of 2 to 3 ms", |ctx| sample(ctx, &CACHE)),
    drawn("grains", "one mode, and ten outliers of 10,000", sample::grains),
    Variant::new("reads", "reads of a page from the page cache, one by one", |ctx| {
        nearly_alone(ctx, 0.2, sample::reads)
    })
    .live([500, 1_000, 5_000]),
    Variant::new("map", "a trace with outliers, as a heat map", maps::map).simulated(TRACE),
    Variant::new("busy", "busy seconds, as events and as histograms", maps::busy)
        .simulated([10_000; 3]),
    served("calm", "a server that never stalls").with(&[("stalls", "off")]),
    served("stalls", "the same, with a stall in each second"),
    Variant::new("long-stalls", "with stalls long enough to be sampled", stalls::run)
        .with(&[("stall", "500ms")])
        .live([1_000, 2_000, 10_000])
        .profiled(),
    Variant::new("threads", "two threads, one of which works", |ctx| {
        nearly_alone(ctx, 0.2, threads::run)
    })
    .live([2_000, 5_000, 20_000]),
    Variant::new("counted", "outages, each counted once", outages::run)
        .with(&[("seen", "each-once"), ("p99", "200ms")])
        .simulated(OUTAGES),
    Variant::new("met", "the same outages, as those see them who come at random", outages::run)
        .with(&[("p99", "200ms")])
        .simulated(OUTAGES),
];

const fn drawn(
    name: &'static str,
    why: &'static str,
    run: fn(&mut Ctx) -> anyhow::Result<()>,
) -> Variant {
    Variant::new(name, why, run).simulated(SAMPLES)
}

const fn served(name: &'static str, why: &'static str) -> Variant {
    Variant::new(name, why, |ctx| nearly_alone(ctx, 0.2, stalls::run))
        .live(STALLED)
        .simulated(STALLED)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_check_can_fail() {
        lab_kit::check_lab(&super::LAB);
    }
}
