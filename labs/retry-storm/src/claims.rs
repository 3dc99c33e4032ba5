//! The claims of the sources, and the checks that could refute each.
//!
//! *Answered* means answered while the client still waits. *Afterwards* is the last three fifths of
//! a trial, at least ten times as long as the trigger; with a cure, it is the last three tenths.
//! Figures of a failing service agree within three standard errors.

use lab_kit::stats::binomial_error;
use lab_kit::{
    Claim, Evidence, Figure, Gap, Judged, ShownBy, closed_form, line_through, live, simulated,
    statements,
};

use crate::charts::{
    AMPLIFIED, ATTEMPTS, BY_CLIENTS, CROWD, GOODPUT, HIDDEN, IN_SERVER, LOAD, LOST, QUEUE, REGIONS,
    RESIDUAL, THROUGHPUT,
};
use crate::failing::CALLS;
use crate::setup::{AFTER, TRIGGER};
use crate::sources::{
    BACKOFF_2022, BRONSON_2021, CACHES_2021, HUANG_2022, JITTER_2015, OPEN_2023, RETRIES_2022,
};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim {
        id: "MET-1",
        says: "A trigger leaves a server down that is gone long since: what keeps it down is the loop of \
               retries. Without them the same server recovers.",
        source: &BRONSON_2021,
        checks: &[
            simulated(&["storm", "no-retries"], stays_down).without(NO_RETRIES),
            live(&["storm", "no-retries"], stays_down).without(NO_RETRIES),
        ],
        shown_by: &[ShownBy::Chart(&GOODPUT, &["storm", "no-retries"])],
    },
    Claim {
        id: "MET-2",
        says: "With r retries a server survives a trigger only below 1 / (1 + r) of its capacity: three \
               leave a quarter.",
        source: &HUANG_2022,
        checks: &[
            closed_form(|e| hidden(e).near(0.25, 1e-9)).without(NO_RETRIES),
            simulated(&["hidden-capacity"], survives_below).without(&[("admit", "in-time")]),
        ],
        shown_by: &[ShownBy::Chart(&REGIONS, &["hidden-capacity"])],
    },
    Claim {
        id: "MET-3",
        says: "Then throughput is as high as it can be, and goodput is nothing: each answer finds that \
               its client has left.",
        source: &BRONSON_2021,
        checks: &[
            simulated(&["storm"], busy_for_nothing).without(NO_RETRIES),
            live(&["storm"], busy_for_nothing).without(NO_RETRIES),
        ],
        shown_by: &[ShownBy::Chart(&THROUGHPUT, &["storm"]), ShownBy::Chart(&GOODPUT, &["storm"])],
    },
    Claim {
        id: "MET-5",
        says: "To wait does not help. To switch retries off does, and so does to let few requests in for \
               a while.",
        source: &BRONSON_2021,
        checks: &[simulated(&["storm", "retries-off", "shed"], cured).without(&[("cure", "none")])],
        shown_by: &[ShownBy::Chart(&GOODPUT, &["storm", "retries-off", "shed"])],
    },
    Claim {
        id: "MET-6",
        says: "A server that does not serve who has given up, or serves last who came first, has no such \
               loop.",
        source: &BRONSON_2021,
        checks: &[
            simulated(&["in-time", "last-first"], no_loop).without(ALL_FIFO),
            live(&["in-time", "last-first"], no_loop).without(ALL_FIFO),
        ],
        shown_by: &[ShownBy::Chart(&GOODPUT, &["storm", "in-time", "last-first"])],
    },
    Claim {
        id: "BUD-1",
        says: "Nor has one whose clients pay for retries with successes: they retry, and it recovers.",
        source: &RETRIES_2022,
        checks: &[
            simulated(&["bucket"], |e| recovers(e, "bucket")).without(NO_BUDGET),
            live(&["bucket"], |e| recovers(e, "bucket")).without(NO_BUDGET),
        ],
        shown_by: &[ShownBy::Chart(&ATTEMPTS, &["storm", "bucket", "no-retries"])],
    },
    Claim {
        id: "BRK-10",
        says: "A retry after 15 ms, fifteen times a typical p99, makes the queue of a server that is busy \
               for 80 % grow without end.",
        source: &OPEN_2023,
        checks: &[simulated(&["bimodal", "bimodal-retried"], grows).without(&[("timeout", "10s")])],
        shown_by: &[ShownBy::Chart(&QUEUE, &["bimodal", "bimodal-retried"])],
    },
    Claim {
        id: "BRK-11",
        says: "N retries multiply the load by (1 - x^(N+1)) / (1 - x) where a share x of calls fails: \
               three by 1.875 at a half, by 4 where all do.",
        source: &RETRIES_2022,
        checks: &[
            closed_form(amplification_printed).without(TWO_RETRIES),
            simulated(&["n-retries"], amplification).without(TWO_RETRIES),
        ],
        shown_by: &[ShownBy::Chart(&AMPLIFIED, &["n-retries"])],
    },
    Claim {
        id: "BRK-12",
        says: "What still fails is x^(N+1), 6.25 % of calls at a half with three retries; the post prints \
               x^N, which is 12.5 %.",
        source: &RETRIES_2022,
        checks: &[
            closed_form(|e| {
                Figure::exact(power(0.5, 1 + retries(e, "n-retries")), "ratio").near(0.0625, 1e-9)
            })
            .without(TWO_RETRIES),
            simulated(&["n-retries"], |e| {
                let tolerance =
                    3.0 * binomial_error(0.0625, e.metric("n-retries", CALLS)?.value as u64);
                at(e, "n-retries", LOST, 0.5)?.near(0.0625, tolerance)
            })
            .without(TWO_RETRIES),
        ],
        shown_by: &[ShownBy::Chart(&RESIDUAL, &["n-retries"])],
    },
    Claim {
        id: "BRK-13",
        says: "A bucket of 0.1 token a success behaves like N retries below 10 % failures, and adds 10 % \
               of load at most above.",
        source: &RETRIES_2022,
        checks: &[
            closed_form(|e| bucket_load(e, 0.1).at_most(1.1)).without(DEAR_TOKENS),
            simulated(&["n-retries", "n-retries-bucket"], bucket_bounds).without(DEAR_TOKENS),
        ],
        shown_by: &[ShownBy::Chart(&AMPLIFIED, &["n-retries", "n-retries-bucket"])],
    },
    Claim {
        id: "BRK-14",
        says: "Who knows only their own calls breaks too early and pays too late: with more clients a \
               breaker comes to no retries, a bucket to N.",
        source: &RETRIES_2022,
        checks: &[simulated(&["crowd"], drifts_apart).without(&[("knowledge", "shared")])],
        shown_by: &[
            ShownBy::Chart(&CROWD, &["crowd"]),
            ShownBy::Chart(&AMPLIFIED, &["n-retries", "n-retries-breaker"]),
        ],
    },
    Claim {
        id: "BRK-15",
        says: "In a long overload backoff only defers what ever new clients send; it takes load away where \
               clients make one call at a time.",
        source: &BACKOFF_2022,
        checks: &[
            simulated(&["backoff-open"], |e| {
                e.metric("backoff-open", "load_change")?.near(0.0, 0.03)
            })
            .without(&[("backoff", "10m")]),
            simulated(&["backoff-serial"], |e| {
                e.metric("backoff-serial", "load_change")?.at_most(-0.2)
            })
            .without(&[("backoff", "0s")]),
        ],
        shown_by: &[],
    },
    Claim {
        id: "JIT-1",
        says: "Who failed together comes back together. A random part of the pause spreads them.",
        source: &JITTER_2015,
        checks: &[simulated(&["at-once", "at-once-jittered"], |e| {
            let together = e.metric("at-once", "answered")?;
            if together.value == 0.0 {
                return Err(Gap::Unavailable("at-once: no client was answered".into()));
            }
            let times = e.metric("at-once-jittered", "answered")?.over(&together);
            times.at_least(2.0)?.because("answered, over those without jitter")
        })
        .without(&[("jitter", "none")])],
        shown_by: &[ShownBy::Chart(&ATTEMPTS, &["at-once", "at-once-jittered"])],
    },
    Claim {
        id: "BRK-24",
        says: "A cache that was emptied stays empty, as its server is sized for the misses of a full one, \
               unless few may ask it at a time.",
        source: &CACHES_2021,
        checks: &[simulated(&["cold-cache", "cold-cache-bounded"], |e| {
            let down = afterwards(e, "cold-cache")?.at_most(0.2)?.because("answered");
            down?.and(recovers(e, "cold-cache-bounded"))
        })
        .without(&[("flush", "no")])],
        shown_by: &[ShownBy::Chart(&GOODPUT, &["cold-cache", "cold-cache-bounded"])],
    },
];

const NO_RETRIES: &[(&str, &str)] = &[("retries", "0")];
const TWO_RETRIES: &[(&str, &str)] = &[("retries", "2")];
const ALL_FIFO: &[(&str, &str)] = &[("admit", "all"), ("order", "fifo")];
const NO_BUDGET: &[(&str, &str)] = &[("budget", "none")];
const DEAR_TOKENS: &[(&str, &str)] = &[("tokens", "1")];

/// Parts of a trial's measured span.
const BEFORE: [f64; 2] = [0.0, TRIGGER];
const AFTERWARDS: [f64; 2] = [AFTER, 1.0];
const CURED: [f64; 2] = [0.7, 1.0];

/// The mean of a rate over a part of a variant's trials.
fn mean(e: &Evidence, variant: &str, rate: &str, [from, to]: [f64; 2]) -> Result<f64, Gap> {
    let points = e.gauge(variant, rate)?;
    let ends = [points.first(), points.last()].map(|point| point.map_or(0.0, |(at, _)| *at));
    let span = ends[0] + ends[1];
    let inside = |at: f64| (from * span..to * span).contains(&at);
    let rates: Vec<f64> =
        points.iter().filter(|(at, _)| inside(*at)).map(|(_, rate)| rate.value).collect();
    Ok(rates.iter().sum::<f64>() / rates.len().max(1) as f64)
}

/// The ratio of two rates in a part of the trials.
fn share(e: &Evidence, of: &str, rates: [&str; 2], part: [f64; 2]) -> Result<Figure, Gap> {
    let [above, below] = rates.map(|rate| mean(e, of, rate, part));
    let below = below?;
    if below == 0.0 {
        return Err(Gap::Unavailable(format!("{of}: no {} in that part of the trial", rates[1])));
    }
    Ok(Figure::exact(above? / below, "ratio"))
}

/// The share of requests that are answered, in a part of the trials, over the share before the trigger.
fn answered(e: &Evidence, of: &str, part: [f64; 2]) -> Result<Figure, Gap> {
    let then = share(e, of, ["goodput", "offered"], part)?;
    let before = share(e, of, ["goodput", "offered"], BEFORE)?;
    if before.value == 0.0 {
        return Err(Gap::Unavailable(format!(
            "{of}: nothing was answered before the trigger either"
        )));
    }
    Ok(Figure { unit: "ratio".into(), ..then.over(&before) })
}

pub(crate) fn afterwards(e: &Evidence, of: &str) -> Result<Figure, Gap> {
    answered(e, of, AFTERWARDS)
}

fn recovers(e: &Evidence, of: &str) -> Judged {
    afterwards(e, of)?.at_least(0.95)?.because(of)
}

fn stays_down(e: &Evidence) -> Judged {
    let down = afterwards(e, "storm")?.at_most(0.2)?.because("answered afterwards, of before")?;
    down.and(recovers(e, "no-retries"))
}

fn retries(e: &Evidence, variant: &str) -> u64 {
    e.settings_of(variant).int("retries")
}

pub(crate) fn hidden(e: &Evidence) -> Figure {
    Figure::exact(1.0 / (1.0 + retries(e, "hidden-capacity") as f64), "ratio")
}

/// The load that is furthest from its predicted value.
fn survives_below(e: &Evidence) -> Judged {
    let found = e.curve("hidden-capacity", HIDDEN)?;
    let off = |(retries, load): &(f64, Figure)| load.value * (1.0 + retries);
    let far = |of: &f64| (of - 1.0).abs();
    let worst = found.iter().map(off).max_by(|a, b| far(a).total_cmp(&far(b)));
    let worst = worst.ok_or_else(|| Gap::Unavailable("no load was tried".into()))?;
    Figure::exact(worst, "times").near(1.0, 0.1)?.because("load survived, times 1 + r, at worst")
}

/// A rate afterwards, `goodput` or `throughput`, as a share of the server's capacity: of requests of
/// equal size, by their work. What is offered would do instead only in the long run: in a second it
/// is off by a tenth by chance.
pub(crate) fn of_capacity(e: &Evidence, of: &str, rate: &str) -> Result<Figure, Gap> {
    let work_s = e.settings_of(of).duration("work").as_secs_f64();
    Ok(Figure::exact(mean(e, of, rate, AFTERWARDS)? * work_s, "ratio"))
}

fn busy_for_nothing(e: &Evidence) -> Judged {
    let nothing = of_capacity(e, "storm", "goodput")?.at_most(0.1)?.because("goodput")?;
    nothing.and(of_capacity(e, "storm", "throughput")?.at_least(0.9)?.because("throughput"))
}

fn cured(e: &Evidence) -> Judged {
    let by_then = |of| answered(e, of, CURED);
    let waiting = by_then("storm")?.at_most(0.2)?.because("answered after waiting")?;
    waiting
        .and(by_then("retries-off")?.at_least(0.95)?.because("with retries off"))?
        .and(by_then("shed")?.at_least(0.95)?.because("after few were let in"))
}

fn no_loop(e: &Evidence) -> Judged {
    let keeps = |of: &str| afterwards(e, of)?.at_least(0.8)?.because(of);
    keeps("in-time")?.and(keeps("last-first"))
}

/// The growth of the requests in the server in the last half of a trial, in requests a second.
fn slope(e: &Evidence, of: &str) -> Result<Figure, Gap> {
    let there = e.gauge(of, IN_SERVER)?;
    Ok(line_through(&there[there.len() / 2..], ["requests", "req/s"])?[1].clone())
}

fn grows(e: &Evidence) -> Judged {
    let knobs = e.settings_of("bimodal-retried");
    let capacity = e.metric("bimodal-retried", "capacity")?.value;
    let excess = knobs.float("load") * (1.0 + knobs.int("retries") as f64) - 1.0;
    let expected = excess * capacity;
    let grows = slope(e, "bimodal-retried")?.near_relative(expected, 0.1)?.because("req/s");
    let still = Figure::exact(slope(e, "bimodal")?.value.abs(), "req/s");
    grows?.and(still.at_most(0.05 * expected)?.because("without the retry"))
}

fn power(x: f64, n: u64) -> f64 {
    (0..n).map(|_| x).product()
}

/// The mean and standard deviation of the attempts of a call if each fails with probability `x`:
/// the k-th is made with probability x^(k-1).
fn attempts(x: f64, retries: u64) -> [f64; 2] {
    let made = |k: u64| power(x, k);
    let mean: f64 = (0..=retries).map(made).sum();
    let square: f64 = (0..=retries).map(|k| (2.0 * k as f64 + 1.0) * made(k)).sum();
    [mean, (square - mean * mean).max(0.0).sqrt()]
}

const PRINTED: [(f64, f64); 3] = [(0.5, 1.875), (0.9, 3.439), (1.0, 4.0)];

fn amplification_printed(e: &Evidence) -> Judged {
    let at = |(x, printed)| {
        let [load, _] = attempts(x, retries(e, "n-retries"));
        Figure::exact(load, "times").near(printed, 5e-4)?.because(&format!("at {x}"))
    };
    let [half, most, all] = PRINTED;
    at(half)?.and(at(most))?.and(at(all))
}

/// The value of a variant's curve at `x`.
fn at(e: &Evidence, variant: &str, curve: &str, x: f64) -> Result<Figure, Gap> {
    let points = e.curve(variant, curve)?;
    let found = points.into_iter().find(|(at, _)| (at - x).abs() < 1e-9);
    found.map(|(_, y)| y).ok_or_else(|| Gap::Unavailable(format!("{curve} has no point at {x}")))
}

fn amplification(e: &Evidence) -> Judged {
    let calls = e.metric("n-retries", CALLS)?.value;
    let at = |(x, printed): (f64, f64)| {
        // The claim's three retries.
        let [_, deviation] = attempts(x, 3);
        let tolerance = 3.0 * deviation / calls.sqrt() + 5e-4;
        at(e, "n-retries", LOAD, x)?.near(printed, tolerance)?.because(&format!("at {x}"))
    };
    let [half, most, all] = PRINTED;
    at(half)?.and(at(most))?.and(at(all))
}

/// The load with an empty bucket: the attempts that succeed pay for the retries.
fn bucket_load(e: &Evidence, x: f64) -> Figure {
    let tokens = e.settings_of("n-retries-bucket").float("tokens");
    Figure::exact(1.0 / (1.0 - tokens * (1.0 - x)), "times")
}

/// Above 10 % failures, each client may also have spent its bucket's initial tokens.
fn bucket_bounds(e: &Evidence) -> Judged {
    let load = |of, x| at(e, of, LOAD, x);
    let knobs = e.settings_of("n-retries-bucket");
    let first =
        knobs.float("bucket") * knobs.int("clients") as f64 / crate::failing::A_ROUND as f64;
    let below = load("n-retries-bucket", 0.05)?.over(&load("n-retries", 0.05)?);
    let below = below.near(1.0, 0.01)?.because("over N retries, at 5 % failures");
    [0.35, 0.5, 0.75, 0.9, 1.0].into_iter().try_fold(below?, |judged, x| {
        judged.and(load("n-retries-bucket", x)?.at_most(1.1 + first)?.because(&format!("at {x}")))
    })
}

/// The share of retries that 10, 100 and 1,000 clients still make.
fn drifts_apart(e: &Evidence) -> Judged {
    let kept = |budget: &str| {
        let of =
            |clients: u32| Ok::<_, Gap>(e.metric("crowd", &format!("{budget}: {clients}"))?.value);
        Ok::<_, Gap>([of(10)?, of(100)?, of(1_000)?])
    };
    let [breaker, bucket] = BY_CLIENTS.map(kept);
    let (breaker, bucket) = (breaker?, bucket?);
    let falls = |of: [f64; 3]| of[0] > of[1] && of[1] > of[2];
    statements(&[
        ("breakers of 100 clients keep back a tenth at half their threshold", breaker[1] < 0.9),
        ("the more clients the more they keep back", falls(breaker)),
        ("breakers of 1,000 keep back nearly all", breaker[2] < 0.2),
        ("buckets let more pass the more clients there are", falls(bucket.map(|kept| -kept))),
        ("buckets of 1,000 let pass more than half", bucket[2] > 0.5),
    ])
}
