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
    Knob::int(
        "rate",
        1_000,
        "req/s",
        [1, 20_000],
        "rate that every load generator is asked to send",
    ),
    Knob::duration("stall", "1400ms", ["0s", "10m"], "how long the server stalls"),
    Knob::duration(
        "stall-at",
        "800ms",
        ["0s", "1h"],
        "when the server stalls, after measuring began",
    ),
    Knob::choice(
        "stall-by",
        &["planned", "sigstop"],
        "what stalls the server: its own plan, or SIGSTOP",
    ),
    Knob::int("connections", 8, "", [1, 256], "connections between client and server"),
    Knob::duration("service-time", "1ms", ["0s", "1s"], "time that the server works on a request"),
    Knob::choice(
        "start-by",
        &["schedule", "replies"],
        "what starts the open loop's next request: its schedule, or the last reply",
    ),
    Knob::duration(
        "tick",
        "0s",
        ["0s", "1s"],
        "interval of the clock that the open loop's sends wait for; 0: none",
    ),
    Knob::float(
        "utilisation",
        0.8,
        "ratio",
        [0.001, 0.99],
        "utilisation of the simulated server, with open and closed arrivals",
    ),
    Knob::duration(
        "calibration",
        "10s",
        ["0s", "30s"],
        "part of wrk2's 30 s that it discards to calibrate",
    ),
    Knob::int("digits", 3, "", [1, 5], "significant digits of an HDR histogram"),
    Knob::choice(
        "keep",
        &["histogram", "list"],
        "what values are recorded in: a histogram, or a sorted list",
    ),
    Knob::choice(
        "add",
        &["counts", "percentiles"],
        "what is added up over threads: counts, or percentiles",
    ),
    Knob::float(
        "quantile",
        0.99,
        "",
        [0.0, 0.9999],
        "quantile that a page's requests are compared with",
    ),
];

/// The measured span of a stalled trial: quick, default and full, in milliseconds.
const SPAN: [u64; 3] = [3_000, 8_000, 30_000];

const VARIANTS: &[Variant] = &[
    // One stall, five ways to measure it.
    Variant::new("closed-loop", "a closed loop: waits for each reply, then thinks", |ctx| {
        filing::run(ctx, Tool::ClosedLoop)
    })
    .live(SPAN)
    .simulated(SPAN),
    Variant::new("tick-skipping", "a closed loop that skips the ticks it misses", |ctx| {
        filing::run(ctx, Tool::TickSkipping)
    })
    .live(SPAN)
    .simulated(SPAN),
    Variant::new("token-bucket", "a closed loop whose token bucket overflows", |ctx| {
        filing::run(ctx, Tool::TokenBucket)
    })
    .live(SPAN)
    .simulated(SPAN),
    Variant::new(
        "record-correct",
        "a closed loop whose histogram is corrected afterwards",
        |ctx| filing::run(ctx, Tool::RecordCorrect),
    )
    .live(SPAN)
    .simulated(SPAN),
    Variant::new("open-loop", "an open loop: sends on schedule, and times from it", open_loop::run)
        .live(SPAN)
        .responds()
        .simulated(SPAN),
    Variant::new("paced", "the open loop, without a stall", open_loop::run)
        .live([1_000, 2_000, 10_000])
        .responds()
        .with(&[("stall", "0s"), ("service-time", "200ms")]),
    Variant::new("any-moment", "open and closed loop, with the stall at 50 moments", sweep::run)
        .simulated(SPAN),
    // The sources' own experiments.
    Variant::new("thought-experiment", "100 s of answers in 1 ms, then a stall of 100 s", |ctx| {
        published::run(ctx, Tool::RecordCorrect)
    })
    .with(published::TENE)
    .simulated(published::TENE_SPANS),
    Variant::new("wrk2-freeze", "wrk2: connections with a request at a time, on schedule", |ctx| {
        published::run(ctx, Tool::CatchingUp)
    })
    .with(published::WRK2)
    .simulated(published::WRK2_SPANS),
    // Open and closed worlds at one queue, 80 % busy.
    Variant::new("exponential-open", "an exponential server with Poisson arrivals", |ctx| {
        let theory = m_m_1(EXPONENTIAL.mean_ns, ctx.float("utilisation"));
        ctx.theory("exponential-response", |p| theory.response_quantile(p));
        queue::run(ctx, "exponential-response", EXPONENTIAL, Open)
    })
    .simulated(queue::SPANS),
    Variant::new(
        "exponential-ten-clients",
        "the same server with ten closed-loop clients",
        |ctx| queue::run(ctx, "exponential-response", EXPONENTIAL, Closed(10)),
    )
    .simulated(queue::SPANS),
    Variant::new("exponential-one-client", "the same server with one closed-loop client", |ctx| {
        queue::run(ctx, "exponential-response", EXPONENTIAL, Closed(1))
    })
    .simulated(queue::SPANS),
    Variant::new("bimodal-open", "Poisson arrivals; one request in 1,000 is slow", |ctx| {
        queue::run(ctx, "bimodal-response", BIMODAL, Open)
    })
    .simulated(queue::SPANS),
    Variant::new(
        "bimodal-one-client",
        "one closed-loop client; one request in 1,000 is slow",
        |ctx| queue::run(ctx, "bimodal-response", BIMODAL, Closed(1)),
    )
    .simulated(queue::SPANS),
    Variant::new("recording", "the cost of recording a value", recording::run)
        .live([300, 500, 1_000]),
];

#[cfg(test)]
mod tests;
