//! How long does a service take to answer at a given rate?
//!
//! A lab in all but its place: knobs, variants, a ledger and a page, but no claim of its own. So a
//! user's service gets what the labs' servers get: response times from the intended start, requests
//! that were never answered as lower bounds, a generator that is judged too.

mod alarm;
mod connection;
mod drive;
mod question;
mod tally;
mod target;

use lab_kit::{Chart, End, Evidence, Gap, Knob, Lab, Next, ShownBy, Story, Variant};

/// The load generator.
pub const LAB: Lab = Lab {
    name: "load",
    question: "How long does a service take to answer at a given rate?",
    sources: &[],
    knobs: KNOBS,
    variants: &[Variant::new("load", "requests to the service, on schedule", drive::run)
        .live(SPANS)
        .responds()
        .expects(ENDS)],
    claims: &[],
    charts: &[RESPONSES, OVER_TIME, GOODPUT, WAITS],
    story: Story {
        finding,
        reads: &["load"],
        chart: Some(ShownBy::Chart(&RESPONSES, &["load"])),
        next: Next { set: &[], ask: "" },
    },
    lessons: &[],
    verbs: &[],
};

/// Measured spans in milliseconds: quick, default and full.
const SPANS: [u64; 3] = [2_000, 10_000, 60_000];

/// Any end of a request is a result here. Only requests that were not sent say nothing of the
/// service.
const ENDS: &[End] = &[End::Failed, End::Refused, End::TimedOut, End::Abandoned, End::InFlight];

const KNOBS: &[Knob] = &[
    Knob::text(
        "url",
        "",
        "the address to ask: http://127.0.0.1:8080/path or unix:/run/x.sock:/path",
    ),
    Knob::choice("loop", &["open", "closed"], "what starts a request: the schedule or an answer"),
    Knob::float("rate", 1_000.0, "req/s", [0.1, 200_000.0], "the rate of the open loop"),
    Knob::choice("arrivals", &["poisson", "constant"], "gaps between the open loop's starts"),
    Knob::int(
        "connections",
        10,
        "",
        [1, 1_000],
        "connections to the service; also the clients of the closed loop",
    ),
    Knob::choice("protocol", &["http1", "http2"], "HTTP/1.1, or HTTP/2 with prior knowledge"),
    Knob::duration("timeout", "5s", ["1ms", "10m"], "how long a client waits for the whole answer"),
    Knob::text("method", "GET", "the method of the request"),
    Knob::text(
        "headers",
        "",
        "header lines of the request, separated by line breaks: Accept: text/html",
    ),
    Knob::text("body", "", "the body of the request"),
    Knob::text(
        "expect",
        "2xx",
        "the status of a right answer: 2xx or 404; 429 and 503 are refusals",
    ),
    Knob::choice(
        "anywhere",
        &["no", "yes"],
        "whether addresses that are neither loopback nor private may be asked",
    ),
];

const RESPONSES: Chart = Chart::Percentiles { title: "Response by percentile", series: "response" };
const OVER_TIME: Chart =
    Chart::HeatMap { title: "Response over time", series: "response", variant: "load" };
const GOODPUT: Chart = Chart::Gauge { title: "Right answers over time", gauge: "goodput" };
const WAITS: Chart =
    Chart::Percentiles { title: "Waits for a free connection", series: "connection-wait" };

fn finding(e: &Evidence) -> Result<String, Gap> {
    let quantile = |quantile| Ok(e.quantile("load", "response", quantile)?.value / 1e6);
    let (p50, p99): (f64, f64) = (quantile(0.5)?, quantile(0.99)?);
    let metric = |name| Ok(e.metric("load", name)?.value);
    let (goodput, offered, unanswered): (f64, f64, f64) =
        (metric("goodput")?, metric("offered")?, metric("unanswered")?);
    let lost = match unanswered {
        0.0 => "all were answered".to_owned(),
        lost => format!("{lost} got no answer in time"),
    };
    Ok(format!(
        "{goodput:.0} right answers a second: half within {p50:.2} ms, 99 of 100 within {p99:.2} ms; \
         of {offered} requests {lost}."
    ))
}
