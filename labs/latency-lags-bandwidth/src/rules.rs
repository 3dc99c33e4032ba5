//! Rules of thumb as arithmetic: what each prints, and what follows from the figures beside it.

use lab_kit::{Evidence, Figure, Judged, statements};

/// Patterson's talk: a year's improvement in latency and in bandwidth, and the printed gain in
/// latency while bandwidth doubles. Over 20 years: processor, memory, network, disk; then over the
/// last three milestones.
const A_YEAR: [(f64, f64, f64); 8] = [
    (1.17, 1.50, 1.3),
    (1.07, 1.27, 1.2),
    (1.10, 1.39, 1.2),
    (1.09, 1.18, 1.4),
    (1.22, 1.55, 1.4),
    (1.06, 1.30, 1.2),
    (1.13, 1.78, 1.2),
    (1.09, 1.24, 1.3),
];

/// The same talk: gains in bandwidth and in latency over some 20 years. Of Ethernet the latency is
/// the most that any of the four has.
const OVER_20_YEARS: [(&str, f64, f64); 4] = [
    ("disk", 86.0 / 0.6, 48.3 / 5.7),
    ("the least of four", 120.0, 4.0),
    ("the most of four", 2_200.0, 20.0),
    ("Ethernet", 1_000.0, 20.0),
];

/// A figure that nothing measures.
fn formula(value: f64, unit: &str) -> Figure {
    Figure::exact(value, unit)
}

/// The printed gain in latency, or the gain in bandwidth if latency keeps pace with it.
fn latency(e: &Evidence, printed: f64, bandwidth: f64) -> f64 {
    if e.settings().text("latency") == "lags" { printed } else { bandwidth }
}

pub(crate) fn while_bandwidth_doubles(e: &Evidence) -> Judged {
    let (mut most, mut off) = (0.0_f64, 0.0_f64);
    for (slow, fast, printed) in A_YEAR {
        let gain = latency(e, slow, fast).powf(2_f64.ln() / fast.ln());
        (most, off) = (most.max(gain), off.max((gain - printed).abs()));
    }
    let printed = formula(off, "times").at_most(0.05)?.because("off what is printed");
    formula(most, "times")
        .between(1.15, 1.45, Some(1.4))?
        .because("the most of eight")?
        .and(printed)
}

pub(crate) fn more_than_the_square(e: &Evidence) -> Judged {
    let square = |gain: f64, fast: f64| latency(e, gain, fast).powi(2);
    statements(&OVER_20_YEARS.map(|(of, fast, gain)| (of, fast > square(gain, fast))))
}

/// The most that latency gains by the rule while bandwidth gains this much.
pub(crate) fn forty_times(e: &Evidence) -> Judged {
    let most = |fast: f64| latency(e, 1.4_f64.powf(fast.log2()), fast);
    let at_1000 = formula(most(1e3), "times").between(20.0, 40.0, Some(20.0))?;
    formula(most(2e3), "times")
        .near(40.0, 0.1)?
        .because("at most, for 2,000 times the bandwidth")?
        .and(at_1000.because("for 1,000"))
}

/// How much longer it takes after a decade to read a whole disk block by block, at random.
pub(crate) fn reading_a_disk(e: &Evidence) -> Judged {
    let (capacity, seek) = (50.0, latency(e, 2.4, 50.0));
    let a_year = formula(1.36_f64.powi(10), "times").near_relative(capacity / seek, 0.1)?;
    let decade = formula(capacity / seek, "times").near_relative(22.0, 0.1)?;
    decade.because("after ten years")?.and(a_year.because("with 36 % a year"))
}

pub(crate) fn a_hundredfold(e: &Evidence) -> Judged {
    let years = e.settings().float("moore-years");
    let decade = formula(4_f64.powf(10.0 / years), "times").near_relative(100.0, 0.02)?;
    let bit = formula(12.0 * years / 2.0, "months").near(18.0, 1e-9)?;
    decade.because("in ten years")?.and(bit.because("for a bit of an address"))
}

pub(crate) fn data_cools(e: &Evidence) -> Judged {
    let capacity = 100.0;
    formula(capacity / latency(e, 10.0, capacity), "times").near(10.0, 1e-9)
}

/// Amdahl's rules agree: a bit of I/O for each instruction is 8 MIPS for each MB/s, and with an I/O
/// each 50,000 instructions an I/O is a page of 4 to 8 KiB.
pub(crate) fn balanced(e: &Evidence) -> Judged {
    let kib = e.settings().int("io-instructions") as f64 / 8.0 / 1_024.0;
    formula(kib, "KiB").between(4.0, 8.0, None)?.because("an I/O, at 8 instructions for each byte")
}

pub(crate) fn light_in_a_fibre(e: &Evidence) -> Judged {
    formula(2.0 * 100.0 / e.settings().float("km-per-ms"), "ms").near(1.0, 1e-9)
}

pub(crate) fn five_minutes(e: &Evidence) -> Judged {
    formula(e.settings().float("access-price") / 5.0, "s").near(400.0, 1e-9)
}

/// When a page of 4 KiB in memory costs as much as the requests that it saves.
pub(crate) fn three_days(e: &Evidence) -> Judged {
    let (pages, request, month) = (f64::from(1 << 18), 4e-7, 30.0 * 86_400.0);
    let a_month = e.settings().float("ram-price") / pages / request;
    let times = formula(a_month, "times").near(9.35, 0.005)?.because("reads a month")?;
    formula(month / a_month, "s").near(277_338.0, 1.0)?.because("between two reads")?.and(Ok(times))
}
