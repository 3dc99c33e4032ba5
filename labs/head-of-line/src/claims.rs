//! What the sources claim, and what would show each of them wrong.
//!
//! A formula agrees to the digits that are printed here. A simulated mean is within 5 % of its formula, a
//! share within three standard errors, and a p99 within the bound that the claim itself states.

use lab_kit::sim::theory::MMc;
use lab_kit::stats::binomial_error;
use lab_kit::{
    Claim, Evidence, Figure, Gap, Judged, ShownBy, closed_form, line_through, simulated,
};

use crate::charts::{
    BY_DEPTH, DEPTHS, HITS, INTERACTIVE, LARGE, P99_BY_HITS, PRIMARIES, QUERIES, REQUESTS, SMALL,
};
use crate::server::{classes, small_mean};
use crate::sources::{COBHAM_1954, DEAN_2013};
use crate::{cache, device, leaves};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim {
        id: "TAS-29",
        says: "Large requests in slices let small ones through: their p99 falls to a fifth and less.",
        source: &DEAN_2013,
        checks: &[
            closed_form(|e| {
                let mean = |of| Figure::exact(small_mean(&e.settings_of(of)), "ns");
                mean("whole").over(&mean("sliced")).near(10.65, 0.005)?.because("mean over mean")
            })
            .without(WHOLE),
            simulated(&["whole", "sliced"], |e| {
                let falls = e.ratio(("whole", "small", 0.99), ("sliced", "small", 0.99))?;
                falls
                    .at_least(5.0)?
                    .because("p99 whole, over sliced")?
                    .and(as_computed(e, "whole"))?
                    .and(as_computed(e, "sliced"))
            })
            .without(WHOLE),
        ],
        shown_by: &[
            ShownBy::Chart(&SMALL, &["whole", "sliced"]),
            ShownBy::Chart(&LARGE, &["whole", "sliced"]),
        ],
    },
    Claim {
        id: "PRI-1",
        says: "To let small requests go first spares them the queue, and not the large one that runs: 15.5 \
               ms for 21.3. With slices of 1 ms it is 1.36 ms.",
        source: &COBHAM_1954,
        checks: &[
            closed_form(|e| {
                let mean = |of, ms: f64| {
                    Figure::exact(small_mean(&e.settings_of(of)), "ns").near(ms * 1e6, 5e3)
                };
                mean("first", 15.5)?.and(mean("whole", 21.3))?.and(mean("sliced-first", 1.357))
            })
            .without(IN_ORDER),
            simulated(&["first", "sliced-first"], |e| {
                let mean = |of: &str, ms: f64| {
                    e.metric(of, "small_mean")?.near_relative(ms * 1e6, 0.05)?.because(of)
                };
                mean("first", 15.5)?.and(mean("sliced-first", 1.357))
            })
            .without(IN_ORDER),
        ],
        shown_by: &[
            ShownBy::Chart(&SMALL, &["whole", "first", "sliced-first"]),
            ShownBy::Chart(&LARGE, &["whole", "first", "sliced-first"]),
        ],
    },
    Claim {
        id: "TAS-30",
        says: "Priorities bite where the device's own queue is short: an interactive p99 grows by a batch \
               request's work with each that the device has.",
        source: &DEAN_2013,
        checks: &[
            closed_form(|e| {
                let p99 = |of| {
                    let knobs = e.settings_of(of);
                    Figure::exact(device::p99(&knobs, knobs.int("depth")), "ns")
                };
                p99("deep").over(&p99("shallow")).near(29.44, 0.005)?.because("p99 at 32, over 1")
            })
            .without(&[("depth", "1")]),
            simulated(&["depths"], linear_in_depth).without(IN_ORDER),
        ],
        shown_by: &[
            ShownBy::Chart(&DEPTHS, &["depths"]),
            ShownBy::Chart(&INTERACTIVE, &["shallow", "deep"]),
        ],
    },
    Claim {
        id: "TAS-11",
        says: "Second copies of low priority cost first ones less than equal ones do.",
        source: &DEAN_2013,
        checks: &[simulated(&["equal", "low"], copies_cost).without(&[("copies", "equal")])],
        shown_by: &[ShownBy::Chart(&PRIMARIES, &["once", "equal", "low"])],
    },
    Claim {
        id: "TAS-12",
        says: "To wait for the p95 before a second copy goes keeps the work that is done twice below 5 %, \
               and helps nobody who is faster.",
        source: &DEAN_2013,
        checks: &[
            closed_form(|e| Figure::exact(still_waits(e, "low"), "ratio").near(0.05, 5e-4))
                .without(EARLY)
                .calibrates(),
            simulated(&["once", "low"], waste_is_bounded).without(EARLY),
        ],
        shown_by: &[ShownBy::Chart(&REQUESTS, &["once", "equal", "low"])],
    },
    Claim {
        id: "TAS-26",
        says: "A query to 2,000 leaves that goes without the last answer misses the best one in 2,000 times, \
               and its p99 is less than half.",
        source: &DEAN_2013,
        checks: &[
            closed_form(|e| {
                let missed = Figure::exact(share_missed(e, "but-one"), "ratio").near(5e-4, 1e-9)?;
                let half = theory(e, "but-one").over(&theory(e, "all")).near(0.4524, 5e-5)?;
                half.because("p99 but for one, over all")?.and(missed.because("missed"))
            })
            .without(EVERY_ANSWER),
            simulated(&["all", "but-one", "enough"], good_enough).without(EVERY_ANSWER),
        ],
        shown_by: &[ShownBy::Chart(&QUERIES, &["all", "but-one", "enough"])],
    },
    Claim {
        id: "TAS-27",
        says: "A canary adds less than a tenth to the p99 of a query to all leaves, and one that crashes its \
               leaf crashes one, not 2,000.",
        source: &DEAN_2013,
        checks: &[
            closed_form(|e| {
                let (leaves, enough) = leaves::waits_for(&e.settings_of("canary"));
                let after = Figure::exact(leaves::p99_after_canary(leaves, enough), "ns");
                after.over(&theory(e, "all")).at_most(1.1)
            })
            .without(&[("leaves", "1")]),
            simulated(&["canary"], |e| {
                let p99 = e.quantile("canary", "query", 0.99)?;
                p99.over(&theory(e, "all")).at_most(1.1)?.because("p99, over that of the leaves")
            })
            .without(&[("canaries", "2000")]),
            simulated(&["canary", "all"], |e| {
                let crashed = |of| e.metric(of, "crashed");
                crashed("canary")?.near(1.0, 0.0)?.and(crashed("all")?.near(2_000.0, 0.0))
            })
            .without(&[("canaries", "0")]),
        ],
        shown_by: &[ShownBy::Chart(&QUERIES, &["all", "canary"])],
    },
    Claim {
        id: "TAS-31",
        says: "A cache leaves the p99 as it is until more than 99 % are hits, and with Zipf's keys that \
               takes nine tenths of them.",
        source: &DEAN_2013,
        checks: &[
            closed_form(|e| {
                Figure::exact(cache::needed(&e.settings(), 0.99), "ratio").at_least(0.9)
            })
            .without(&[("skew", "2")]),
            simulated(&["caches"], step_at_99).without(&[("large", "1ms")]),
        ],
        shown_by: &[ShownBy::Chart(&HITS, &["caches"])],
    },
];

const WHOLE: &[(&str, &str)] = &[("slice", "0s")];
const IN_ORDER: &[(&str, &str)] = &[("order", "arrival")];
const EARLY: &[(&str, &str)] = &[("hedge-after", "20ms")];
const EVERY_ANSWER: &[(&str, &str)] = &[("enough", "1")];

fn as_computed(e: &Evidence, variant: &str) -> Judged {
    let mean = small_mean(&e.settings_of(variant));
    e.metric(variant, "small_mean")?.near_relative(mean, 0.05)?.because(variant)
}

fn linear_in_depth(e: &Evidence) -> Judged {
    let (sizes, _) = classes(&e.settings_of("depths"));
    let large = sizes[1] as f64;
    let points = e.curve("depths", BY_DEPTH)?;
    let worst = points.iter().map(|(depth, p99)| {
        (p99.value / device::p99(&e.settings_of("depths"), *depth as u64) - 1.0).abs()
    });
    let worst = Figure::exact(worst.fold(0.0, f64::max), "ratio").at_most(0.05)?;
    let [_, slope] = line_through(&points, ["ns", "ns"])?;
    slope.near_relative(large, 0.02)?.because("with each request")?.and(worst.because("off theory"))
}

/// The share of requests that a second copy is sent for, where copies do not change that: those that take
/// longer in M/M/1.
fn still_waits(e: &Evidence, variant: &str) -> f64 {
    let knobs = e.settings_of(variant);
    let service = knobs.duration("service").as_nanos() as f64;
    let queue = MMc { arrivals: knobs.float("load") / service, service, servers: 1 };
    queue.longer_than(knobs.duration("hedge-after").as_nanos() as f64)
}

/// The mean time of first copies where second ones make this much more work: they wait like all others, or
/// before all second copies (Cobham 1954).
fn primary_mean(e: &Evidence, variant: &str) -> Judged {
    let knobs = e.settings_of(variant);
    let (load, service) = (knobs.float("load"), knobs.duration("service").as_nanos() as f64);
    let busy = load * (1.0 + e.metric(variant, "copied_work")?.value);
    let free = 1.0 - if knobs.text("copies") == "low" { load } else { busy };
    let mean = service + busy * service / free;
    e.metric(variant, "primary_mean")?.near_relative(mean, 0.05)?.because(variant)
}

fn copies_cost(e: &Evidence) -> Judged {
    let p99 = e.ratio(("low", "primary", 0.99), ("equal", "primary", 0.99))?;
    // Both meet the same requests. A hundredth is more than a histogram's buckets are wide.
    p99.at_most(0.99)?
        .because("p99 of first copies, low over equal")?
        .and(primary_mean(e, "equal"))?
        .and(primary_mean(e, "low"))
}

fn waste_is_bounded(e: &Evidence) -> Judged {
    let copied = e.metric("low", "copied_work")?;
    let (hedged, of) = e.proportion("low", "hedged")?;
    let error = 3.0 * binomial_error(hedged.value, of);
    let p90 = e.ratio(("low", "request", 0.9), ("once", "request", 0.9))?;
    let p999 = e.ratio(("low", "request", 0.999), ("once", "request", 0.999))?;
    copied
        .clone()
        .at_most(0.05)?
        .because("work done twice")?
        .and(copied.at_most(hedged.value + error)?.because("of what is sent twice"))?
        .and(p90.at_least(0.95)?.because("p90, over that without copies"))?
        .and(p999.at_most(0.9)?.because("p99.9"))
}

/// The p99 of a variant's queries in theory, without a canary.
fn theory(e: &Evidence, variant: &str) -> Figure {
    let (leaves, enough) = leaves::waits_for(&e.settings_of(variant));
    Figure::exact(leaves::p99(leaves, enough), "ns")
}

fn share_missed(e: &Evidence, variant: &str) -> f64 {
    let (leaves, enough) = leaves::waits_for(&e.settings_of(variant));
    (leaves - enough) as f64 / leaves as f64
}

fn good_enough(e: &Evidence) -> Judged {
    let missed = |of: &str, expected: f64| {
        let (figure, queries) = e.proportion(of, "missed")?;
        figure.near(expected, 3.0 * binomial_error(expected, queries))?.because("missed")
    };
    let over_all = |of: &str| e.ratio((of, "query", 0.99), ("all", "query", 0.99));
    over_all("but-one")?
        .at_most(0.5)?
        .because("p99 but for one, over all")?
        .and(over_all("enough")?.at_most(0.5)?.because("95 %, over all"))?
        .and(missed("but-one", 5e-4))?
        .and(missed("enough", 0.05))
}

fn step_at_99(e: &Evidence) -> Judged {
    let points = e.curve("caches", P99_BY_HITS)?;
    let none = || Gap::Unavailable("no cache is on this side of 99 %".into());
    let first = points.first().ok_or_else(none)?.1.clone();
    let before = points.iter().rfind(|(hits, _)| *hits < 0.99).ok_or_else(none)?;
    let after = points.iter().find(|(hits, _)| *hits > 0.99).ok_or_else(none)?;
    let over_first = |p99: &Figure| p99.over(&first);
    over_first(&before.1)
        .at_least(0.8)?
        .because(&format!("p99 at {:.1} % hits", 100.0 * before.0))?
        .and(over_first(&after.1).at_most(0.05)?.because("beyond 99 %"))
}
