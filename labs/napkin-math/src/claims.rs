//! The claims of the table, and the checks that could refute each.
//!
//! That a figure is within a factor of ten of the printed one is no check: most machines would
//! pass. What can fail is the ratio of one row to another.

use lab_kit::{
    Check, Claim, Evidence, Figure, Finding, Gap, Judged, ShownBy, Source, closed_form, live,
};

use crate::printed::{OPERATIONS, REGIONS, printed};
use crate::{RATES, TIMES};

/// The table, in the edition with new measurements.
pub(crate) const NAPKIN: Source = Source {
    short: "Eskildsen, napkin-math",
    title: "S. H. Eskildsen, napkin-math: numbers and techniques to estimate systems with, as of \
            March 2026",
    link: "https://github.com/sirupsen/napkin-math",
};

pub(crate) const CLAIMS: &[Claim] = &[
    fast(
        "NM-1",
        "Memory is read in order at least three times as fast as at random.",
        &[live(&["memory"], |e| times(e, "memory", "sequential_rate", "random_rate", 3.0))
            .without(&[("order", "lost")])],
    ),
    fast(
        "NM-2",
        "Several threads read more than one: ten times on 48 CPUs, up to as many times as CPUs \
         elsewhere.",
        &[live(&["threads"], more_by_threads).without(&[("threads", "1")])],
    ),
    timed(
        "NM-3",
        "A random line of memory in 20 ns is one of many at a time: one by one they take at least \
         twice as long.",
        &[live(&["memory"], |e| bounded(e, ("memory", "dependent"), ("memory", "random"), 2.0))
            .without(&[("reads", "one-by-one")])],
    ),
    timed(
        "NM-4",
        "To hash 64 B takes a third of the time to fetch them from memory, at most.",
        &[live(&["memory", "compute"], |e| {
            bounded(e, ("memory", "dependent"), ("compute", "hash"), 3.0)
        })
        .without(&[("memory-kib", "32")])],
    ),
    timed(
        "NM-5",
        "A hash that is safe takes at least three times as long.",
        &[live(&["compute"], |e| times(e, "compute", "digest", "hash", 3.0))
            .without(&[("digest", "fast")])],
    ),
    timed(
        "NM-6",
        "A system call takes longer than a random line of memory, and at least five times as long \
         as a hash.",
        &[live(&["kernel", "memory", "compute"], entering_the_kernel)
            .without(&[("call", "function")])],
    ),
    timed(
        "NM-7",
        "A context switch takes at least three times as long as a system call, and twice as long \
         as the calls that lead to it.",
        &[live(&["kernel"], switching).without(&[("partner", "none")])],
    ),
    fast(
        "NM-8",
        "Numbers are read in order at least ten times as fast as they are sorted.",
        &[live(&["memory", "compute"], |e| {
            compared(e, ("memory", "sequential_rate"), ("compute", "sort_rate"), 10.0)
        })
        .without(&[("numbers", "sorted")])],
    ),
    fast(
        "NM-9",
        "Bytes are written and read at least three times as fast as JSON.",
        &[live(&["encode"], bytes_beside_json).without(&[("format", "raw")])],
    ),
    fast(
        "NM-10",
        "Text is decompressed at least 1.5 times as fast as it is compressed.",
        &[live(&["encode"], compressing).without(RANDOM)],
    ),
    fast(
        "NM-11",
        "Echoes of 32 KiB move at least fifty times the bytes of echoes of 64 B: what costs is the \
         message.",
        &[live(&["network"], |e| {
            bounded(e, ("network", "echo_rate"), ("network", "small_echo_rate"), 50.0)
        })
        .without(&[("message", "64")])],
    ),
    timed(
        "NM-12",
        "Blocks that are read in order take at most a fifth of those at random: the kernel reads \
         ahead.",
        &[live(&["disk"], |e| times(e, "disk", "read_random", "read_sequential", 5.0))
            .without(&[("readahead", "off")])],
    ),
    timed(
        "NM-13",
        "A write that is not synced takes at most a fifth of a random read: it asks no disk.",
        &[live(&["disk"], |e| times(e, "disk", "read_random", "write", 5.0))
            .without(&[("cache", "bypassed")])],
    ),
    timed(
        "NM-14",
        "A synced write takes at least ten times as long as one that is not, and longer than a \
         context switch.",
        &[live(&["disk", "kernel"], syncing).without(&[("sync", "no")])],
    ),
    timed(
        "NM-15",
        "A random read of a disk takes at least ten times as long as one of the page cache.",
        &[live(&["disk"], |e| bounded(e, ("disk", "read_random"), ("disk", "read_cached"), 10.0))
            .without(&[("cold", "no")])],
    ),
    computed(
        "NM-16",
        "Between regions a round trip takes what light in a fibre takes, and at most twice as \
         long.",
        &[closed_form(light_in_a_fibre).without(&[("km-per-ms", "100")])],
    ),
    computed(
        "NM-17",
        "A hard disk at random gives a block for each seek: 8 KiB in 10 ms are 0.7 MiB/s.",
        &[closed_form(blocks_for_seeks).without(LARGE_BLOCKS).calibrates()],
    ),
    computed(
        "NM-18",
        "A block of 8 KiB in a blob store is worth its memory if it is read every 18 hours.",
        &[closed_form(worth_its_memory).without(&[("memory-price", "0.2")]).calibrates()],
    ),
    fast(
        "NM-19",
        "A compression ratio that is higher by one costs a factor of about ten in speed.",
        &[live(&["encode"], a_factor_for_each).without(RANDOM)],
    ),
    computed(
        "NM-20",
        "Size by latency is the printed throughput, within a factor of two, in all rows but \
         sequential memory.",
        &[closed_form(lines_up).without(LARGE_BLOCKS)],
    ),
    timed(
        "NM-21",
        "An estimate from three figures of the table is within a factor of ten.",
        &[live(&["disk"], |e| within_ten(job(e)?)).without(&[("sync", "no"), ("cold", "no")])],
    ),
];

pub(crate) const RANDOM: &[(&str, &str)] = &[("text", "random")];
const LARGE_BLOCKS: &[(&str, &str)] = &[("block", "65536")];

/// A claim on the time of operations.
const fn timed(id: &'static str, says: &'static str, checks: &'static [Check]) -> Claim {
    Claim { id, says, source: &NAPKIN, checks, shown_by: &[ShownBy::Chart(&TIMES, &[])] }
}

/// A claim on throughput.
const fn fast(id: &'static str, says: &'static str, checks: &'static [Check]) -> Claim {
    Claim { id, says, source: &NAPKIN, checks, shown_by: &[ShownBy::Chart(&RATES, &[])] }
}

/// A claim that no chart shows.
const fn computed(id: &'static str, says: &'static str, checks: &'static [Check]) -> Claim {
    Claim { id, says, source: &NAPKIN, checks, shown_by: &[] }
}

/// A row by its variant and its metric.
type Row = (&'static str, &'static str);

/// The ratio of one row's figure to another's.
pub(crate) fn over(e: &Evidence, above: Row, below: Row) -> Result<Figure, Gap> {
    Ok(e.metric(above.0, above.1)?.over(&e.metric(below.0, below.1)?))
}

fn bounded(e: &Evidence, above: Row, below: Row, bound: f64) -> Judged {
    over(e, above, below)?.at_least(bound)?.because("times")
}

/// The ratio of two rows is at least `bound`; the printed figures' ratio is shown as the
/// prediction.
fn compared(e: &Evidence, above: Row, below: Row, bound: f64) -> Judged {
    let predicted = Some(printed(above.1) / printed(below.1));
    Ok(Finding { predicted, ..bounded(e, above, below, bound)? })
}

/// As [`compared`], for two rows of a variant.
fn times(
    e: &Evidence,
    variant: &'static str,
    above: &'static str,
    below: &'static str,
    bound: f64,
) -> Judged {
    compared(e, (variant, above), (variant, below), bound)
}

/// Two CPUs may be two hardware threads of one core, which read little more than one.
fn more_by_threads(e: &Evidence) -> Judged {
    let cpus = e.settings_of("threads").int("threads") as f64;
    over(e, ("threads", "threaded_rate"), ("threads", "one_thread_rate"))?
        .between(1.2, 1.2 * cpus, None)?
        .because("times one thread")
}

fn entering_the_kernel(e: &Evidence) -> Judged {
    let call = ("kernel", "syscall");
    compared(e, call, ("compute", "hash"), 5.0)?
        .because("a hash")?
        .and(bounded(e, call, ("memory", "random"), 1.0)?.because("a random line"))
}

fn switching(e: &Evidence) -> Judged {
    let switch = ("kernel", "switch");
    compared(e, switch, ("kernel", "syscall"), 3.0)?
        .because("a system call")?
        .and(bounded(e, switch, ("kernel", "pipe"), 2.0)?.because("its calls"))?
        .and(e.metric("kernel", "switches")?.at_least(0.45)?.because("switches of each thread"))
}

fn bytes_beside_json(e: &Evidence) -> Judged {
    let reading = compared(e, ("encode", "raw_read_rate"), ("encode", "json_read_rate"), 3.0);
    compared(e, ("encode", "raw_write_rate"), ("encode", "json_write_rate"), 3.0)?
        .because("writing")?
        .and(reading?.because("reading"))
}

fn compressing(e: &Evidence) -> Judged {
    compared(e, ("encode", "decompress_rate"), ("encode", "compress_rate"), 1.5)?
        .and(e.metric("encode", "compress_ratio")?.at_least(1.2)?.because("times smaller"))
}

fn syncing(e: &Evidence) -> Judged {
    let synced = ("disk", "write_synced");
    compared(e, synced, ("disk", "write"), 10.0)?
        .because("not synced")?
        .and(bounded(e, synced, ("kernel", "switch"), 1.0)?.because("a context switch"))
}

/// All printed round trips take from one to two times what light in a fibre needs.
fn light_in_a_fibre(e: &Evidence) -> Judged {
    let speed = e.settings().float("km-per-ms");
    let slower = REGIONS.map(|(_, ms, km)| ms / (2.0 * km / speed));
    let [least, most] = [f64::min, f64::max].map(|of| slower.into_iter().reduce(of));
    Figure::exact(least.unwrap_or_default(), "times")
        .at_least(1.0)?
        .because("times light, the fastest")?
        .and(Figure::exact(most.unwrap_or_default(), "times").at_most(2.0)?.because("the slowest"))
}

fn blocks_for_seeks(e: &Evidence) -> Judged {
    let mib = e.settings().int("block") as f64 / f64::from(1 << 20);
    Figure::exact(mib / 0.010, "MiB/s").near_relative(0.7, 0.15)
}

/// The interval between reads of a block at which a month of reads costs as much as a month of its
/// memory: a million reads cost $0.4.
fn worth_its_memory(e: &Evidence) -> Judged {
    let gb = e.settings().int("block") as f64 / 1e9;
    let reads = e.settings().float("memory-price") * gb / 0.4e-6;
    Figure::exact(730.0 / reads, "h").near_relative(18.0, 0.02)
}

/// From the fastest to the strongest compression: the factor in speed for 1 more in ratio.
pub(crate) fn factor_for_each(e: &Evidence) -> Result<Figure, Gap> {
    let slower = over(e, ("encode", "compress_rate"), ("encode", "deflate_9_rate"))?.value;
    // Bounded below, since a gain of zero would cost infinitely much.
    Ok(Figure::exact(slower.powf(1.0 / gain(e)?.value.max(0.1)), "times"))
}

fn gain(e: &Evidence) -> Result<Figure, Gap> {
    let ratio = |name| e.metric("encode", name);
    let more = ratio("deflate_9_ratio")?.value - ratio("compress_ratio")?.value;
    Ok(Figure::exact(more, "times"))
}

fn a_factor_for_each(e: &Evidence) -> Judged {
    let middle = e.metric("encode", "deflate_1_rate")?.value;
    let between = middle < e.metric("encode", "compress_rate")?.value
        && middle > e.metric("encode", "deflate_9_rate")?.value;
    factor_for_each(e)?
        .between(3.0, 300.0, Some(10.0))?
        .because("times slower for each")?
        .and(gain(e)?.at_least(0.3)?.because("gained"))?
        .and(lab_kit::statements(&[("deflate 1 is between lz4 and deflate 9", between)]))
}

/// All rows but the first have a latency and a throughput that agree within a factor of two.
fn lines_up(e: &Evidence) -> Judged {
    let block = e.settings().int("block") as f64;
    let off = |(latency, rate, bytes): &(&str, &str, Option<f64>)| {
        let mib = bytes.unwrap_or(block) / f64::from(1 << 20);
        let ratio = mib / (printed(latency) / 1e9) / printed(rate);
        ratio.max(1.0 / ratio)
    };
    let (flagged, rest) = OPERATIONS.split_first().expect("the table has rows");
    let most = rest.iter().map(off).fold(0.0, f64::max);
    Figure::exact(most, "times")
        .at_most(2.0)?
        .because("times off, at most")?
        .and(Figure::exact(off(flagged), "times").at_least(2.0)?.because("sequential memory"))
}

/// The time of NM-21's job, and its estimate from the table in ns: a random read, a safe hash and a
/// synced write, of 8 KiB each.
pub(crate) fn job(e: &Evidence) -> Result<(Figure, f64), Gap> {
    let hashing = 8.0 / 1_024.0 / printed("digest_rate") * 1e9;
    let estimate = printed("read_random") + hashing + printed("write_synced");
    Ok((e.metric("disk", "job")?, estimate))
}

fn within_ten((took, estimate): (Figure, f64)) -> Judged {
    took.between(estimate / 10.0, estimate * 10.0, Some(estimate))
}
