//! What the sources claim, and what would show each of them wrong.
//!
//! Simulated shares agree within three standard errors of the requests that were drawn. A mean
//! response is within 5 % of its formula while the server keeps up.

use std::time::Duration;

use lab_kit::stats::binomial_error;
use lab_kit::{Claim, Evidence, Figure, Gap, Judged, ShownBy, closed_form, live, simulated};

use crate::charts::{
    BAD_FILES, BY_ERRORS, FILES, GROUPS, IN_ROLLOUT, PUSH, QUEUE, RESPONSE, ROLLOUT, STAGED_GROUPS,
    UPGRADE,
};
use crate::error_path::{critical, enriching, mean_response, utilisation};
use crate::feed::CLUSTERS;
use crate::rollout::lost_s;
use crate::sources::{DECEMBER, FAIL_SMALL, NOVEMBER};
use crate::tally::BEGIN;

pub(crate) const CLAIMS: &[Claim] = &[
    Claim {
        id: "CF-2",
        says: "A file with more features than the 200 that proxies have memory for fails every \
               request to those that panic and none to those that keep the last good file. Those \
               that go on without features show no error, and score every request 0.",
        source: &NOVEMBER,
        checks: &[
            simulated(&["panics", "keeps", "zeroes"], |e| {
                all_or_nothing(e)?.and(share(e, "zeroes", "failed_after", 0.0))?.and(share(
                    e,
                    "zeroes",
                    "zero_after",
                    1.0,
                ))
            })
            .without(ROOM),
            live(&["panics", "keeps"], all_or_nothing).without(ROOM),
        ],
        shown_by: &[ShownBy::Chart(&PUSH, &["panics", "keeps"])],
    },
    Claim {
        id: "CF-3",
        says: "While the databases that build the file are upgraded one by one, good and bad files \
               alternate, and errors come and go as in an attack. From the last upgrade on they \
               stay.",
        source: &NOVEMBER,
        checks: &[simulated(&["upgrade"], comes_and_goes).without(&[("upgrade-every", "0s")])],
        shown_by: &[ShownBy::Chart(&UPGRADE, &["upgrade"]), ShownBy::Chart(&FILES, &["upgrade"])],
    },
    Claim {
        id: "CF-4",
        says: "A change that breaks 28 % of requests fails 28 % of all when it goes to all servers \
               at once; in stages of 1, 10 and 100 % it fails that share of 28 % in each.",
        source: &DECEMBER,
        checks: &[simulated(&["global", "blind"], |e| {
            stage(e, "blind", 0, 0.01)?
                .and(stage(e, "blind", 1, 0.1))?
                .and(stage(e, "blind", 2, 1.0))?
                .and(stage(e, "global", 0, 1.0))
        })
        .without(&[("first", "1")])],
        shown_by: &[
            ShownBy::Chart(&ROLLOUT, &["global", "blind"]),
            ShownBy::Chart(&GROUPS, &["blind"]),
        ],
    },
    Claim {
        id: "CF-5",
        says: "A gate that decides within the first stage bounds the failures to its share of the \
               traffic: 25 minutes of 28 % are 7 minutes of all requests, and 4.2 s in a stage of \
               1 %.",
        source: &FAIL_SMALL,
        checks: &[
            closed_form(|e| {
                let lost = |of| Ok::<_, Gap>(Figure::exact(costs(e, of)?, "s"));
                lost("staged")?.near(4.2, 1e-6)?.and(lost("global")?.near(420.0, 1e-6))
            })
            .without(&[("bake", "10m")]),
            simulated(&["staged", "global"], bounded).without(&[("gate", "off")]),
        ],
        shown_by: &[
            ShownBy::Chart(&ROLLOUT, &["global", "staged"]),
            ShownBy::Chart(&STAGED_GROUPS, &["staged"]),
        ],
    },
    Claim {
        id: "CF-6",
        says: "Errors that collect what helps to debug them take a proxy's CPU: from an error rate \
               on that follows from their cost, 1 in 6 here, it cannot keep up, and those wait \
               that do not fail.",
        source: &NOVEMBER,
        checks: &[
            closed_form(|e| {
                let knobs = e.settings();
                let busy = utilisation(&knobs, knobs.float("errors"));
                let from = Figure::exact(critical(&knobs), "ratio").near(1.0 / 6.0, 1e-9)?;
                Figure::exact(busy, "ratio").at_least(1.0)?.because("utilisation")?.and(Ok(from))
            })
            .without(PLAIN),
            simulated(&["plain", "enriched"], jumps).without(PLAIN),
            simulated(&["error-rates"], cannot_keep_up).without(PLAIN),
            live(&["plain", "enriched"], jumps).without(PLAIN),
            live(&["error-path"], |e| {
                let knobs = e.settings_of("error-path");
                e.metric("error-path", "enriching")?.near(enriching(&knobs), 0.03)?.and(
                    Figure::exact(enriching(&knobs), "ratio").at_least(0.5)?.because("of CPU time"),
                )
            })
            .without(PLAIN),
        ],
        shown_by: &[
            ShownBy::Chart(&QUEUE, &["error-rates"]),
            ShownBy::Chart(&RESPONSE, &["plain", "enriched"]),
            ShownBy::Stacks("error-path", "differential"),
        ],
    },
];

const ROOM: &[(&str, &str)] = &[("cap", "1000")];
const PLAIN: &[(&str, &str)] = &[("enrich", "0s")];

/// Requires exactly this share of a variant's requests.
fn share(e: &Evidence, of: &str, name: &str, expected: f64) -> Judged {
    e.metric(of, name)?.near(expected, 0.0)?.because(of)
}

fn all_or_nothing(e: &Evidence) -> Judged {
    share(e, "panics", "failed_after", 1.0)?
        .and(share(e, "panics", "failed_before", 0.0))?
        .and(share(e, "keeps", "failed_after", 0.0))
}

fn comes_and_goes(e: &Evidence) -> Judged {
    let outages = e.metric("upgrade", "outages")?;
    let expected = e.metric("upgrade", "outages_expected")?.value;
    let error = 3.0 * e.metric("upgrade", "outages_error")?.value;
    // Of the number of files at an upgraded share, what is the chance of each?
    let off =
        e.curve("upgrade", BAD_FILES)?.into_iter().map(|(share, bad)| (bad.value - share).abs());
    let off = Figure::exact(off.fold(0.0, f64::max), "ratio");
    outages
        .clone()
        .at_least(2.0)?
        .because("outages")?
        .and(outages.near(expected, error)?.because("as computed"))?
        .and(
            off.at_most(4.0 * binomial_error(0.5, CLUSTERS))?.because("bad files, off their share"),
        )?
        .and(share(e, "upgrade", "failed_before", 0.0))?
        .and(share(e, "upgrade", "failed_after", 1.0))
}

/// The share of the fleet's requests that fails in a stage, numbered from 0, that reaches a share
/// of the servers.
fn stage(e: &Evidence, of: &str, number: u32, reaches: f64) -> Judged {
    let knobs = e.settings_of(of);
    let [bake_s, detect_s] = ["bake", "detect"].map(|knob| knobs.duration(knob).as_secs_f64());
    // Later the gate may have ended it.
    let lasts_s = bake_s.min(detect_s);
    let rates = e.gauge(of, IN_ROLLOUT)?;
    // Points stand in the middle of intervals.
    let span_s = rates.first().zip(rates.last()).map_or(0.0, |(first, last)| first.0 + last.0);
    let from_s = BEGIN * span_s + f64::from(number) * bake_s;
    let inside = rates.iter().filter(|(at, _)| (from_s..from_s + lasts_s).contains(at));
    let rates: Vec<f64> = inside.map(|(_, rate)| rate.value).collect();
    if rates.is_empty() {
        return Err(Gap::Unavailable(format!("{of}: no stage {number} within the trial")));
    }
    let rate = Figure::exact(rates.iter().sum::<f64>() / rates.len() as f64, "ratio");
    let expected = 0.28 * reaches;
    let error = binomial_error(expected, (knobs.float("traffic") * lasts_s) as u64);
    rate.near(expected, 3.0 * error)?.because(&format!("{of}, stage {}", number + 1))
}

/// What a rollout costs by its formula, in seconds without any answer.
fn costs(e: &Evidence, of: &str) -> Result<f64, Gap> {
    let knobs = e.settings_of(of);
    lost_s(&knobs).ok_or_else(|| Gap::Unavailable(format!("{of}: no gate ever stops it")))
}

fn bounded(e: &Evidence) -> Judged {
    let lost = |of: &str| {
        let knobs = e.settings_of(of);
        let exposed_s = knobs.float("first") * knobs.duration("detect").as_secs_f64();
        let expected = knobs.float("errors") * exposed_s;
        // A Poisson count's standard error is its root.
        let error = (expected / knobs.float("traffic")).sqrt();
        e.metric(of, "lost")?.near(expected, 3.0 * error)?.because(&format!("{of}, seconds"))
    };
    let times = e.metric("global", "lost")?.over(&e.metric("staged", "lost")?);
    lost("staged")?.and(lost("global"))?.and(times.at_least(50.0)?.because("global over staged"))
}

/// Every point is judged but those where the server is nearly or barely too slow: a trial is too
/// short for the mean of either.
fn cannot_keep_up(e: &Evidence) -> Judged {
    let knobs = e.settings_of("error-rates");
    let span = Duration::from_secs_f64(e.metric("error-rates", "span")?.value);
    let (mut below, mut above, mut too_slow) = (0.0_f64, 0.0_f64, 0);
    for (errors, mean) in e.curve("error-rates", BY_ERRORS)? {
        let off = (mean.value / mean_response(&knobs, errors, span) - 1.0).abs();
        match utilisation(&knobs, errors) {
            ..0.9 => below = below.max(off),
            1.05.. => (above, too_slow) = (above.max(off), too_slow + 1),
            _ => {}
        }
    }
    Figure::exact(f64::from(too_slow), "count")
        .at_least(2.0)?
        .because("error rates above the critical one")?
        .and(Figure::exact(below, "ratio").at_most(0.05)?.because("below it, off M/G/1"))?
        .and(Figure::exact(above, "ratio").at_most(0.1)?.because("above, off the queue's growth"))
}

fn jumps(e: &Evidence) -> Judged {
    let times = e.ratio(("enriched", "response", 0.99), ("plain", "response", 0.99))?;
    times.at_least(10.0)?.because("p99 of those that do not fail, enriched over plain")
}
