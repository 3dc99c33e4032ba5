//! The figures that the sources print, by their own arithmetic.

use lab_kit::{Figure, Judged, statements};

/// biolatency's example in the bcc tutorial: the lower end of each row, in microseconds, and its
/// count.
const BIOLATENCY: [(u64, u64); 11] = [
    (64, 1),
    (128, 12),
    (256, 15),
    (512, 43),
    (1_024, 52),
    (2_048, 47),
    (4_096, 52),
    (8_192, 36),
    (16_384, 15),
    (32_768, 2),
    (65_536, 2),
];

/// cachestat's two rows there: hits, misses, dirties, and the ratio of read hits in per cent.
const CACHESTAT: [(u64, u64, u64, f64); 2] = [(1_074, 44, 13, 94.9), (2_195, 170, 8, 92.5)];

/// The example's shape: rows by powers of two, most of it between half a millisecond and sixteen.
pub(crate) fn biolatency(printed: &str) -> Judged {
    // Wrongly: as if the first row had been lost.
    let rows = &BIOLATENCY[usize::from(printed == "wrongly")..];
    let all: u64 = rows.iter().map(|(_, count)| count).sum();
    let bulk = rows.iter().filter(|(low, _)| (512..16_384).contains(low));
    let bulk: u64 = bulk.map(|(_, count)| count).sum();
    let doubles = rows.windows(2).all(|pair| pair[1].0 == 2 * pair[0].0);
    statements(&[
        ("each row is twice as wide", doubles),
        ("64 to 131,071 µs", rows.first().map(|row| row.0) == Some(64) && rows.len() == 11),
        ("277 requests", all == 277),
        ("four of five from 512 to 16,383 µs", 5 * bulk >= 4 * all),
    ])
}

/// The share of reads that the cache had, as cachestat has it: what became dirty is no hit.
fn read_hits(hits: u64, misses: u64, dirties: u64) -> f64 {
    hits.saturating_sub(dirties) as f64 / (hits + misses) as f64
}

/// Both printed ratios from their rows.
pub(crate) fn cachestat(printed: &str) -> Judged {
    let worst = CACHESTAT.iter().map(|&(hits, misses, dirties, percent)| {
        // Wrongly: as if what became dirty were a hit.
        let dirties = if printed == "wrongly" { 0 } else { dirties };
        (read_hits(hits, misses, dirties) * 100.0 - percent).abs()
    });
    // Printed to a tenth of a per cent.
    Figure::exact(worst.fold(0.0, f64::max), "points")
        .near(0.0, 0.05)?
        .because("off what is printed, 94.9 % and 92.5 %")
}
