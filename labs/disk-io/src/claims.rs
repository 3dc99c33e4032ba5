//! The claims of the sources, and the checks that could refute each.

use lab_kit::{Claim, Evidence, Figure, Gap, Judged, ShownBy, live, simulated};

use crate::sources::{ACTIVE, BOOK, DYNAMO, FSYNC, IO_URING, PERF_LABS, PHOTON, WORKSHOP};
use crate::{BYTES, MODE, PERCENTILES, PUT, TIME};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim {
        id: "LAB-5",
        says: "A write with O_SYNC waits for the disk: most of its time it is blocked, and it \
               takes at least ten times as long as one to the page cache.",
        source: &PERF_LABS,
        checks: &[live(&["o-sync", "buffered"], waits_for_the_disk).without(NO_SYNC)],
        shown_by: &[
            ShownBy::Chart(&TIME, &["o-sync", "buffered"]),
            ShownBy::Chart(&PERCENTILES, &["o-sync", "buffered"]),
        ],
    },
    Claim {
        id: "WS-1",
        says: "One write in 200 of 2 MiB among small ones is a mode of 0.5 %, far above the \
               median, and makes the mean size 10.6 KB where the median is 128 B.",
        source: &WORKSHOP,
        checks: &[live(&["outliers"], a_mode_of_its_own).without(&[("large", "128")])],
        shown_by: &[ShownBy::Chart(&MODE, &["outliers"])],
    },
    Claim {
        id: "LAB-8",
        says: "As published, one write in 100 is large, and so is each: the first fills the file, \
               and the loop ends. WS-1 has the corrected shape.",
        source: &PERF_LABS,
        checks: &[live(&["as-published"], each_is_large).without(&[("first", "50")])],
        shown_by: &[],
    },
    Claim {
        id: "MTH-4",
        says: "A benchmark that reads a file again measures the page cache, and no disk.",
        source: &ACTIVE,
        checks: &[live(&["reads"], measures_the_cache).without(&[("again", "forgotten")])],
        shown_by: &[],
    },
    Claim {
        id: "SP-3",
        says: "Physical I/O is not logical I/O: a page for each synced record of 128 B, as much as \
               was written for records that share pages, next to nothing where all go to one \
               place.",
        source: &BOOK,
        checks: &[live(&["fdatasync", "buffered", "same-place"], physical_is_not_logical)
            .without(&[("small", "4096"), ("large", "4096")])],
        shown_by: &[ShownBy::Chart(&BYTES, &["fdatasync", "buffered", "same-place"])],
    },
    Claim {
        id: "PHOTON-1",
        says: "A commit takes as long for all that wait as for one: 16 writers who share it put at \
               least four times as many records a second.",
        source: &PHOTON,
        checks: &[live(&["one-by-one", "group"], sharing_pays).without(&[("commit", "each")])],
        shown_by: &[ShownBy::Chart(&PUT, &["one-by-one", "group"])],
    },
    Claim {
        id: "DYNAMO-1",
        says: "Acknowledged before it is written, a record has at most a fifth of the p99.9; the \
               price is durability: each crash loses some.",
        source: &DYNAMO,
        checks: &[
            simulated(&["crashes-behind"], |e| every_crash_loses(e, "crashes-behind"))
                .without(&[("commit", "group")]),
            live(&["durable", "behind"], a_fifth_of_the_tail).without(&[("commit", "group")]),
        ],
        shown_by: &[ShownBy::Chart(&PUT, &["durable", "behind"])],
    },
    Claim {
        id: "FSYNC-1",
        says: "What was synced is there after a crash: no acknowledged record is missing.",
        source: &FSYNC,
        checks: &[
            simulated(&["crashes"], |e| nothing_is_missing(e, "crashes")).without(NO_SYNC),
            live(&["power-cut"], |e| nothing_is_missing(e, "power-cut")).without(NO_SYNC),
        ],
        shown_by: &[],
    },
    Claim {
        id: "URING-1",
        says: "A thread that keeps 16 writes in flight by io_uring writes at least twice as fast.",
        source: &IO_URING,
        checks: &[live(&["in-flight"], many_in_flight).without(&[("depth", "1")])],
        shown_by: &[],
    },
];

pub(crate) const NO_SYNC: &[(&str, &str)] = &[("sync", "no")];

/// The share of a write's time in which its thread was blocked. Time in which it was ready without
/// a CPU is left out, since other programs cause it.
pub(crate) fn blocked(e: &Evidence, variant: &str) -> Result<f64, Gap> {
    let of = |metric| Ok::<f64, Gap>(e.metric(variant, metric)?.value);
    let blocked = of("blocked")?;
    Ok(blocked / (blocked + of("ran")?))
}

fn waits_for_the_disk(e: &Evidence) -> Judged {
    let slower = e.ratio(("o-sync", "write", 0.5), ("buffered", "write", 0.5))?;
    Figure::exact(blocked(e, "o-sync")?, "ratio")
        .at_least(0.5)?
        .because("of the time blocked")?
        .and(slower.at_least(10.0)?.because("times the median of a buffered write"))
}

/// The median of the slowest 0.5 %, which is the slow mode's if there is one.
const MODE_MEDIAN: f64 = 0.9975;

/// The ratio of the slow mode's median to the median.
pub(crate) fn mode_over_median(e: &Evidence) -> Result<Figure, Gap> {
    e.ratio(("outliers", "write", MODE_MEDIAN), ("outliers", "write", 0.5))
}

/// A valley lies between the median and the slow mode: writes beyond it belong to the mode.
fn a_mode_of_its_own(e: &Evidence) -> Judged {
    let at = |quantile| Ok::<f64, Gap>(e.quantile("outliers", "write", quantile)?.value);
    let valley = (at(0.5)? * at(MODE_MEDIAN)?).sqrt();
    let below = e.share_up_to("outliers", "write", valley as u64)?;
    let weight = Figure {
        value: 1.0 - below.value,
        interval: below.interval.map(|(low, high)| (1.0 - high, 1.0 - low)),
        ..below
    };
    let mean = e.metric("outliers", "size")?.near_relative(10_613.0, 0.05)?;
    weight
        .near(0.005, 0.001)?
        .because("weight of the mode")?
        .and(mode_over_median(e)?.at_least(5.0)?.because("its median, in times the median"))?
        .and(mean.because("mean size in B"))
}

fn each_is_large(e: &Evidence) -> Judged {
    e.metric("as-published", "large_writes")?.near(1.0, 0.0)?.because("of the writes are large")
}

fn measures_the_cache(e: &Evidence) -> Judged {
    let first = e.metric("reads", "first_from_disk")?.at_least(0.99)?;
    e.metric("reads", "second_from_disk")?
        .at_most(0.01)?
        .because("from the disk the second time")?
        .and(first.because("and the first time"))
}

fn physical_is_not_logical(e: &Evidence) -> Judged {
    let amplified = |variant| e.metric(variant, "physical");
    amplified("fdatasync")?
        .near_relative(32.0, 0.05)?
        .because("physical bytes to a logical one, each synced")?
        .and(amplified("buffered")?.near_relative(1.0, 0.05)?.because("sharing pages"))?
        .and(amplified("same-place")?.at_most(0.05)?.because("to one place"))
}

/// The ratio of records a second with shared commits to records a second without.
pub(crate) fn group_gain(e: &Evidence) -> Result<Figure, Gap> {
    Ok(e.metric("group", "records")?.over(&e.metric("one-by-one", "records")?))
}

fn sharing_pays(e: &Evidence) -> Judged {
    let together = e.metric("group", "records_a_batch")?.at_least(4.0)?;
    group_gain(e)?
        .at_least(4.0)?
        .because("times the records")?
        .and(together.because("records to a commit"))
}

fn a_fifth_of_the_tail(e: &Evidence) -> Judged {
    e.ratio(("durable", "put", 0.999), ("behind", "put", 0.999))?
        .at_least(5.0)?
        .because("times lower")
}

fn every_crash_loses(e: &Evidence, variant: &str) -> Judged {
    e.metric(variant, "lossy_crashes")?.near(1.0, 0.0)?.because("of crashes lose records")
}

fn nothing_is_missing(e: &Evidence, variant: &str) -> Judged {
    let acknowledged = e.metric(variant, "acknowledged")?.at_least(1.0)?;
    e.metric(variant, "lossy_crashes")?
        .near(0.0, 0.0)?
        .because("of crashes lose records")?
        .and(acknowledged.because("acknowledged before"))
}

fn many_in_flight(e: &Evidence) -> Judged {
    e.metric("in-flight", "in_flight")?.over(&e.metric("in-flight", "alone")?).at_least(2.0)
}
