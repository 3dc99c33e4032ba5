//! What does a stall do to p99, and who sees it?
//!
//! A server stands still once. An open loop goes on asking, as users would, and its p99 shows the
//! stall; a loop that waits for its replies stops asking as the server stops answering, and keeps
//! one bad sample for each connection among thousands of good ones.

mod charts;
mod claims;
mod closed_form;
mod filing;
mod histogram;
mod lessons;
mod open_loop;
mod published;
mod queue;
mod recording;
mod server;
mod setup;
mod sources;
mod story;
mod sweep;
mod target;
mod tool;

use lab_kit::{Knob, Lab, Variant, Verb};

use crate::closed_form::m_m_1;
use crate::queue::World::{Closed, Open};
use crate::queue::{BIMODAL, EXPONENTIAL};
use crate::tool::Tool;

/// The lab.
pub const LAB: Lab = Lab {
    name: "coordinated-omission",
    question: "What does a stall do to p99, and who sees it?",
    sources: &[
        &sources::TENE_2013,
        &sources::WRK2,
        &sources::HDR_HISTOGRAM,
        &sources::BROOKER_2023,
    ],
    knobs: KNOBS,
    variants: VARIANTS,
    claims: claims::CLAIMS,
    charts: charts::ALL,
    story: story::STORY,
    lessons: lessons::LESSONS,
    verbs: &[Verb { name: "serve", command: server::command, run: server::run }],
};

const KNOBS: &[Knob] = &[
    Knob::int("rate", 1_000, "req/s", [1, 20_000], "load that every tool is meant to make"),
    Knob::duration("stall", "1400ms", ["0s", "10m"], "how long the server stands still"),
    Knob::duration("stall-at", "800ms", ["0s", "1h"], "when, since the measured span began"),
    Knob::choice("stall-by", &["planned", "sigstop"], "the server's own plan, or SIGSTOP"),
    Knob::int("connections", 8, "", [1, 256], "connections between client and server"),
    Knob::duration("service-time", "1ms", ["0s", "1s"], "how long a request takes"),
    Knob::choice("start-by", &["schedule", "replies"], "what starts the open loop's next request"),
    Knob::duration("tick", "0s", ["0s", "1s"], "a clock that the open loop's sends wait for"),
    Knob::float("utilisation", 0.8, "ratio", [0.001, 0.99], "of the queue of both worlds"),
    Knob::duration("calibration", "10s", ["0s", "30s"], "what wrk2 leaves out of its 30 s"),
    Knob::int("digits", 3, "", [1, 5], "significant digits of an HDR histogram"),
    Knob::choice("keep", &["histogram", "list"], "where values are recorded: a list stays sorted"),
    Knob::choice("add", &["counts", "percentiles"], "what of the threads' histograms is added"),
    Knob::float("quantile", 0.99, "", [0.0, 0.9999], "of which a page's requests may be above"),
];

/// The measured span of a stalled trial: quick, default and full, in milliseconds.
const SPAN: [u64; 3] = [3_000, 8_000, 30_000];

const VARIANTS: &[Variant] = &[
    // One stall, five ways to measure it.
    Variant::new("closed-loop", "waits for each reply, then thinks", |ctx| {
        filing::run(ctx, Tool::ClosedLoop)
    })
    .live(SPAN)
    .simulated(SPAN),
    Variant::new("tick-skipping", "waits, and drops the ticks that pass", |ctx| {
        filing::run(ctx, Tool::TickSkipping)
    })
    .live(SPAN)
    .simulated(SPAN),
    Variant::new("token-bucket", "waits, and spills the tokens that do not fit", |ctx| {
        filing::run(ctx, Tool::TokenBucket)
    })
    .live(SPAN)
    .simulated(SPAN),
    Variant::new("record-correct", "waits, and its histogram guesses what it missed", |ctx| {
        filing::run(ctx, Tool::RecordCorrect)
    })
    .live(SPAN)
    .simulated(SPAN),
    Variant::new("open-loop", "keeps its schedule, and counts from it", open_loop::run)
        .live(SPAN)
        .responds()
        .simulated(SPAN),
    Variant::new("paced", "the open loop where nothing stands still", open_loop::run)
        .live([1_000, 2_000, 10_000])
        .responds()
        .with(&[("stall", "0s"), ("service-time", "200ms")]),
    Variant::new("any-moment", "open and closed loop, the stall at 50 moments", sweep::run)
        .simulated(SPAN),
    // The sources' own experiments.
    Variant::new("thought-experiment", "100 s of 1 ms, then 100 s of nothing", |ctx| {
        published::run(ctx, Tool::RecordCorrect)
    })
    .with(published::TENE)
    .simulated(published::TENE_SPANS),
    Variant::new("wrk2-freeze", "serial connections that keep their schedule", |ctx| {
        published::run(ctx, Tool::CatchingUp)
    })
    .with(published::WRK2)
    .simulated(published::WRK2_SPANS),
    // Open and closed worlds at one queue, 80 % busy.
    Variant::new("exponential-open", "Poisson arrivals", |ctx| {
        let theory = m_m_1(EXPONENTIAL.mean_ns, ctx.float("utilisation"));
        ctx.theory("exponential-response", |p| theory.response_quantile(p));
        queue::run(ctx, "exponential-response", EXPONENTIAL, Open)
    })
    .simulated(queue::SPANS),
    Variant::new("exponential-ten-clients", "ten who wait and think", |ctx| {
        queue::run(ctx, "exponential-response", EXPONENTIAL, Closed(10))
    })
    .simulated(queue::SPANS),
    Variant::new("exponential-one-client", "one who waits and thinks", |ctx| {
        queue::run(ctx, "exponential-response", EXPONENTIAL, Closed(1))
    })
    .simulated(queue::SPANS),
    Variant::new("bimodal-open", "Poisson arrivals, one request in 1,000 slow", |ctx| {
        queue::run(ctx, "bimodal-response", BIMODAL, Open)
    })
    .simulated(queue::SPANS),
    Variant::new("bimodal-one-client", "one who waits, one request in 1,000 slow", |ctx| {
        queue::run(ctx, "bimodal-response", BIMODAL, Closed(1))
    })
    .simulated(queue::SPANS),
    Variant::new("recording", "what it costs to record a value", recording::run)
        .live([300, 500, 1_000]),
];

#[cfg(test)]
mod tests;
