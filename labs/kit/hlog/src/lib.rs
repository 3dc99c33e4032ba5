//! Interval logs: one HDR histogram for each interval of a trial, one file for each series.
//!
//! # The format
//!
//! HdrHistogram's interval log with V2 histograms, deflated and in base64, as its Java, JavaScript
//! and Python readers read it. Values are nanoseconds; the `Interval_Max` column is milliseconds
//! (divisor 10^6). The steady phase is untagged, since the Java tool skips tagged lines; load
//! before it is tagged `warm-up`. A value stands in the interval in which its request was *meant*
//! to start, so a slow answer is charged to the moment that caused it, and the intervals of a
//! trial carry equal offered load.

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag,
};

/// The largest value that a histogram holds: an hour. Larger values are counted separately.
pub const HIGHEST_NS: u64 = 3_600_000_000_000;
/// Significant decimal digits: a value is read back within 0.1 %.
pub const DIGITS: u8 = 3;
/// How many samples must lie beyond a percentile before it is printed.
pub const SAMPLES_BEYOND: f64 = 10.0;

const WARM_UP: &str = "warm-up";
const NS_PER_MS: f64 = 1e6;

/// All intervals of one series of one trial.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Log {
    /// Intervals before the measured span; they enter no figure.
    pub warmup: Vec<Interval>,
    /// Intervals of the measured span, in order.
    pub steady: Vec<Interval>,
}

/// One interval and what was recorded for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    /// Its beginning, since the trial began.
    pub start: Duration,
    /// Its length.
    pub length: Duration,
    /// The recorded values, in nanoseconds.
    pub histogram: Histogram<u64>,
}

/// An empty histogram with this project's bounds; 264 KiB, of which only touched pages are real.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, HIGHEST_NS, DIGITS).expect("constant bounds are valid")
}

/// The value at `quantile` in nanoseconds, where at least [`SAMPLES_BEYOND`] samples lie beyond it.
pub fn quantile_ns(histogram: &Histogram<u64>, quantile: f64) -> Option<u64> {
    // 1 - 0.99 is a little more than 0.01: without the half, exactly 1,000 samples would not
    // suffice.
    let beyond = histogram.len() as f64 * (1.0 - quantile);
    (beyond + 1e-6 >= SAMPLES_BEYOND).then(|| histogram.value_at_quantile(quantile))
}

/// The smallest value that a histogram cannot tell from `value_ns`.
pub fn lowest_equivalent_ns(value_ns: u64) -> u64 {
    // What `histogram` has: buckets of 2^b ns, 2,048 in the first and 1,024 in each further one.
    let bucket = (u64::BITS - value_ns.leading_zeros()).saturating_sub(11);
    value_ns >> bucket << bucket
}

/// The values of a histogram in nanoseconds and how often each was recorded, lowest first.
pub fn recorded(histogram: &Histogram<u64>) -> Vec<(u64, u64)> {
    let steps = histogram.iter_recorded();
    steps.map(|step| (step.value_iterated_to(), step.count_at_value())).collect()
}

impl Log {
    /// The measured span as one histogram.
    pub fn total(&self) -> Histogram<u64> {
        let mut total = histogram();
        for interval in &self.steady {
            total.add(&interval.histogram).expect("all logs have the same bounds");
        }
        total
    }

    /// Writes the log; `series` goes into its heading, and what else a reader must know of it.
    ///
    /// # Errors
    /// The file cannot be written; the error names it.
    pub fn write(&self, path: &Path, series: &str) -> anyhow::Result<()> {
        lab_files::write_with(path, |file| self.write_to(file, series))
    }

    fn write_to(&self, file: &mut impl Write, series: &str) -> anyhow::Result<()> {
        let mut serializer = V2DeflateSerializer::new();
        let mut log = IntervalLogWriterBuilder::new()
            .add_comment(&format!("[perf-lab series {series}, values in ns]"))
            .with_max_value_divisor(NS_PER_MS)
            .begin_log_with(file, &mut serializer)?;
        for (tag, intervals) in [(Tag::new(WARM_UP), &self.warmup), (None, &self.steady)] {
            for Interval { start, length, histogram } in intervals {
                log.write_histogram(histogram, *start, *length, tag)
                    .map_err(|error| anyhow!("{error}"))?;
            }
        }
        Ok(())
    }

    /// Reads a log back.
    ///
    /// # Errors
    /// The file cannot be read, is cut off, or holds a histogram with other bounds; each names
    /// the file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = lab_files::read(path)?;
        Self::parse(&bytes).with_context(|| format!("interval log {}", path.display()))
    }

    fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        let mut log = Self::default();
        for entry in IntervalLogIterator::new(bytes) {
            let line = match entry.map_err(|error| anyhow!("cut off or damaged: {error:?}"))? {
                LogEntry::Interval(line) => line,
                LogEntry::StartTime(_) | LogEntry::BaseTime(_) => continue,
            };
            let interval = Interval {
                start: line.start_timestamp(),
                length: line.duration(),
                histogram: hdrhistogram_of(line.encoded_histogram())?,
            };
            match line.tag().map(|tag| tag.as_str()) {
                Some(WARM_UP) => log.warmup.push(interval),
                Some(other) => bail!("unknown tag `{other}`"),
                None => log.steady.push(interval),
            }
        }
        Ok(log)
    }
}

fn hdrhistogram_of(encoded: &str) -> anyhow::Result<Histogram<u64>> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded)?;
    let histogram: Histogram<u64> = hdrhistogram::serialization::Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .map_err(|error| anyhow!("{error}"))?;
    let (highest_ns, digits) = (histogram.high(), histogram.sigfig());
    if (highest_ns, digits) != (HIGHEST_NS, DIGITS) {
        return Err(ForeignHistogram { highest_ns, digits }.into());
    }
    Ok(histogram)
}

/// A histogram whose bounds are not ours: its percentiles are rounded otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForeignHistogram {
    /// The largest value that it holds.
    pub highest_ns: u64,
    /// Its significant decimal digits.
    pub digits: u8,
}

impl fmt::Display for ForeignHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { highest_ns, digits } = self;
        write!(
            f,
            "a histogram up to {highest_ns} ns at {digits} digits, where ours are up to \
             {HIGHEST_NS} ns at {DIGITS}"
        )
    }
}

impl std::error::Error for ForeignHistogram {}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn interval(start_ms: u64, values: &[u64]) -> Interval {
        let mut filled = histogram();
        for value in values {
            filled.record(*value).unwrap();
        }
        let ms = Duration::from_millis;
        Interval { start: ms(start_ms), length: ms(100), histogram: filled }
    }

    #[test]
    fn a_log_is_read_back_as_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("response.hlog");
        let log = Log {
            warmup: vec![interval(0, &[5_000_000])],
            steady: vec![interval(100, &[1, 900, 2_000_000]), interval(200, &[])],
        };
        log.write(&path, "response").unwrap();
        let read = Log::read(&path).unwrap();
        assert_eq!(read, log);
        assert_eq!(read.total().len(), 3, "the warm-up is in no figure");
    }

    #[test]
    fn a_log_that_is_cut_off_is_an_error_with_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("response.hlog");
        Log { warmup: vec![], steady: vec![interval(0, &[7, 8, 9])] }.write(&path, "r").unwrap();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 9]).unwrap();
        let error = Log::read(&path).unwrap_err();
        assert!(format!("{error:#}").contains("response.hlog"), "{error:#}");
    }

    #[test]
    fn a_percentile_needs_ten_samples_beyond_it() {
        let mut values = histogram();
        for value in 1..=999 {
            values.record(value).unwrap();
        }
        assert_eq!(quantile_ns(&values, 0.99), None);
        values.record(1_000).unwrap();
        assert_eq!(quantile_ns(&values, 0.99), Some(990));
        assert_eq!(quantile_ns(&values, 0.999), None);
    }

    proptest! {
        /// CO-8: three digits mean an error of at most 0.1 % over the whole range.
        #[test]
        fn a_value_is_read_back_within_a_thousandth(value in 1..HIGHEST_NS) {
            let mut one = histogram();
            one.record(value).unwrap();
            let read = one.value_at_quantile(0.5);
            prop_assert!(read >= value);
            prop_assert!((read - value) as f64 <= value as f64 * 1e-3);
        }
    }
}
