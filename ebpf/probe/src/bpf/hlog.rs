//! Writes a probe's histograms of times as interval logs, for readers of HDR histograms.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use lab_record::hlog::{HIGHEST_NS, Interval, Log, histogram};
use lab_record::probe::{ProbeHistogram, ProbeInterval, ProbeRecord};

/// Writes `<histogram>.hlog` for each histogram over all threads.
pub(crate) fn write(out: &Path, record: &ProbeRecord) -> Result<()> {
    let of_all = |histogram: &&ProbeHistogram| histogram.thread.is_none() && histogram.unit == "ns";
    for whole in record.histograms.iter().filter(of_all) {
        let mut log = Log::default();
        for part in &record.intervals {
            let same = part.histograms.iter().filter(|histogram| histogram.name == whole.name);
            log.steady.extend(same.map(|histogram| interval(part, histogram)));
        }
        if log.steady.is_empty() {
            let all =
                ProbeInterval { start_s: 0.0, length_s: record.duration_s, histograms: Vec::new() };
            log.steady.push(interval(&all, whole));
        }
        log.write(&out.join(&whole.name).with_extension("hlog"), &whole.name)?;
    }
    Ok(())
}

/// The histogram of one interval. Each bucket's values are recorded at its middle, which differs
/// from each of them by at most 1/32.
fn interval(part: &ProbeInterval, found: &ProbeHistogram) -> Interval {
    let mut filled = histogram();
    for &(low, high, count) in &found.buckets {
        let middle = (low + (high - low) / 2).clamp(1, HIGHEST_NS);
        filled.record_n(middle, count).expect("it is within the bounds");
    }
    Interval {
        start: Duration::from_secs_f64(part.start_s),
        length: Duration::from_secs_f64(part.length_s),
        histogram: filled,
    }
}
