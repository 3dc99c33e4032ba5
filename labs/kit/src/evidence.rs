//! What a run's trials measured, as figures that a check compares with its prediction.

use std::cell::RefCell;

use hdrhistogram::Histogram;
use lab_record::hlog;
use lab_record::{Curve, CurveKind, FinishedTrial, How, Metric, Mode, Reads, Run, Unavailable};

use lab_stats::{Estimate, binomial_error, least_squares, mean_interval};

use crate::finding::{Figure, Gap};
use crate::observation::Observation;
use crate::settings::Settings;

/// The trials of a run that a check may use: those that are valid and of its mode.
#[derive(Debug)]
pub struct Evidence<'a> {
    run: &'a Run,
    how: How,
    /// The trials that the check declares that it reads.
    reads: Vec<Reads>,
    /// The number of trials that the figures were read from, for the reason.
    trials_used: RefCell<usize>,
}

impl<'a> Evidence<'a> {
    /// The evidence for a check that reads these trials.
    pub(crate) fn new(run: &'a Run, how: How, reads: Vec<Reads>) -> Self {
        Self { run, how, reads, trials_used: RefCell::new(0) }
    }

    /// The timed trials of these variants.
    pub(crate) fn of(run: &'a Run, how: How, variants: &[&str]) -> Self {
        let reads = |variant: &&str| Reads { variant: (*variant).into(), probe: None };
        let reads = variants.iter().map(reads).collect();
        Self { run, how, reads, trials_used: RefCell::new(0) }
    }

    /// The knobs of the run: the arguments of a closed form.
    pub fn settings(&self) -> Settings {
        Settings::new(self.run.plan.knobs_of(None))
    }

    /// The knobs of the run, as a variant turns them.
    ///
    /// # Panics
    /// The lab has no such variant: its author misspelt it.
    pub fn settings_of(&self, variant: &str) -> Settings {
        let known = self.run.plan.description.variants.iter().any(|known| known.name == variant);
        assert!(known, "the lab has no variant `{variant}`");
        Settings::new(self.run.plan.knobs_of(Some(variant)))
    }

    /// Whether the run has a finished trial of this variant, valid or not.
    pub fn ran(&self, variant: &str) -> bool {
        self.run.finished.iter().any(|t| t.trial.variant == variant && t.trial.is_timed())
    }

    /// A metric of a variant.
    ///
    /// # Errors
    /// The variant did not run, is invalid, or has no such metric.
    pub fn metric(&self, variant: &str, name: &str) -> Result<Figure, Gap> {
        let metrics: Vec<&Metric> = self
            .trials(variant)?
            .iter()
            .filter_map(|trial| trial.metrics.metrics.get(name))
            .collect();
        let Some(first) = metrics.first() else {
            return Err(Gap::Unavailable(format!("{variant} has no metric {name}")));
        };
        let unit = first.unit.clone();
        if first.of.is_some() {
            return Ok(self.proportion(variant, name)?.0);
        }
        let values: Vec<f64> = metrics.iter().map(|metric| metric.value).collect();
        let (value, interval) = mean_interval(&values);
        Ok(Figure { value, interval, unit })
    }

    /// A proportion and its sample size, for bounds that depend on it.
    ///
    /// # Errors
    /// As [`Evidence::metric`]; also where the metric is no proportion.
    pub fn proportion(&self, variant: &str, name: &str) -> Result<(Figure, u64), Gap> {
        let trials = self.trials(variant)?;
        let counts = trials.iter().filter_map(|t| t.metrics.metrics.get(name)?.of);
        let (hits, of) = counts.fold((0, 0), |sum, (hits, of)| (sum.0 + hits, sum.1 + of));
        Ok((Figure::proportion(hits, of)?, of))
    }

    /// The number of values of a variant's series, over all its trials.
    ///
    /// # Errors
    /// As [`Evidence::metric`].
    pub fn count(&self, variant: &str, series: &str) -> Result<u64, Gap> {
        let trials = self.trials(variant)?;
        Ok(trials.iter().filter_map(|t| t.metrics.series.get(series)).map(|f| f.count).sum())
    }

    /// A percentile of a variant's series in nanoseconds: the mean of the trials' percentiles.
    ///
    /// # Errors
    /// As [`Evidence::metric`]; also where the trials together have too few samples for it.
    pub fn quantile(&self, variant: &str, series: &str, quantile: f64) -> Result<Figure, Gap> {
        let trials = self.totals(variant, series)?;
        enough(variant, &pooled(&trials), quantile)?;
        self.known(variant, series, quantile, &trials)?;
        let values: Vec<f64> =
            trials.iter().map(|total| total.value_at_quantile(quantile) as f64).collect();
        let (value, interval) = mean_interval(&values);
        Ok(Figure { value, interval, unit: "ns".into() })
    }

    /// A percentile over all of a variant's values, for independent values only: its interval is
    /// that of order statistics. Requests of a live trial are not independent.
    ///
    /// # Errors
    /// As [`Evidence::quantile`].
    pub fn independent_quantile(
        &self,
        variant: &str,
        series: &str,
        quantile: f64,
    ) -> Result<Figure, Gap> {
        let trials = self.totals(variant, series)?;
        let all = pooled(&trials);
        enough(variant, &all, quantile)?;
        self.known(variant, series, quantile, &trials)?;
        let error = 1.96 * binomial_error(quantile, all.len());
        let at = |q: f64| all.value_at_quantile(q.clamp(0.0, 1.0)) as f64;
        let interval = Some((at(quantile - error), at(quantile + error)));
        Ok(Figure { value: at(quantile), interval, unit: "ns".into() })
    }

    /// Checks that a percentile is known in each trial. Where requests at or above it were never
    /// answered, the histogram has only a lower bound, which cannot be judged.
    fn known(
        &self,
        variant: &str,
        series: &str,
        quantile: f64,
        totals: &[Histogram<u64>],
    ) -> Result<(), Gap> {
        for (trial, total) in self.trials(variant)?.into_iter().zip(totals) {
            let facts = trial.metrics.series.get(series).copied().unwrap_or_default();
            let at_least_ns = total.value_at_quantile(quantile);
            if facts.is_bound(at_least_ns) {
                return Err(Gap::Unavailable(format!(
                    "{variant}: of p{} of {series} only a bound is known, ≥ {} ms, as {} requests \
                     were never answered",
                    quantile * 100.0,
                    at_least_ns / 1_000_000,
                    facts.censored
                )));
            }
        }
        Ok(())
    }

    /// The values of a series in each trial.
    fn totals(&self, variant: &str, series: &str) -> Result<Vec<Histogram<u64>>, Gap> {
        let total = |trial: &FinishedTrial| {
            let log = trial.series(series).map_err(|e| Gap::Unavailable(format!("{e:#}")))?;
            Ok(log.total())
        };
        self.trials(variant)?.into_iter().map(total).collect()
    }

    /// The ratio of the first percentile to the second; each is (variant, series, quantile).
    ///
    /// # Errors
    /// As [`Evidence::quantile`].
    pub fn ratio(&self, above: (&str, &str, f64), below: (&str, &str, f64)) -> Result<Figure, Gap> {
        let above = self.quantile(above.0, above.1, above.2)?;
        let below = self.quantile(below.0, below.1, below.2)?;
        Ok(above.over(&below))
    }

    /// The share of a series' values of at most `ns`, over all trials.
    ///
    /// # Errors
    /// As [`Evidence::metric`].
    pub fn share_up_to(&self, variant: &str, series: &str, ns: u64) -> Result<Figure, Gap> {
        let all = pooled(&self.totals(variant, series)?);
        Figure::proportion(all.count_between(0, ns), all.len())
    }

    /// A percentile of a series in each interval of the trials' measured span, in nanoseconds, at
    /// the interval's start in seconds; an interval without enough samples is left out.
    ///
    /// # Errors
    /// As [`Evidence::metric`].
    pub fn by_interval(
        &self,
        variant: &str,
        series: &str,
        quantile: f64,
    ) -> Result<Vec<(f64, Figure)>, Gap> {
        let logs: Vec<_> = self
            .trials(variant)?
            .into_iter()
            .map(|trial| trial.series(series).map_err(|e| Gap::Unavailable(format!("{e:#}"))))
            .collect::<Result<_, _>>()?;
        let begin = |log: &hlog::Log| log.steady.first().map(|first| first.start);
        let points = |log: &hlog::Log| {
            let at = |interval: &hlog::Interval| {
                let since = interval.start.saturating_sub(begin(log)?).as_secs_f64();
                Some((since, hlog::quantile_ns(&interval.histogram, quantile)? as f64))
            };
            log.steady.iter().filter_map(at).collect::<Vec<_>>()
        };
        Ok(over_trials(&logs.iter().map(points).collect::<Vec<_>>(), "ns"))
    }

    /// The measured points of a variant's curve over all its trials: x, and the mean of y there.
    ///
    /// # Errors
    /// As [`Evidence::metric`].
    pub fn curve(&self, variant: &str, name: &str) -> Result<Vec<(f64, Figure)>, Gap> {
        let trials = self.trials(variant)?;
        let curves = trials.iter().flat_map(|trial| &trial.metrics.curves);
        let of_name = |c: &&Curve| c.name == name && c.kind == CurveKind::Measured;
        let curves: Vec<&Curve> = curves.filter(of_name).collect();
        let Some(first) = curves.first() else {
            return Err(Gap::Unavailable(format!("{variant} has no curve {name}")));
        };
        let points: Vec<_> = curves.iter().map(|curve| curve.points.clone()).collect();
        Ok(over_trials(&points, &first.y_unit))
    }

    /// A variant's gauge over all its trials: seconds since the measured span began, and the mean
    /// of its values then. A trial without a value at that moment counts with its last one.
    ///
    /// # Errors
    /// As [`Evidence::metric`].
    pub fn gauge(&self, variant: &str, name: &str) -> Result<Vec<(f64, Figure)>, Gap> {
        let trials = self.trials(variant)?;
        let gauges: Vec<_> = trials.iter().filter_map(|t| t.metrics.gauges.get(name)).collect();
        let Some(first) = gauges.first() else {
            return Err(Gap::Unavailable(format!("{variant} has no gauge {name}")));
        };
        let at = |points: &[(f64, f64)], x: f64| {
            points.iter().take_while(|(at, _)| *at <= x).last().map(|(_, y)| (x, *y))
        };
        let points: Vec<Vec<_>> = gauges
            .iter()
            .map(|gauge| first.points.iter().filter_map(|(x, _)| at(&gauge.points, *x)).collect())
            .collect();
        Ok(over_trials(&points, &first.unit))
    }

    /// The trial of `variant` that `probe` observed; of several, the first valid one.
    ///
    /// # Errors
    /// There is no such trial, with the reason if the runner knows one; all such trials are
    /// invalid; or the probe's files cannot be read.
    pub fn observation(&self, variant: &str, probe: &str) -> Result<Observation<'a>, Gap> {
        self.is_named(variant, Some(probe));
        let observed = |t: &&FinishedTrial| {
            t.trial.variant == variant && t.trial.probe.as_deref() == Some(probe)
        };
        let trials: Vec<_> = self.run.finished.iter().filter(observed).collect();
        if trials.is_empty() {
            let why = self.run.plan.without_probes.get(probe);
            return Err(Gap::Unavailable(why.cloned().unwrap_or_else(|| {
                format!("{variant} has no finished trial that {probe} observed")
            })));
        }
        let trial = valid(variant, trials)?[0];
        self.used(1);
        Observation::read(trial, probe)
    }

    /// The number of trials that the figures came from.
    pub(crate) fn trials_used(&self) -> usize {
        *self.trials_used.borrow()
    }

    fn trials(&self, variant: &str) -> Result<Vec<&'a FinishedTrial>, Gap> {
        let mode = match self.how {
            How::Live => Mode::Live,
            How::Simulated => Mode::Simulated,
            How::ClosedForm => return Err(Gap::Unavailable("a formula has no trials".into())),
            How::Probe => return Err(Gap::Unavailable("a probe has observations".into())),
        };
        self.is_named(variant, None);
        let timed = |t: &&FinishedTrial| {
            t.trial.variant == variant && t.trial.mode == mode && t.trial.is_timed()
        };
        let trials: Vec<_> = self.run.finished.iter().filter(timed).collect();
        if trials.is_empty() {
            return Err(Gap::Unavailable(format!("{variant} has no finished trial here")));
        }
        let valid = valid(variant, trials)?;
        self.used(valid.len());
        Ok(valid)
    }

    /// Panics unless the check declares this trial: a runner runs only what checks declare.
    fn is_named(&self, variant: &str, probe: Option<&str>) {
        let named = |r: &Reads| r.variant == variant && r.probe.as_deref() == probe;
        let by = probe.map(|probe| format!(" by {probe}")).unwrap_or_default();
        assert!(
            self.reads.iter().any(named),
            "a check reads `{variant}`{by}, which it does not name"
        );
    }

    fn used(&self, trials: usize) {
        let mut used = self.trials_used.borrow_mut();
        *used = (*used).max(trials);
    }
}

/// The straight line through points by least squares: its value at 0 and its slope, each with its
/// 95 % interval. `units` are those of y and of y over x.
///
/// # Errors
/// The points are fewer than two, or all at one x.
pub fn line_through(points: &[(f64, Figure)], units: [&str; 2]) -> Result<[Figure; 2], Gap> {
    let rows: Vec<([f64; 2], f64)> = points.iter().map(|(x, y)| ([1.0, *x], y.value)).collect();
    let [at_zero, slope] = least_squares(&rows)
        .ok_or_else(|| Gap::Unavailable(format!("no line through {} points", points.len())))?;
    let figure = |fit: Estimate, unit: &str| Figure {
        value: fit.value,
        interval: fit.interval,
        unit: unit.to_owned(),
    };
    Ok([figure(at_zero, units[0]), figure(slope, units[1])])
}

/// The mean of y at each x, with an interval where several trials have that x.
fn over_trials(trials: &[Vec<(f64, f64)>], unit: &str) -> Vec<(f64, Figure)> {
    let mut all: Vec<(f64, f64)> = trials.concat();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mean = |same: &[(f64, f64)]| {
        let (value, interval) = mean_interval(&same.iter().map(|(_, y)| *y).collect::<Vec<_>>());
        (same[0].0, Figure { value, interval, unit: unit.to_owned() })
    };
    all.chunk_by(|a, b| a.0 == b.0).map(mean).collect()
}

fn pooled(trials: &[Histogram<u64>]) -> Histogram<u64> {
    let mut pooled = hlog::histogram();
    for total in trials {
        pooled.add(total).expect("all logs have the same bounds");
    }
    pooled
}

/// Checks that enough samples lie beyond this quantile.
fn enough(variant: &str, pooled: &Histogram<u64>, quantile: f64) -> Result<(), Gap> {
    if hlog::quantile_ns(pooled, quantile).is_none() {
        return Err(Gap::Unavailable(format!(
            "{variant}: {} samples are too few for p{}",
            pooled.len(),
            quantile * 100.0
        )));
    }
    Ok(())
}

/// The usable trials of a variant, or the reason why there are none.
fn valid<'a>(variant: &str, trials: Vec<&'a FinishedTrial>) -> Result<Vec<&'a FinishedTrial>, Gap> {
    if let Some(lack) = trials.iter().find_map(|trial| trial.metrics.unavailable.as_ref()) {
        let Unavailable { reason, fix } = lack;
        let fix = if fix.is_empty() { String::new() } else { format!(" (to fix it: {fix})") };
        return Err(Gap::Unavailable(format!("{variant}: {reason}{fix}")));
    }
    let (valid, invalid): (Vec<_>, Vec<_>) =
        trials.into_iter().partition(|t| t.metrics.invalid_reasons.is_empty());
    match invalid.first() {
        Some(first) if valid.is_empty() => {
            let reasons = first.metrics.invalid_reasons.join("; ");
            Err(Gap::Invalid(format!("{variant}: {reasons}")))
        }
        _ => Ok(valid),
    }
}

/// Whether the run planned a trial for each of `reads`.
pub(crate) fn is_planned(how: How, reads: &[Reads], run: &Run) -> bool {
    reads.iter().all(|Reads { variant, probe }| {
        run.plan.trials.iter().any(|trial| {
            trial.variant == *variant && trial.mode == how.mode() && trial.probe == *probe
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_several_trials_are_their_means_with_an_interval() {
        let trials = [vec![(1.0, 2.0), (2.0, 4.0)], vec![(1.0, 4.0), (3.0, 9.0)]];
        let points = over_trials(&trials, "ns");
        let values: Vec<_> = points.iter().map(|(x, y)| (*x, y.value)).collect();
        assert_eq!(values, [(1.0, 3.0), (2.0, 4.0), (3.0, 9.0)]);
        let (low, high) = points[0].1.interval.unwrap();
        assert!(low < 2.0 && high > 4.0, "two trials tell little: {low} to {high}");
        assert_eq!(points[1].1.interval, None);
    }

    #[test]
    fn a_line_has_a_slope_with_an_interval_and_one_point_has_none() {
        let noisy = [(1.0, 3.1), (2.0, 4.9), (3.0, 7.1), (4.0, 8.9)];
        let points: Vec<_> = noisy.map(|(x, y)| (x, Figure::exact(y, "ns"))).into();
        let [at_zero, slope] = line_through(&points, ["ns", "ns a leaf"]).unwrap();
        let (low, high) = slope.interval.unwrap();
        assert!(low < 2.0 && 2.0 < high && low > 1.5, "{slope:?}");
        assert!((at_zero.value - 1.1).abs() < 0.2 && slope.unit == "ns a leaf");
        assert!(line_through(&points[..1], ["", ""]).is_err());
    }
}
