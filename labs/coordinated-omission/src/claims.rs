//! The claims, and what would refute each of them.

use std::time::Duration;

use lab_kit::cpus::undisturbed;
use lab_kit::{
    Claim, Evidence, Figure, Gap, Judged, Series, ShownBy, closed_form, live, simulated,
};

use crate::charts::{
    BIMODAL, BY_MOMENT, CORRECTED, LATENESS, OPEN_LOOP, REPORTED, UNCORRECTED, WORLDS,
};
use crate::closed_form::{hdr_bytes, m_m_1, quantile_of_a_stall, requests_to_even_odds};
use crate::histogram::{HOUR_US, bytes, counts_that_differ, of_an_hour, worst_error};
use crate::published::{THOUGHT_EXPERIMENT, thought_experiment};
use crate::queue::EXPONENTIAL;
use crate::recording::scattered;
use crate::sources::{BROOKER_2023, HDR_HISTOGRAM, TENE_2013, WRK2};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim {
        id: "CO-1",
        says: "A system that answers in 1 ms for 100 s and then stands still for 100 s looks fast \
               in 99.99 % of a waiting monitor's samples; in truth it was so for half of the time.",
        source: &TENE_2013,
        checks: &[
            closed_form(as_told).without(NO_STALL),
            simulated(&["thought-experiment"], as_lived).without(NO_STALL),
        ],
        shown_by: &[
            ShownBy::Chart(&CORRECTED, &["thought-experiment"]),
            ShownBy::Chart(&UNCORRECTED, &["thought-experiment"]),
        ],
    },
    Claim {
        id: "CO-2",
        says: "A value stands for those that were omitted while it lasted: itself less one \
               expected interval, less two, down to the last that is no shorter than one.",
        source: &HDR_HISTOGRAM,
        checks: &[
            closed_form(omitted).without(NO_STALL),
            simulated(&["record-correct"], correction_finds_the_stall).without(NO_STALL),
            live(&["record-correct"], correction_finds_the_stall).without(NO_STALL),
        ],
        shown_by: &[ShownBy::Chart(&REPORTED, &["record-correct", "closed-loop", "open-loop"])],
    },
    Claim {
        id: "CO-3",
        says: "Latency counts from the moment at which a request should have been sent; the load \
               does not wait for the server.",
        source: &WRK2,
        checks: &[
            simulated(&["wrk2-freeze"], waiting_counts).without(NO_STALL),
            simulated(&["open-loop"], load_goes_on).without(WAITS),
            live(&["open-loop"], load_goes_on).without(WAITS),
        ],
        shown_by: &[
            ShownBy::Chart(&CORRECTED, &["wrk2-freeze"]),
            ShownBy::Chart(&UNCORRECTED, &["wrk2-freeze"]),
            ShownBy::Chart(&OPEN_LOOP, &["open-loop"]),
        ],
    },
    Claim {
        id: "CO-4",
        says: "On a quiet run too, no percentile is lower counted from the schedule than from the \
               send.",
        source: &WRK2,
        checks: &[simulated(&["exponential-open"], schedule_is_never_below_send).without(IDLE)],
        shown_by: &[ShownBy::Chart(&WORLDS, &["exponential-open"])],
    },
    Claim {
        id: "CO-5",
        says: "After one freeze of 1.4 s the p99 that keeps to the schedule is some 200 times \
               that of a tool which waits.",
        source: &WRK2,
        checks: &[
            simulated(&["wrk2-freeze"], waiting_counts).without(NO_STALL),
            simulated(&["any-moment"], loops_differ_at_any_moment).without(NO_STALL),
            simulated(&["open-loop", "closed-loop"], closed_loop_misses).without(WAITS),
            simulated(&["open-loop", "tick-skipping"], ticks_miss).without(WAITS),
            simulated(&["open-loop", "token-bucket"], tokens_miss).without(WAITS),
            live(&["open-loop", "closed-loop"], closed_loop_misses).without(WAITS),
            live(&["open-loop", "tick-skipping"], ticks_miss).without(WAITS),
            live(&["open-loop", "token-bucket"], tokens_miss).without(WAITS),
        ],
        shown_by: &[
            ShownBy::Chart(
                &REPORTED,
                &["open-loop", "closed-loop", "tick-skipping", "token-bucket"],
            ),
            ShownBy::Chart(&BY_MOMENT, &["any-moment"]),
        ],
    },
    Claim {
        id: "CO-6",
        says: "The share of requests that a stall delays is rate × stall / requests, and p99 \
               follows; a loop that waits takes one stalled sample for each connection.",
        source: &WRK2,
        checks: &[
            closed_form(freeze_by_formula).without(HALF_THE_STALL),
            simulated(&["open-loop"], |e| stall_shows(e, 0.01)).without(WAITS),
            simulated(&["any-moment"], closed_form_holds_at_any_moment).without(NO_STALL),
            simulated(&["wrk2-freeze"], freeze_as_printed).without(HALF_THE_STALL),
            simulated(&["closed-loop"], one_sample_for_each_connection).without(NO_STALL),
            live(&["open-loop"], |e| stall_shows(e, 0.05)).without(WAITS),
            live(&["closed-loop"], one_sample_for_each_connection).without(NO_STALL),
        ],
        shown_by: &[
            ShownBy::Chart(&BY_MOMENT, &["any-moment"]),
            ShownBy::Chart(&REPORTED, &["open-loop"]),
            ShownBy::Chart(&CORRECTED, &["wrk2-freeze"]),
        ],
    },
    Claim {
        id: "CO-7",
        says: "wrk2 is accurate to about 1 ms and leaves its first 10 s out; a paced generator \
               need do neither.",
        source: &WRK2,
        checks: &[
            closed_form(recorded_after_calibration).without(&[("calibration", "0s")]),
            live(&["paced"], lateness_of_a_quiet_machine).without(&[("tick", "10ms")]),
        ],
        shown_by: &[ShownBy::Chart(&LATENESS, &["paced"])],
    },
    Claim {
        id: "CO-8",
        says: "A histogram of 1 µs to an hour at three digits errs by at most 0.1 % and takes \
               some 185 KiB.",
        source: &HDR_HISTOGRAM,
        checks: &[
            closed_form(size).without(TWO_DIGITS),
            closed_form(error).without(TWO_DIGITS),
            closed_form(resolution).without(TWO_DIGITS),
        ],
        shown_by: &[],
    },
    Claim {
        id: "CO-9",
        says: "Recording a value costs nanoseconds, and no more when many are recorded.",
        source: &HDR_HISTOGRAM,
        checks: &[live(&["recording"], recording_is_cheap_and_flat).without(&[("keep", "list")])],
        shown_by: &[],
    },
    Claim {
        id: "CO-10",
        says: "Histograms add: the sum of those that threads keep apart is the one of all values.",
        source: &HDR_HISTOGRAM,
        checks: &[closed_form(sums_are_the_whole).without(&[("add", "percentiles")])],
        shown_by: &[],
    },
    Claim {
        id: "CO-11",
        says: "A page of 69 requests is as likely as not to have one above the p99.",
        source: &TENE_2013,
        checks: &[closed_form(even_odds).without(&[("quantile", "0.999")])],
        shown_by: &[],
    },
    Claim {
        id: "BRK-8",
        says: "At one load, responses are lower and their tail shorter in a closed world than in \
               an open one.",
        source: &BROOKER_2023,
        checks: &[
            closed_form(m_m_1_p99).without(IDLE),
            simulated(&["exponential-open"], open_queue_is_m_m_1)
                .without(&[("utilisation", "0.7")]),
            simulated(
                &["exponential-open", "exponential-ten-clients", "exponential-one-client"],
                closed_worlds_are_gentler,
            )
            .without(IDLE),
        ],
        shown_by: &[ShownBy::Chart(
            &WORLDS,
            &["exponential-open", "exponential-ten-clients", "exponential-one-client"],
        )],
    },
    Claim {
        id: "BRK-9",
        says: "Where one request in a thousand takes 10 ms, a single client's p99 stays below \
               1 ms and an open world's is above 25 ms.",
        source: &BROOKER_2023,
        checks: &[simulated(
            &["bimodal-open", "bimodal-one-client"],
            slow_requests_queue_the_others,
        )
        .without(IDLE)],
        shown_by: &[ShownBy::Chart(&BIMODAL, &["bimodal-open", "bimodal-one-client"])],
    },
];

const NO_STALL: &[(&str, &str)] = &[("stall", "0s")];
const HALF_THE_STALL: &[(&str, &str)] = &[("stall", "700ms")];
/// The open loop waits for its replies as well.
const WAITS: &[(&str, &str)] = &[("start-by", "replies")];
const TWO_DIGITS: &[(&str, &str)] = &[("digits", "2")];
/// Next to no queue.
const IDLE: &[(&str, &str)] = &[("utilisation", "0.01")];

/// The utilisation that the source gives.
const RHO: f64 = 0.8;
const P99: f64 = 0.99;

/// The thought experiment with the talk's counts: 10,000 samples of 1 ms and one of the stall.
fn as_told(e: &Evidence<'_>) -> Judged {
    let stall = e.settings_of("thought-experiment").duration("stall");
    let [raw, corrected] = thought_experiment(stall);
    let raw_mean = Figure::exact(raw.facts().mean_ns, "ns").near_relative(11e6, 0.001);
    let mean = Figure::exact(corrected.facts().mean_ns, "ns").near_relative(25e9, 0.001);
    let quantile = |q: f64| Figure::exact(corrected.total().value_at_quantile(q) as f64, "ns");
    quantile(P99)
        .near_relative(98e9, 0.001)?
        .and(quantile(0.75).near_relative(50e9, 0.001))?
        .and(quantile(0.5).near_relative(1e6, 0.001))?
        .and(mean)?
        .and(raw_mean)?
        .because("p99, p75, p50 and mean corrected; mean as recorded")
}

/// The same, as a closed loop experiences it.
fn as_lived(e: &Evidence<'_>) -> Judged {
    let of = "thought-experiment";
    let corrected = |q: f64| e.quantile(of, "corrected", q);
    corrected(P99)?
        .near_relative(98e9, 0.002)?
        .and(corrected(0.75)?.near_relative(50e9, 0.002))?
        .and(corrected(0.5)?.near_relative(1e6, 0.002))?
        .and(e.metric(of, "uncorrected_mean")?.near_relative(11e6, 0.002))?
        .and(e.quantile(of, "uncorrected", 0.999)?.at_most(1.01e6))?
        .because("p99, p75 and p50 corrected; mean and p99.9 as recorded")
}

/// How many values the correction adds for one that should have been 10 ms.
fn omitted(e: &Evidence<'_>) -> Judged {
    let stall = e.settings_of("thought-experiment").duration("stall");
    let mut series = Series::new(THOUGHT_EXPERIMENT);
    series.record_correct(Duration::ZERO, stall, Duration::from_millis(10));
    Figure::exact(series.facts().count as f64 - 1.0, "samples").near(9_999.0, 0.0)
}

fn correction_finds_the_stall(e: &Evidence<'_>) -> Judged {
    let of = "record-correct";
    let predicted = e.metric(of, "p99_by_closed_form")?.value;
    let raw = e.ratio((of, "response", P99), (of, "service", P99))?;
    e.quantile(of, "response", P99)?
        .near_relative(predicted, 0.05)?
        .and(raw.at_least(50.0))?
        .because("corrected p99 as the open loop's, and far above the raw one")
}

const fn wrk2(series: &'static str) -> (&'static str, &'static str, f64) {
    ("wrk2-freeze", series, P99)
}

/// wrk2's serial connections cannot send while the server stands still: what they waited is in one
/// series and not in the other.
fn waiting_counts(e: &Evidence<'_>) -> Judged {
    let ratio = e.ratio(wrk2("corrected"), wrk2("uncorrected"))?;
    ratio.at_least(100.0)?.because("the same requests, from the schedule over from the send")
}

fn load_goes_on(e: &Evidence<'_>) -> Judged {
    let asked = e.metric("open-loop", "asked_in_stall")?;
    asked.at_least(0.95)?.because("sent during the stall, of what was due")
}

fn schedule_is_never_below_send(e: &Evidence<'_>) -> Judged {
    let of = "exponential-open";
    let ratio = |q| e.ratio((of, "exponential-response", q), (of, "from-send", q));
    // Both are exponential, with the means 1 / (1 - utilisation) and 1 of a service.
    let times = 1.0 / (1.0 - RHO);
    ratio(P99)?
        .near_relative(times, 0.05)?
        .and(ratio(0.9)?.near_relative(times, 0.05))?
        .and(ratio(0.5)?.near_relative(times, 0.05))?
        .because("one serial connection, from the schedule over from the send, p99, p90 and p50")
}

fn misses_the_stall(e: &Evidence<'_>, tool: &str, times: f64) -> Judged {
    let ratio = e.ratio(("open-loop", "response", P99), (tool, "response", P99))?;
    ratio.at_least(times)?.because(&format!("p99 of open-loop over {tool}"))
}

fn closed_loop_misses(e: &Evidence<'_>) -> Judged {
    misses_the_stall(e, "closed-loop", 100.0)
}

fn ticks_miss(e: &Evidence<'_>) -> Judged {
    misses_the_stall(e, "tick-skipping", 50.0)
}

fn tokens_miss(e: &Evidence<'_>) -> Judged {
    misses_the_stall(e, "token-bucket", 50.0)
}

fn loops_differ_at_any_moment(e: &Evidence<'_>) -> Judged {
    let ratio = e.metric("any-moment", "smallest_ratio")?;
    ratio.at_least(100.0)?.because("p99 of open over closed loop, the stall at any moment")
}

/// p99 in seconds of wrk2's example: 2,000 a second, 39,500 recorded.
fn freeze_by_formula(e: &Evidence<'_>) -> Judged {
    let stall = e.settings_of("wrk2-freeze").duration("stall").as_secs_f64();
    let delayed = 2_000.0 * stall / 39_500.0;
    Figure::exact(quantile_of_a_stall(stall, delayed, P99), "s").near_relative(1.27, 0.1)
}

/// p99 is where the closed form has it, and the median is not affected: it is a stall, not general
/// slowness.
fn stall_shows(e: &Evidence<'_>, tolerance: f64) -> Judged {
    let of = "open-loop";
    let predicted = e.metric(of, "p99_by_closed_form")?.value;
    let over_median = e.ratio((of, "response", P99), (of, "response", 0.5))?;
    e.quantile(of, "response", P99)?
        .near_relative(predicted, tolerance)?
        .and(over_median.at_least(10.0))?
        .because("p99 by the closed form, and times the median")
}

fn closed_form_holds_at_any_moment(e: &Evidence<'_>) -> Judged {
    let shows = e.metric("any-moment", "smallest_ratio")?.at_least(10.0);
    e.metric("any-moment", "largest_error")?
        .at_most(0.05)?
        .and(shows)?
        .because("error of the closed form, the stall at any moment; p99 of open over closed loop")
}

/// The figures that wrk2's README prints of its freeze, in seconds.
fn freeze_as_printed(e: &Evidence<'_>) -> Judged {
    let seen = |series, q, printed_s: f64| {
        e.quantile("wrk2-freeze", series, q)?.near_relative(printed_s * 1e9, 0.1)
    };
    seen("corrected", P99, 1.27)?
        .and(seen("corrected", 0.999, 1.42))?
        .and(seen("uncorrected", 0.999, 1.41))?
        .because("p99 and p99.9 corrected, p99.9 uncorrected")
}

/// A fifth is allowed where a sample of one connection fell into the warm-up.
fn one_sample_for_each_connection(e: &Evidence<'_>) -> Judged {
    e.metric("closed-loop", "stalled_samples_per_connection")?.near(1.0, 0.2)
}

/// wrk2's README shows 39,500 recorded of the 60,000 that 30 s at 2,000 a second make.
fn recorded_after_calibration(e: &Evidence<'_>) -> Judged {
    let left = (30.0 - e.settings().duration("calibration").as_secs_f64()) / 30.0;
    Figure::exact(39_500.0 / 60_000.0, "ratio").near_relative(left, 0.02)
}

/// A share of the CPUs: with more, the generator waits for other programs, and 1 ms says nothing of
/// it.
const MOST_TIME_OF_OTHERS: f64 = 0.05;

fn lateness_of_a_quiet_machine(e: &Evidence<'_>) -> Judged {
    undisturbed("paced", e.metric("paced", "others")?.value, MOST_TIME_OF_OTHERS)?;
    e.quantile("paced", "lateness", 0.99)?.at_most(1e6)
}

fn digits(e: &Evidence<'_>) -> u8 {
    e.settings().int("digits") as u8
}

fn error(e: &Evidence<'_>) -> Judged {
    Figure::exact(worst_error(digits(e)), "ratio").at_most(0.001)
}

fn size(e: &Evidence<'_>) -> Judged {
    let by_formula = hdr_bytes(HOUR_US as f64, 1_024.0);
    Figure::exact(bytes(&of_an_hour(digits(e))), "bytes")
        .near(188_928.0, 0.0)?
        .and(Figure::exact(by_formula, "bytes").near(188_928.0, 0.0))?
        .because("as allocated, and by the formula")
}

/// The widths of a count at 2 ms, 2 s and an hour, in microseconds.
fn resolution(e: &Evidence<'_>) -> Judged {
    let histogram = of_an_hour(digits(e));
    let width = |us: u64| Figure::exact(histogram.equivalent_range(us) as f64, "µs");
    width(HOUR_US)
        .at_most(3.6e6)?
        .and(width(2_000).at_most(1.0))?
        .and(width(2_000_000).at_most(1_024.0))?
        .because("at an hour, 2 ms and 2 s")
}

fn recording_is_cheap_and_flat(e: &Evidence<'_>) -> Judged {
    let growth = e.metric("recording", "record_cost_growth")?;
    // From some 10⁴ values to 10⁷ a cost that grows as their logarithm would grow by three
    // quarters.
    e.metric("recording", "record_cost")?
        .at_most(100.0)?
        .and(growth.at_most(1.5))?
        .because("nanoseconds a value, and the last tenth over the first")
}

fn sums_are_the_whole(e: &Evidence<'_>) -> Judged {
    let values: Vec<u64> = (0..100_000).map(|i| scattered(i) / 1_000).collect();
    counts_that_differ(&values, 4, e.settings().text("add"))?.near(0.0, 0.0)
}

fn even_odds(e: &Evidence<'_>) -> Judged {
    let q = e.settings().float("quantile");
    Figure::exact(requests_to_even_odds(q), "requests").near(68.97, 0.005)
}

fn m_m_1_p99(e: &Evidence<'_>) -> Judged {
    let rho = e.settings_of("exponential-open").float("utilisation");
    let queue = m_m_1(EXPONENTIAL.mean_ns / 1e6, rho);
    Figure::exact(queue.response_quantile(P99), "ms").near(2.30, 0.005)
}

fn open_queue_is_m_m_1(e: &Evidence<'_>) -> Judged {
    let of = "exponential-open";
    if e.count(of, "exponential-response")? < 1_000_000 {
        return Err(Gap::Unavailable("p99 to 5 % takes a million requests".into()));
    }
    let theory = m_m_1(EXPONENTIAL.mean_ns, RHO);
    let error = e.metric(of, "mean_standard_error")?.value;
    let p99 = e.quantile(of, "exponential-response", P99)?;
    e.metric(of, "mean")?
        .near(theory.response(), 3.0 * error)?
        .and(p99.near_relative(theory.response_quantile(P99), 0.05))?
        .because("mean within three standard errors, and p99")
}

fn closed_worlds_are_gentler(e: &Evidence<'_>) -> Judged {
    let [open, ten, one] =
        ["exponential-open", "exponential-ten-clients", "exponential-one-client"];
    let p99 = |variant| e.quantile(variant, "exponential-response", P99);
    e.metric(open, "mean")?
        .over(&e.metric(ten, "mean")?)
        .at_least(1.1)?
        .and(e.metric(ten, "mean")?.over(&e.metric(one, "mean")?).at_least(1.1))?
        .and(p99(open)?.over(&p99(ten)?).at_least(1.1))?
        .and(p99(ten)?.over(&p99(one)?).at_least(1.1))?
        .because("open over ten clients over one, in the mean and at p99")
}

fn slow_requests_queue_the_others(e: &Evidence<'_>) -> Judged {
    let p99 = |variant| e.quantile(variant, "bimodal-response", P99);
    let (open, one) = (p99("bimodal-open")?, p99("bimodal-one-client")?);
    open.over(&one)
        .at_least(25.0)?
        .and(open.at_least(25e6))?
        .and(one.at_most(1e6))?
        .because("open over one client at p99, and both")
}
