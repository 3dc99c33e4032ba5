//! The claims of the sources, and the checks that could refute each.

use lab_kit::sim::theory::amdahl;
use lab_kit::{
    Check, Claim, Evidence, Figure, Gap, Judged, ShownBy, Source, closed_form, line_through, live,
    simulated,
};

use crate::charts::{BANDWIDTHS, BY_BANDWIDTH, BY_RTT, CHASES, ROUND_TRIPS, TRIPS, WRITES};
use crate::rules;
use crate::sources::{
    BELOTTI_2025, BELSHE_2010, BROOKER_2021, GRAY_1987, GRAY_2000, GRIGORIK_2012, GRIGORIK_2013,
    PATTERSON_2004, PRITCHETT_2007,
};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim {
        id: "IGV-1",
        says: "2 Mb/s instead of 1 make a page a third faster, 10 Mb/s instead of 5 hardly: by 5 %.",
        source: &BELSHE_2010,
        checks: &[
            simulated(&["bandwidth"], less_and_less).without(NO_WAY).calibrates(),
            live(&["page"], as_modelled).without(NO_WAY),
        ],
        shown_by: &[ShownBy::Chart(&BANDWIDTHS, &["bandwidth"])],
    },
    Claim {
        id: "IGV-2",
        says: "Each 20 ms off the round trip take the same time off a page.",
        source: &GRIGORIK_2012,
        checks: &[simulated(&["round-trip"], straight).without(&[("bandwidth", "0.1")])],
        shown_by: &[ShownBy::Chart(&ROUND_TRIPS, &["round-trip"])],
    },
    Claim {
        id: "IGV-4",
        says: "The first byte of a page takes five round trips: name, TCP, two for TLS, request.",
        source: &GRIGORIK_2013,
        checks: &[
            simulated(&["first-byte"], five_trips).without(ONE_FOR_TLS),
            live(&["first-byte"], five_trips).without(ONE_FOR_TLS),
        ],
        shown_by: &[ShownBy::Chart(&TRIPS, &["first-byte"])],
    },
    Claim {
        id: "SYN-1",
        says: "Requests in a chain wait for a round trip each, overlapped ones for one together.",
        source: &PRITCHETT_2007,
        checks: &[live(&["requests"], overlapped).without(&[("asks", "one-by-one")])],
        shown_by: &[ShownBy::Chart(&TRIPS, &["requests"])],
    },
    Claim {
        id: "LLB-5",
        says: "Prediction and overlap cope with latency: lines in order come over four times as fast as \
               at random, and the more chases at a time, the more lines.",
        source: &PATTERSON_2004,
        checks: &[
            live(&["memory"], in_order).without(&[("memory-kib", "32")]),
            live(&["memory"], more_at_a_time).without(&[("chases", "one-by-one")]),
        ],
        shown_by: &[ShownBy::Chart(&CHASES, &["memory"])],
    },
    Claim {
        id: "ROT-5",
        says: "If a part S of the work cannot be divided and a part P can, it is done (S + P)/S times as \
               fast at most.",
        source: &GRAY_2000,
        checks: &[
            closed_form(bound).without(&[("serial", "0.5")]).calibrates(),
            live(&["threads"], two_threads).without(&[("parts", "in-turn")]),
        ],
        shown_by: &[],
    },
    Claim {
        id: "ROT-7",
        says: "Random writes go twice as fast to mirrored disks as to RAID 5: two accesses, not four.",
        source: &GRAY_2000,
        checks: &[simulated(&["disks"], mirrored).without(&[("write", "stripe")])],
        shown_by: &[ShownBy::Chart(&WRITES, &["disks"])],
    },
    computed(
        "LLB-1",
        "While bandwidth doubles, latency improves by no more than 1.2 to 1.4 times.",
        &PATTERSON_2004,
        &[closed_form(rules::while_bandwidth_doubles).without(NO_LAG).calibrates()],
    ),
    computed(
        "LLB-2",
        "Bandwidth improves by more than the square of latency.",
        &PATTERSON_2004,
        &[closed_form(rules::more_than_the_square).without(NO_LAG).calibrates()],
    ),
    computed(
        "LLB-3",
        "Processors and networks gained 1,000 to 2,000 times in bandwidth, 20 to 40 in latency.",
        &PATTERSON_2004,
        &[closed_form(rules::forty_times).without(NO_LAG).calibrates()],
    ),
    computed(
        "BRK-25",
        "In ten years a disk takes 22 times as long to read at random: capacity 50 times, seeks 2.4.",
        &BROOKER_2021,
        &[closed_form(rules::reading_a_disk).without(NO_LAG).calibrates()],
    ),
    computed(
        "IGV-3",
        "Light in a fibre needs 1 ms to and fro for each 100 km.",
        &GRIGORIK_2012,
        &[closed_form(rules::light_in_a_fibre).without(&[("km-per-ms", "299")]).calibrates()],
    ),
    computed(
        "ROT-1",
        "Four times as much every three years: 100 times in ten, an address bit in 18 months.",
        &GRAY_2000,
        &[closed_form(rules::a_hundredfold).without(&[("moore-years", "4")]).calibrates()],
    ),
    computed(
        "ROT-2",
        "Disks hold 100 times as much after ten years and are 10 times as fast: data cool tenfold.",
        &GRAY_2000,
        &[closed_form(rules::data_cools).without(NO_LAG).calibrates()],
    ),
    computed(
        "ROT-4",
        "A bit of I/O for each instruction and 50,000 instructions for each I/O: they make a page.",
        &GRAY_2000,
        &[closed_form(rules::balanced).without(&[("io-instructions", "500000")]).calibrates()],
    ),
    computed(
        "BRK-23",
        "$2,000 for an access a second, $5 for a KB: what is read every 400 s belongs in memory.",
        &GRAY_1987,
        &[closed_form(rules::five_minutes).without(&[("access-price", "200")]).calibrates()],
    ),
    computed(
        "ROT-8",
        "With a blob store's price of requests the five minutes are 277,338 s: 3.2 days.",
        &BELOTTI_2025,
        &[closed_form(rules::three_days).without(&[("ram-price", "0.1")]).calibrates()],
    ),
];

const NO_WAY: &[(&str, &str)] = &[("rtt", "0s")];
const ONE_FOR_TLS: &[(&str, &str)] = &[("tls-trips", "1")];
const NO_LAG: &[(&str, &str)] = &[("latency", "keeps-pace")];

/// A claim that no trial tests.
const fn computed(
    id: &'static str,
    says: &'static str,
    source: &'static Source,
    checks: &'static [Check],
) -> Claim {
    Claim { id, says, source, checks, shown_by: &[] }
}

/// The mean time of a page at a bandwidth in Mb/s.
fn page_at(e: &Evidence, mbps: f64) -> Result<Figure, Gap> {
    let point = e.curve("bandwidth", BY_BANDWIDTH)?.into_iter().find(|(at, _)| *at == mbps);
    point.map(|(_, y)| y).ok_or_else(|| Gap::Unavailable(format!("no page at {mbps} Mb/s")))
}

/// The share of a page's time that the step from one bandwidth to another saves.
pub(crate) fn saved(e: &Evidence, from: f64, to: f64) -> Result<Figure, Gap> {
    Ok(Figure::exact(1.0 - page_at(e, to)?.over(&page_at(e, from)?).value, "ratio"))
}

/// Belshe's figures; the number of connections is fitted to them.
fn less_and_less(e: &Evidence) -> Judged {
    let bits = (e.settings_of("bandwidth").int("page-kib") << 10) as f64 * 8.0;
    let used = bits / 10e6 / (page_at(e, 10.0)?.value / 1e9);
    let used = Figure::exact(used, "ratio").near(0.16, 0.03)?.because("of 10 Mb/s used");
    saved(e, 5.0, 10.0)?
        .near(0.05, 0.05)?
        .because("saved by 10 Mb/s for 5")?
        .and(saved(e, 1.0, 2.0)?.near(0.35, 0.05)?.because("by 2 for 1"))?
        .and(saved(e, 2.0, 3.0)?.near(0.15, 0.05)?.because("by 3 for 2"))?
        .and(used)
}

/// The share that twice the bandwidth saves: what the model says of the same pages, and less than
/// half of what it would save if bandwidth were all.
fn as_modelled(e: &Evidence) -> Judged {
    let of = |metric| e.metric("page", metric);
    let saved = |twice: Figure, once: Figure| 1.0 - twice.over(&once).value;
    let modelled = saved(of("page_at_twice_modelled")?, of("page_modelled")?);
    let figure = || Ok(Figure::exact(saved(of("page_at_twice")?, of("page")?), "ratio"));
    let whole = of("page")?.over(&of("page_modelled")?).near(1.0, 0.05)?;
    figure()?
        .near(modelled, 0.03)?
        .because("saved by twice the bandwidth")?
        .and(figure()?.at_most(0.25))?
        .and(whole.because("times as long as modelled"))
}

/// What 20 ms of a round trip add to a page, in ns.
pub(crate) fn per_20_ms(e: &Evidence) -> Result<f64, Gap> {
    let [_, slope] = line_through(&e.curve("round-trip", BY_RTT)?, ["ns", "ns"])?;
    Ok(20.0 * slope.value)
}

fn straight(e: &Evidence) -> Judged {
    let points = e.curve("round-trip", BY_RTT)?;
    let [at_zero, slope] = line_through(&points, ["ns", "ns"])?;
    let mean = points.iter().map(|(_, y)| y.value).sum::<f64>() / points.len() as f64;
    let squares = |of: &dyn Fn(f64) -> f64| -> f64 {
        points.iter().map(|(x, y)| (y.value - of(*x)).powi(2)).sum()
    };
    let left = squares(&|x| at_zero.value + slope.value * x) / squares(&|_| mean);
    let doubled = Figure::exact(240.0 * slope.value / at_zero.value, "times").at_least(1.0)?;
    Figure::exact(1.0 - left, "ratio")
        .at_least(0.99)?
        .because("explained by a straight line")?
        .and(doubled.because("added by 240 ms"))
}

fn five_trips(e: &Evidence) -> Judged {
    e.metric("first-byte", "first_byte")?.near_relative(5.0, 0.1)
}

fn overlapped(e: &Evidence) -> Judged {
    let requests = e.settings_of("requests").int("requests") as f64;
    let chain = e.metric("requests", "chain")?.near_relative(requests, 0.1)?;
    e.metric("requests", "overlapped")?
        .near_relative(1.0, 0.1)?
        .because("overlapped")?
        .and(chain.because("in a chain"))
}

/// How many times as long a line takes in the first of these metrics.
pub(crate) fn times(e: &Evidence, slow: &str, fast: &str) -> Result<Figure, Gap> {
    Ok(e.metric("memory", slow)?.over(&e.metric("memory", fast)?))
}

fn in_order(e: &Evidence) -> Judged {
    times(e, "chases_1", "in_order")?.at_least(4.0)
}

/// Each doubling counts: twice as many chases take less than twice as long.
fn more_at_a_time(e: &Evidence) -> Judged {
    let faster = |few, many| times(e, few, many)?.at_least(1.2);
    faster("chases_1", "chases_2")?
        .because("by two chases for one")?
        .and(faster("chases_2", "chases_4")?.because("by four"))?
        .and(faster("chases_4", "chases_8")?.because("by eight"))
}

fn bound(e: &Evidence) -> Judged {
    let serial = e.settings_of("threads").float("serial");
    if serial == 0.0 {
        return Err(Gap::Unavailable("all of the work can be divided: nothing bounds it".into()));
    }
    Figure::exact(amdahl(1.0 - serial, f64::INFINITY), "times").near(5.0, 1e-9)
}

/// The law is a bound, and threads come near it: two busy CPUs may each be slower than one alone.
fn two_threads(e: &Evidence) -> Judged {
    let knobs = e.settings_of("threads");
    let of = |metric| e.metric("threads", metric);
    let most = amdahl(1.0 - knobs.float("serial"), knobs.int("threads") as f64);
    of("one_thread")?.over(&of("threads")?).between(0.8 * most, 1.05 * most, Some(most))
}

fn mirrored(e: &Evidence) -> Judged {
    let of = |metric| e.metric("disks", metric);
    of("mirrored_rate")?
        .over(&of("parity_rate")?)
        .near(2.0, 0.2)?
        .because("times as many writes")?
        .and(of("mirrored_accesses")?.near(2.0, 0.1)?.because("accesses, mirrored"))?
        .and(of("parity_accesses")?.near(4.0, 0.1)?.because("with parity"))
}
