//! The claims of the sources, and the checks that could refute each.
//!
//! A formula agrees to the printed or computed digits, a simulated share within three standard
//! errors of it. *Late* means longer than 50 ms, five times a typical answer.

use lab_kit::sim::theory::kth_is_late;
use lab_kit::stats::binomial_error;
use lab_kit::{Claim, Evidence, Figure, Gap, Judged, ShownBy, closed_form, simulated};

use crate::charts::{CALLS, OPERATION, READS, TAIL};
use crate::replicas::Replicas;
use crate::sources::{BROOKER_2021, BROOKER_2023, DEAN_2013, GIFFORD_1979};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim {
        id: "TAS-33",
        says: "A write that waits for two of three replicas is late only if two are: 3 s² - 2 s³.",
        source: &DEAN_2013,
        checks: &[
            closed_form(two_of_three).without(&[("wait-for", "3")]),
            simulated(&["majority"], as_two_of_three).without(ALL_TOGETHER),
        ],
        shown_by: &[
            ShownBy::Chart(&TAIL, &["one", "majority", "all"]),
            ShownBy::Chart(&OPERATION, &["one", "majority", "all"]),
        ],
    },
    Claim {
        id: "QRM-1",
        says: "It is only for replicas that are slow independently: where half of the slowness is shared, \
               a write is late as often as half of the replicas.",
        source: &DEAN_2013,
        checks: &[
            closed_form(|e| {
                Figure::exact(theory(e, "together")?, "ratio").near_relative(0.005, 0.05)
            })
            .without(NOT_SHARED),
            simulated(&["together"], |e| near(e, "together", "late", 0.005 + formula(0.01) / 2.0))
                .without(NOT_SHARED),
        ],
        shown_by: &[ShownBy::Chart(&TAIL, &["one", "majority", "together"])],
    },
    Claim {
        id: "TAS-22",
        says: "A read of a block that after a while asks for pieces to rebuild it is late only if both are.",
        source: &DEAN_2013,
        checks: &[
            closed_form(rebuilding_helps).without(ALL_TOGETHER),
            simulated(&["block", "rebuilt"], both_are_late).without(ALL_TOGETHER),
        ],
        shown_by: &[ShownBy::Chart(&READS, &["block", "rebuilt"])],
    },
    Claim {
        id: "BRK-1",
        says: "Of ten parallel calls to a service with a 1 % slow mode, a tenth see that mode.",
        source: &BROOKER_2021,
        checks: &[
            closed_form(one_of_ten_is_slow).without(NOT_THE_LAST),
            simulated(&["parallel"], |e| near(e, "parallel", "late", 1.0 - 0.99_f64.powi(10)))
                .without(NOT_THE_LAST),
        ],
        shown_by: &[ShownBy::Chart(&CALLS, &["parallel"])],
    },
    Claim {
        id: "BRK-2",
        says: "In a chain of such calls the slow mode multiplies the variance by 21.3; the post has 25.",
        source: &BROOKER_2021,
        checks: &[
            closed_form(variance_grows).without(NEVER_SLOW),
            simulated(&["serial"], |e| {
                e.metric("serial", "variance_ratio")?.near_relative(21.29, 0.03)
            })
            .without(NEVER_SLOW),
        ],
        shown_by: &[ShownBy::Chart(&CALLS, &["serial", "parallel"])],
    },
    Claim {
        id: "BRK-20",
        says: "Hosts of which one is enough are down with (1 - A)^N: two at 99 % make 99.99 %, three \
               99.9999 %; their site caps that at its own availability.",
        source: &BROOKER_2023,
        checks: &[
            closed_form(nines).without(&[("site-up", "0.999")]),
            closed_form(capped).without(&[("site-up", "1")]),
            simulated(&["hosts"], |e| near(e, "hosts", "unavailable", 1e-4))
                .without(&[("site-up", "0.999")]),
            simulated(&["site"], |e| near(e, "site", "unavailable", 1.0 - 0.999 * 0.9999))
                .without(&[("site-up", "1")]),
        ],
        shown_by: &[],
    },
    Claim {
        id: "NRW-1",
        says: "With R + W > N each read meets the last write; two of three do, one of three does not.",
        source: &GIFFORD_1979,
        checks: &[
            closed_form(every_quorum_meets).without(ONE_EACH),
            simulated(&["overlap", "apart"], reads_meet_the_write).without(ONE_EACH),
        ],
        shown_by: &[],
    },
];

const ALL_TOGETHER: &[(&str, &str)] = &[("shared", "1")];
const NOT_SHARED: &[(&str, &str)] = &[("shared", "0")];
const NOT_THE_LAST: &[(&str, &str)] = &[("wait-for", "9")];
const NEVER_SLOW: &[(&str, &str)] = &[("slow-share", "0")];
const ONE_EACH: &[(&str, &str)] = &[("read", "1"), ("write", "1")];

/// The probability that a quorum of 2 of 3 is late if each answer is late with probability `s`.
fn formula(s: f64) -> f64 {
    3.0 * s * s - 2.0 * s * s * s
}

/// The replicas of a variant, and the time in ns beyond which an answer is late.
pub(crate) fn replicas_of(e: &Evidence, variant: &str) -> Result<(Replicas, f64), Gap> {
    let knobs = e.settings_of(variant);
    let replicas = Replicas::of(&knobs, 0).map_err(|e| Gap::Unavailable(format!("{e:#}")))?;
    Ok((replicas, knobs.duration("late-after").as_nanos() as f64))
}

/// The share of a variant's operations that are late in theory.
pub(crate) fn theory(e: &Evidence, variant: &str) -> Result<f64, Gap> {
    let knobs = e.settings_of(variant);
    let (replicas, late_after) = replicas_of(e, variant)?;
    Ok(replicas.kth_is_late(late_after, knobs.int("wait-for"), knobs.int("replicas")))
}

/// A share within three standard errors of the expected one.
fn near(e: &Evidence, variant: &str, share: &str, expected: f64) -> Judged {
    let (figure, of) = e.proportion(variant, share)?;
    figure.near(expected, 3.0 * binomial_error(expected, of))
}

fn two_of_three(e: &Evidence) -> Judged {
    let (knobs, (replicas, late_after)) = (e.settings_of("majority"), replicas_of(e, "majority")?);
    let (k, n) = (knobs.int("wait-for") as u32, knobs.int("replicas") as u32);
    let off = [replicas.is_late(late_after), 0.05, 0.5]
        .map(|s| (kth_is_late(s, k, n) - formula(s)).abs())
        .into_iter()
        .fold(0.0, f64::max);
    let formula_holds = Figure::exact(off, "ratio").near(0.0, 1e-12)?.because("off the formula");
    Figure::exact(theory(e, "majority")?, "ratio").near(2.98e-4, 1e-7)?.and(formula_holds)
}

/// The share of operations that are late, and the share that take more than 12 ms, which five of
/// six typical answers do not.
fn as_two_of_three(e: &Evidence) -> Judged {
    let (replicas, late_after) = replicas_of(e, "majority")?;
    let expected = |ns: f64| formula(replicas.is_late(ns));
    let slower = near(e, "majority", "over_12ms", expected(12e6))?.because("longer than 12 ms");
    near(e, "majority", "late", expected(late_after))?.because("late")?.and(slower)
}

/// The probability that a read and its rebuilding are both late.
fn both(e: &Evidence) -> Result<f64, Gap> {
    let knobs = e.settings_of("rebuilt");
    let (replicas, late_after) = replicas_of(e, "rebuilt")?;
    let left = late_after - knobs.duration("rebuild-after").as_nanos() as f64;
    let rebuilding = replicas.kth_is_late(left, knobs.int("pieces"), knobs.int("asked"));
    Ok(replicas.is_late(late_after) * rebuilding)
}

fn rebuilding_helps(e: &Evidence) -> Judged {
    let knobs = e.settings_of("rebuilt");
    let block = theory(e, "block")?;
    if block == 0.0 {
        return Err(Gap::Unavailable("no block is ever late".into()));
    }
    // Where one draw decides for all replicas, the pieces are as slow as the block.
    let rebuilt = knobs.float("shared") * block + (1.0 - knobs.float("shared")) * both(e)?;
    Figure::exact(rebuilt / block, "ratio").near(0.0815, 1e-4)?.because("late, of blocks late")
}

fn both_are_late(e: &Evidence) -> Judged {
    let pieces = e.metric("rebuilt", "pieces_per_read")?;
    near(e, "rebuilt", "late", both(e)?)?
        .because("late")?
        .and(near(e, "block", "late", theory(e, "block")?)?.because("late without rebuilding"))?
        .and(pieces.near(0.53, 0.02)?.because("pieces a read"))
}

fn one_of_ten_is_slow(e: &Evidence) -> Judged {
    Figure::exact(theory(e, "parallel")?, "ratio").near(0.0956, 5e-5)
}

fn variance_grows(e: &Evidence) -> Judged {
    let (replicas, _) = replicas_of(e, "serial")?;
    Figure::exact(replicas.variance_ratio(), "times").near(21.29, 0.005)
}

/// The share of time in which `n` hosts are all down, or their site is.
fn down(e: &Evidence, variant: &str, n: i32) -> f64 {
    let knobs = e.settings_of(variant);
    1.0 - knobs.float("site-up") * (1.0 - (1.0 - knobs.float("up")).powi(n))
}

fn nines(e: &Evidence) -> Judged {
    let exact = |n, expected: f64| {
        Figure::exact(down(e, "hosts", n), "ratio").near(expected, 1e-9 * expected.sqrt())
    };
    exact(2, 1e-4)?.because("two")?.and(exact(3, 1e-6)?.because("three"))
}

fn capped(e: &Evidence) -> Judged {
    let knobs = e.settings_of("site");
    let least = Figure::exact(down(e, "site", 30), "ratio").near(1e-3, 1e-9)?;
    let two = Figure::exact(1.0 - knobs.float("site-up") * 0.9999, "ratio");
    least.because("thirty hosts")?.and(two.near(1.0999e-3, 1e-9)?.because("two"))
}

/// The share of pairs of a read and a write that have no replica in common.
fn apart(e: &Evidence, variant: &str) -> f64 {
    let [of, read, write] = ["replicas", "read", "write"].map(|k| e.settings_of(variant).int(k));
    (0..read).map(|i| of.saturating_sub(write + i) as f64 / (of - i).max(1) as f64).product()
}

fn every_quorum_meets(e: &Evidence) -> Judged {
    Figure::exact(apart(e, "overlap"), "ratio").near(0.0, 0.0)?.because("pairs without a meeting")
}

fn reads_meet_the_write(e: &Evidence) -> Judged {
    let stale = |of| e.metric(of, "stale");
    stale("overlap")?
        .at_most(0.0)?
        .because("stale, of reads with R + W > N")?
        .and(stale("apart")?.at_least(1e-3)?.because("with R = W = 1"))
}
