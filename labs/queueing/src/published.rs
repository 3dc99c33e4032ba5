//! Figures that the sources print, and what they come to.

use lab_kit::sim::theory::Usl;

use crate::scaling::usl_fit;

/// Bigtable's figure 6 (Chang et al. 2006): values read or written a second by each tablet server,
/// of 1, 50, 250 and 500.
const BIGTABLE: [(&str, [f64; 4]); 6] = [
    ("random reads", [1_212.0, 593.0, 479.0, 241.0]),
    ("random reads (mem)", [10_811.0, 8_511.0, 8_000.0, 6_250.0]),
    ("random writes", [8_850.0, 3_745.0, 3_425.0, 2_000.0]),
    ("sequential reads", [4_425.0, 2_463.0, 2_625.0, 2_469.0]),
    ("sequential writes", [8_547.0, 3_623.0, 2_451.0, 1_905.0]),
    ("scans", [15_385.0, 10_526.0, 9_524.0, 7_843.0]),
];
const SERVERS: [f64; 4] = [1.0, 50.0, 250.0, 500.0];

/// Throughput of this many servers, in times that of one, in this row: of 1, 50, 250 or 500.
pub(crate) fn bigtable_gain(row: &str, servers: u64) -> Option<f64> {
    let (_, each) = BIGTABLE.iter().find(|(name, _)| *name == row)?;
    let place = SERVERS.iter().position(|known| *known == servers as f64)?;
    Some(SERVERS[place] * each[place] / each[0])
}

/// In how many of Bigtable's rows the law's interval of coherency has 0 in it; of rows that the law
/// itself makes, a hundredth off, where they are not as `printed`.
pub(crate) fn rows_that_do_not_tell(printed: bool) -> anyhow::Result<usize> {
    let law = Usl { contention: 0.002, coherency: 1e-5 };
    let mut count = 0;
    for (_, each) in BIGTABLE {
        let made = |(n, off): (f64, f64)| (n, each[0] * law.speedup(n) * off);
        let points: Vec<(f64, f64)> = if printed {
            SERVERS.into_iter().zip(each).map(|(n, each)| (n, n * each)).collect()
        } else {
            SERVERS.into_iter().zip([1.0, 1.001, 0.999, 1.0]).map(made).collect()
        };
        let [_, _, coherency] = usl_fit(&points)?;
        let tells = coherency.interval.is_some_and(|(low, high)| low > 0.0 || high < 0.0);
        count += usize::from(!tells);
    }
    Ok(count)
}

/// A line of iostat (Brooker 2014): reads a second, the mean wait of one in seconds, and how many
/// are there on average.
pub(crate) const IOSTAT: [(f64, f64, f64); 2] =
    [(13_823.0, 0.06e-3, 0.78), (72_914.67, 0.21e-3, 15.27)];
