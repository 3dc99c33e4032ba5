//! What a variant's function is given: knobs, random numbers, time, and a place for its results.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use lab_record::{
    Accounting, Curve, CurveKind, End, Gauge, Grid, Inject, Metric, Metrics, Mode, Trial,
    Unavailable, check_name, write_json,
};
use lab_stats::Estimate;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::clock::Clock;
use crate::seed;
use crate::series::{Series, Timeline};
use crate::settings::Settings;

/// Points of a theoretical distribution for each factor of ten of 1/(1 − p).
const STEPS_PER_DECADE: u32 = 16;

/// One trial, from inside.
#[derive(Debug)]
pub struct Ctx {
    trial: Trial,
    settings: Settings,
    dir: PathBuf,
    metrics: Metrics,
    /// Ends of requests that belong to the variant's experiment.
    expects: &'static [End],
    /// Whether requests were settled in a ledger.
    settled: bool,
}

impl Ctx {
    pub(crate) fn new(trial: Trial, dir: PathBuf, expects: &'static [End]) -> Self {
        let settings = Settings::new(trial.knobs.clone());
        Self { trial, settings, dir, metrics: Metrics::default(), expects, settled: false }
    }

    /// A whole-number knob.
    ///
    /// # Panics
    /// The lab has no such knob, or it is of another kind: a mistake of the lab's author.
    pub fn int(&self, knob: &str) -> u64 {
        self.settings.int(knob)
    }

    /// A number knob.
    pub fn float(&self, knob: &str) -> f64 {
        self.settings.float(knob)
    }

    /// A duration knob.
    pub fn duration(&self, knob: &str) -> Duration {
        self.settings.duration(knob)
    }

    /// A choice or text knob.
    pub fn text(&self, knob: &str) -> &str {
        self.settings.text(knob)
    }

    /// All knobs, as a closed form gets them.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The seed of the trial.
    pub fn seed(&self) -> u64 {
        self.trial.seed
    }

    /// A generator for one purpose; see [`seed::rng`].
    pub fn rng(&self, path: &[u64]) -> Xoshiro256PlusPlus {
        seed::rng(self.trial.seed, path)
    }

    /// Whether the trial runs in real time.
    pub fn is_live(&self) -> bool {
        self.trial.mode == Mode::Live
    }

    /// Notes that a ledger is settled, and returns the known slowness that it must show.
    pub(crate) fn settle(&mut self) -> Option<Inject> {
        self.settled = true;
        self.trial.inject
    }

    /// How the trial's time is cut.
    pub fn timeline(&self) -> Timeline {
        Timeline::of(&self.trial)
    }

    /// An empty series on the trial's timeline.
    pub fn series(&self) -> Series {
        Series::new(self.timeline())
    }

    /// Sets the trial's clock, by which the samples of a profile find their interval.
    pub fn began(&mut self, clock: Clock) {
        self.metrics.began_ns = Some(clock.began_ns());
    }

    /// The distribution that theory gives a series: `quantile(p)` in nanoseconds for p up to 1 −
    /// 10⁻⁵, beside which a report draws what was measured.
    pub fn theory(&mut self, series: &str, quantile: impl Fn(f64) -> f64) {
        let decades =
            (0..=5 * STEPS_PER_DECADE).map(|step| f64::from(step) / f64::from(STEPS_PER_DECADE));
        let at = decades.map(|decades| 1.0 - 10f64.powf(-decades));
        let points = at.map(|p| (p, quantile(p))).collect();
        self.curve(series, CurveKind::Theory, [Curve::QUANTILE, "ns"], points);
    }

    /// Writes a series as `<name>.hlog`; called once for each name.
    ///
    /// # Errors
    /// The name is not a file name, or the trial's directory cannot be written.
    pub fn save(&mut self, name: &str, series: Series) -> anyhow::Result<()> {
        check_name("series", name)?;
        let facts = series.facts();
        let heading = match facts.censored {
            0 => name.to_owned(),
            // Other programs that read the log cannot know this otherwise.
            bounds => format!("{name}, {bounds} values are lower bounds"),
        };
        self.metrics.series.insert(name.into(), facts);
        series.into_log().write(&self.dir.join(format!("{name}.hlog")), &heading)
    }

    /// Keeps a file of the lab's own, such as folded stacks, in the trial's directory.
    ///
    /// # Errors
    /// The name is not a file name, or the trial's directory cannot be written.
    pub fn keep(&self, file: &str, text: &str) -> anyhow::Result<()> {
        check_name("file", file)?;
        lab_files::write(&self.dir.join(file), text)
    }

    /// How the requests of the measured span ended. The sum is checked; an end that does not belong
    /// to the variant's experiment makes the trial invalid, and so does a trial without requests.
    pub fn account(&mut self, accounting: Accounting) {
        if !accounting.adds_up() {
            self.invalid(format!("requests are missing from the account: {accounting:?}"));
        }
        let offered = accounting.offered;
        if offered == 0 {
            self.invalid("no request was offered in the measured span");
        }
        // Dropped requests are judged by the rate sent instead: a tool may skip requests by design.
        for (end, became) in [
            (End::Failed, "failed"),
            (End::Refused, "were refused"),
            (End::TimedOut, "timed out"),
            (End::Abandoned, "were abandoned"),
            (End::InFlight, "were still in flight at the end"),
        ] {
            let count = accounting.of(end);
            if count > 0 && !self.expects(end) {
                self.invalid(format!("{count} of {offered} requests {became}"));
            }
        }
        self.metrics.accounting = accounting;
    }

    /// Whether requests with this end belong to the variant's experiment.
    pub(crate) fn expects(&self, end: End) -> bool {
        self.expects.contains(&end)
    }

    /// A named number.
    pub fn metric(&mut self, name: &str, value: f64, unit: &str) {
        self.metrics.metrics.insert(name.into(), Metric { value, unit: unit.into(), of: None });
    }

    /// A share, with its counts, so that trials pool and an interval can be given.
    pub fn proportion(&mut self, name: &str, hits: u64, of: u64) {
        let value = if of == 0 { 0.0 } else { hits as f64 / of as f64 };
        let metric = Metric { value, unit: "ratio".into(), of: Some((hits, of)) };
        self.metrics.metrics.insert(name.into(), metric);
    }

    /// A named value over time: seconds since the measured span began, and the value.
    pub fn gauge(&mut self, name: &str, unit: &str, points: Vec<(f64, f64)>) {
        self.metrics.gauges.insert(name.into(), Gauge { unit: unit.into(), points });
    }

    /// Named x–y points, in the order of x; `units` are those of x and y.
    pub fn curve(
        &mut self,
        name: &str,
        kind: CurveKind,
        units: [&str; 2],
        points: Vec<(f64, f64)>,
    ) {
        self.push_curve(name, kind, units, points, Vec::new());
    }

    /// Measured points, each with its 95 % interval: `(x, estimate of y)`. A report draws error
    /// bars. A point without an interval has none.
    pub fn estimates(&mut self, name: &str, units: [&str; 2], points: &[(f64, Estimate)]) {
        let interval = |y: &Estimate| y.interval.unwrap_or((y.value, y.value));
        let intervals = points.iter().map(|(_, y)| interval(y)).collect();
        let points = points.iter().map(|(x, y)| (*x, y.value)).collect();
        self.push_curve(name, CurveKind::Measured, units, points, intervals);
    }

    fn push_curve(
        &mut self,
        name: &str,
        kind: CurveKind,
        units: [&str; 2],
        points: Vec<(f64, f64)>,
        intervals: Vec<(f64, f64)>,
    ) {
        let [x_unit, y_unit] = units.map(str::to_owned);
        let name = name.to_owned();
        self.metrics.curves.push(Curve { name, kind, x_unit, y_unit, points, intervals });
    }

    /// Values of named rows over time, which a report draws as a heat map.
    pub fn grid(&mut self, name: &str, grid: Grid) {
        self.metrics.grids.insert(name.into(), grid);
    }

    /// What a reader should know, in a whole sentence.
    pub fn note(&mut self, sentence: impl Into<String>) {
        self.metrics.notes.push(sentence.into());
    }

    /// This machine lacks what the variant needs: why, and the command that fixes it, if any. The
    /// variant then returns, and its checks are reported as unavailable.
    pub fn unavailable(&mut self, reason: impl Into<String>, fix: impl Into<String>) {
        self.metrics.unavailable = Some(Unavailable { reason: reason.into(), fix: fix.into() });
    }

    /// The trial's figures must not be used, and why.
    pub fn invalid(&mut self, reason: impl Into<String>) {
        self.metrics.invalid_reasons.push(reason.into());
    }

    /// The lab's name.
    pub(crate) fn lab(&self) -> &str {
        &self.trial.lab
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes `metrics.json`: last, so that its presence means a whole trial.
    ///
    /// # Errors
    /// A live trial settled a ledger although its variant does not declare that it `responds`, or
    /// the reverse; an injected slowness was not applied; or the directory cannot be written.
    pub(crate) fn finish(self, responds: bool) -> anyhow::Result<()> {
        ensure!(
            self.settled == responds || !self.is_live(),
            "a variant says `.responds()` if and only if it settles a ledger"
        );
        ensure!(
            self.settled || self.trial.inject.is_none(),
            "a known slowness was asked for, and nothing here can show it"
        );
        self.check_figures()?;
        write_json(&self.dir.join("metrics.json"), &self.metrics)
    }

    /// JSON has no NaN and no infinity: a reader would only find the value missing.
    fn check_figures(&self) -> anyhow::Result<()> {
        let Metrics { metrics, gauges, curves, grids, .. } = &self.metrics;
        for (name, metric) in metrics {
            ensure!(metric.value.is_finite(), "metric `{name}` is {}", metric.value);
        }
        let gauges = gauges.iter().map(|(name, gauge)| ("gauge", name, &gauge.points));
        let points = curves.iter().map(|curve| ("curve", &curve.name, &curve.points));
        let bars = curves.iter().map(|curve| ("interval of", &curve.name, &curve.intervals));
        for (what, name, points) in gauges.chain(points).chain(bars) {
            if let Some((x, y)) = points.iter().find(|(x, y)| !(x.is_finite() && y.is_finite())) {
                anyhow::bail!("{what} `{name}` has a point ({x}, {y})");
            }
        }
        for (name, grid) in grids {
            for (row, values) in &grid.rows {
                let (wanted, found) = (grid.starts_s.len(), values.len());
                ensure!(wanted == found, "grid `{name}`, {row}: {found} values, {wanted} columns");
                let odd = values.iter().find(|value| !value.is_finite());
                ensure!(odd.is_none(), "grid `{name}`, {row}: a value is {odd:?}");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use lab_record::Knobs;

    use super::*;

    fn trial() -> Trial {
        Trial {
            id: "001".into(),
            lab: "lab".into(),
            variant: "one".into(),
            label: "one".into(),
            mode: Mode::Live,
            seed: 1,
            warmup_ms: 0,
            measure_ms: 100,
            interval_ms: 10,
            deadline_ms: 1_000,
            knobs: Knobs::new(),
            profile: None,
            probe: None,
            inject: None,
        }
    }

    /// Why a trial with this account of its requests is invalid.
    fn reasons(expects: &'static [End], accounting: Accounting) -> Vec<String> {
        let mut ctx = Ctx::new(trial(), PathBuf::new(), expects);
        ctx.account(accounting);
        ctx.metrics.invalid_reasons
    }

    #[test]
    fn an_end_that_the_experiment_does_not_expect_makes_a_trial_invalid() {
        let refused = Accounting::one(End::Refused);
        assert_eq!(reasons(&[], refused), ["1 of 1 requests were refused"]);
        assert!(reasons(&[End::Refused], refused).is_empty());
        for end in [End::Failed, End::TimedOut, End::Abandoned, End::InFlight] {
            assert_eq!(reasons(&[End::Refused], Accounting::one(end)).len(), 1, "{end:?}");
        }
        assert!(reasons(&[], Accounting::one(End::Completed)).is_empty());
    }

    #[test]
    fn a_grid_with_a_row_of_another_length_is_refused() {
        let check = |values: Vec<f64>| {
            let mut ctx = Ctx::new(trial(), PathBuf::new(), &[]);
            let (starts_s, rows) = (vec![0.0, 1.0], vec![("server 1".to_owned(), values)]);
            ctx.grid("queues", Grid { unit: "count".into(), starts_s, end_s: 2.0, rows });
            ctx.check_figures().map_err(|error| error.to_string())
        };
        assert_eq!(check(vec![1.0, 2.0]), Ok(()));
        let short = check(vec![1.0]).unwrap_err();
        assert_eq!(short, "grid `queues`, server 1: 1 values, 2 columns");
        assert!(check(vec![1.0, f64::NAN]).unwrap_err().contains("NaN"));
    }

    #[test]
    fn an_estimate_without_an_interval_has_an_error_bar_of_no_length() {
        let mut ctx = Ctx::new(trial(), PathBuf::new(), &[]);
        let estimate = |value, interval| Estimate { value, interval };
        let points = [(1.0, estimate(5.0, Some((4.0, 7.0)))), (2.0, estimate(6.0, None))];
        ctx.estimates("waits by load", ["ratio", "ns"], &points);
        let curve = &ctx.metrics.curves[0];
        assert_eq!(curve.points, [(1.0, 5.0), (2.0, 6.0)]);
        assert_eq!(curve.intervals, [(4.0, 7.0), (6.0, 6.0)]);
    }

    #[test]
    fn a_trial_that_offers_no_request_is_invalid() {
        let none = Accounting::default();
        assert_eq!(reasons(&End::ALL, none), ["no request was offered in the measured span"]);
    }
}
