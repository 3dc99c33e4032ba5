//! A series: durations recorded into one HDR histogram for each interval of a trial.

use std::time::Duration;

use hdrhistogram::Histogram;
use lab_record::hlog::{self, Interval, Log};
use lab_record::{SeriesFacts, Trial};

/// How a trial's time is cut: warm-up, then the measured span in equal intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeline {
    /// Load before the measured span; it enters no figure.
    pub warmup: Duration,
    /// The measured span.
    pub measure: Duration,
    /// The length of an interval of the measured span.
    pub interval: Duration,
}

impl Timeline {
    /// The timeline of a trial.
    pub fn of(trial: &Trial) -> Self {
        Self { warmup: trial.warmup(), measure: trial.measure(), interval: trial.interval() }
    }

    /// Warm-up and measured span together.
    pub fn span(&self) -> Duration {
        self.warmup + self.measure
    }

    /// The number of intervals in the measured span: at least one.
    pub(crate) fn intervals(&self) -> usize {
        nanos(self.measure).div_ceil(nanos(self.interval).max(1)).max(1) as usize
    }

    /// Whether `at_ns` is after the warm-up.
    pub(crate) fn measures(&self, at_ns: u64) -> bool {
        at_ns >= nanos(self.warmup)
    }

    /// The interval of the measured span that `at_ns` lies in, if any.
    pub(crate) fn interval_of(&self, at_ns: u64) -> Option<usize> {
        let into_ns = at_ns.checked_sub(nanos(self.warmup))?;
        (into_ns < nanos(self.measure)).then(|| (into_ns / nanos(self.interval).max(1)) as usize)
    }

    /// The counts of intervals as points: the middle of the interval, in seconds since the measured
    /// span began, and the rate a second.
    pub(crate) fn rates(&self, counts: &[u64]) -> Vec<(f64, f64)> {
        let interval_s = self.interval.as_secs_f64();
        let rate =
            |(i, count): (usize, &u64)| ((i as f64 + 0.5) * interval_s, *count as f64 / interval_s);
        counts.iter().enumerate().map(rate).collect()
    }
}

/// Durations, each recorded in the interval of its time. Memory is allocated when the series is
/// made: [`Series::record`] neither allocates nor locks. Each thread has its own series; they are
/// merged afterwards.
#[derive(Debug, Clone)]
pub struct Series {
    timeline: Timeline,
    warmup: Histogram<u64>,
    steady: Vec<Slot>,
    /// The current interval, with a copy of its span beside the counters that every record touches.
    current: usize,
    from_ns: u64,
    length_ns: u64,
    min_ns: u64,
    max_ns: u64,
    sum_ns: u64,
    over_range: u64,
    censored: u64,
    censored_from_ns: u64,
}

/// An interval and its span of time, since comparing with the span costs less than dividing by the
/// interval's length.
#[derive(Debug, Clone)]
struct Slot {
    from_ns: u64,
    until_ns: u64,
    histogram: Histogram<u64>,
}

impl Series {
    /// An empty series.
    pub fn new(timeline: Timeline) -> Self {
        let interval_ns = nanos(timeline.interval).max(1);
        let count = timeline.intervals() as u64;
        let slot = |i| {
            let from_ns = nanos(timeline.warmup) + i * interval_ns;
            Slot { from_ns, until_ns: from_ns + interval_ns, histogram: hlog::histogram() }
        };
        let mut steady: Vec<Slot> = (0..count).map(slot).collect();
        // A request still running at the end of the span belongs to the last interval.
        steady[count as usize - 1].until_ns = u64::MAX;
        Self {
            timeline,
            warmup: hlog::histogram(),
            steady,
            current: 0,
            from_ns: 0,
            length_ns: 0,
            min_ns: u64::MAX,
            max_ns: 0,
            sum_ns: 0,
            over_range: 0,
            censored: 0,
            censored_from_ns: u64::MAX,
        }
    }

    /// Records a duration for the time `at`: the intended start of its request.
    #[inline]
    pub fn record(&mut self, at: Duration, value: Duration) {
        self.record_ns(nanos(at), nanos(value));
    }

    /// [`Series::record`] in nanoseconds, for hot loops.
    #[inline]
    pub fn record_ns(&mut self, at_ns: u64, value_ns: u64) {
        self.file(at_ns, value_ns);
    }

    /// Records a request that was never answered, in nanoseconds: all that is known of its duration
    /// is that it is at least `waited_ns`. Percentiles at or above the smallest such value are
    /// lower bounds.
    pub fn record_censored_ns(&mut self, at_ns: u64, waited_ns: u64) {
        if self.file(at_ns, waited_ns) {
            self.censored += 1;
            self.censored_from_ns = self.censored_from_ns.min(waited_ns);
        }
    }

    /// Records a value, and returns whether its time lies in the measured span.
    #[inline]
    fn file(&mut self, at_ns: u64, value_ns: u64) -> bool {
        // One comparison checks both ends: a time before the slot wraps to a huge distance.
        if at_ns.wrapping_sub(self.from_ns) >= self.length_ns && !self.move_to(at_ns) {
            // A warm-up value above the bound does not matter.
            self.warmup.saturating_record(value_ns);
            return false;
        }
        self.min_ns = self.min_ns.min(value_ns);
        self.max_ns = self.max_ns.max(value_ns);
        self.sum_ns = self.sum_ns.wrapping_add(value_ns);
        if self.steady[self.current].histogram.record(value_ns).is_err() {
            self.over_range += 1;
        }
        true
    }

    /// Makes the interval of `at_ns` the current one; false in the warm-up, which has none.
    #[cold]
    fn move_to(&mut self, at_ns: u64) -> bool {
        if at_ns < self.steady[0].from_ns {
            return false;
        }
        self.current = self.steady.partition_point(|slot| slot.until_ns <= at_ns);
        let slot = &self.steady[self.current];
        (self.from_ns, self.length_ns) = (slot.from_ns, slot.until_ns - slot.from_ns);
        true
    }

    /// Records a value, and the values of the requests that a closed loop did not send while it
    /// waited: `value − expected`, `value − 2·expected` … down to `expected` (Tene's correction).
    /// Only to teach coordinated omission: a client that keeps its schedule needs no correction.
    pub fn record_correct(&mut self, at: Duration, value: Duration, expected: Duration) {
        let (at_ns, step_ns) = (nanos(at), nanos(expected).max(1));
        let mut value_ns = nanos(value);
        self.record_ns(at_ns, value_ns);
        while value_ns >= 2 * step_ns {
            value_ns -= step_ns;
            self.record_ns(at_ns, value_ns);
        }
    }

    /// Adds what another thread recorded on the same timeline.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.timeline, other.timeline, "series of one trial share its timeline");
        let add = |to: &mut Histogram<u64>, from: &Histogram<u64>| {
            to.add(from).expect("all series have the same bounds");
        };
        add(&mut self.warmup, &other.warmup);
        for (to, from) in self.steady.iter_mut().zip(&other.steady) {
            add(&mut to.histogram, &from.histogram);
        }
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
        self.sum_ns = self.sum_ns.wrapping_add(other.sum_ns);
        self.over_range += other.over_range;
        self.censored += other.censored;
        self.censored_from_ns = self.censored_from_ns.min(other.censored_from_ns);
    }

    /// The exact counts and extremes of the measured span.
    pub fn facts(&self) -> SeriesFacts {
        let recorded: u64 = self.steady.iter().map(|slot| slot.histogram.len()).sum();
        let count = recorded + self.over_range;
        if count == 0 {
            return SeriesFacts::default();
        }
        SeriesFacts {
            count,
            min_ns: self.min_ns,
            max_ns: self.max_ns,
            mean_ns: self.sum_ns as f64 / count as f64,
            over_range: self.over_range,
            censored: self.censored,
            censored_from_ns: (self.censored > 0).then_some(self.censored_from_ns),
        }
    }

    /// The measured span as one histogram.
    pub fn total(&self) -> Histogram<u64> {
        let mut total = hlog::histogram();
        for slot in &self.steady {
            total.add(&slot.histogram).expect("all series have the same bounds");
        }
        total
    }

    /// The intervals as a log, to be written.
    pub fn into_log(self) -> Log {
        let Timeline { warmup: warmup_span, interval, .. } = self.timeline;
        let warmup = (!warmup_span.is_zero()).then_some(Interval {
            start: Duration::ZERO,
            length: warmup_span,
            histogram: self.warmup,
        });
        let steady = self.steady.into_iter().map(|slot| Interval {
            start: Duration::from_nanos(slot.from_ns),
            length: interval,
            histogram: slot.histogram,
        });
        Log { warmup: warmup.into_iter().collect(), steady: steady.collect() }
    }
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn series() -> Series {
        Series::new(Timeline { warmup: 100 * MS, measure: 1_000 * MS, interval: 100 * MS })
    }

    #[test]
    fn a_value_stands_in_the_interval_of_its_intended_start() {
        let mut series = series();
        series.record(50 * MS, 9 * MS); // warm-up
        series.record(1_050 * MS, 7 * MS);
        series.record(100 * MS, 5 * MS);
        series.record(1_100 * MS, 1 * MS); // at the end: still the last interval
        let log = series.into_log();
        let counts: Vec<u64> = log.steady.iter().map(|i| i.histogram.len()).collect();
        assert_eq!(counts, [1, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(log.warmup[0].histogram.len(), 1);
        assert_eq!(log.total().len(), 3);
    }

    #[test]
    fn extremes_are_exact_and_values_over_range_are_counted() {
        let mut series = series();
        let hour = Duration::from_secs(3_600);
        for value in [Duration::from_nanos(1_234_567), 2 * hour] {
            series.record(500 * MS, value);
        }
        let facts = series.facts();
        assert_eq!((facts.count, facts.over_range), (2, 1));
        assert_eq!((facts.min_ns, facts.max_ns), (1_234_567, 7_200_000_000_000));
        assert_eq!(series.total().len(), 1, "a histogram never holds a clamped value");
    }

    #[test]
    fn a_value_that_is_a_bound_is_counted_and_the_smallest_is_known() {
        let (mut one, mut other) = (series(), series());
        one.record_censored_ns(50_000_000, 1_000_000); // warm-up: in no figure
        one.record(500 * MS, MS);
        assert_eq!((one.facts().censored, one.facts().censored_from_ns), (0, None));
        one.record_censored_ns(500_000_000, 7_000_000);
        other.record_censored_ns(500_000_000, 5_000_000);
        one.merge(&other);
        let facts = one.facts();
        assert_eq!((facts.count, facts.censored), (3, 2));
        assert_eq!((facts.censored_from_ns, facts.max_ns), (Some(5_000_000), 7_000_000));
        assert_eq!(one.total().len(), 3, "they stand in the tail");
    }

    #[test]
    fn series_of_several_threads_merge_into_one() {
        let (mut left, mut right, mut both) = (series(), series(), series());
        for i in 0..1_000_u32 {
            let (at, value) = (MS * (100 + i % 900), MS * i);
            if i % 3 == 0 {
                left.record(at, value)
            } else {
                right.record(at, value)
            };
            both.record(at, value);
        }
        left.merge(&right);
        assert_eq!(left.facts(), both.facts());
        assert_eq!(left.into_log(), both.into_log());
    }

    #[test]
    fn the_correction_adds_every_value_that_was_omitted() {
        // CO-1, CO-2: one 100 s stall among samples meant to come every 10 ms.
        let mut series = series();
        series.record_correct(500 * MS, Duration::from_secs(100), 10 * MS);
        assert_eq!(series.facts().count, 10_000);
        assert_eq!(series.facts().min_ns, 10_000_000);
    }
}
