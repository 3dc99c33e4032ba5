//! What a machine can detect: from A/A comparisons, the false alarms and the smallest visible
//! effect.

use lab_stats::splitmix64;
use serde::{Deserialize, Serialize};

use crate::comparison::Comparison;
use crate::method::{Gate, Method};
use crate::metric::Metric;
use crate::scenario::PairRecord;
use crate::verdict::{Found, Verdict, decide, look};

/// An effect counts as visible if it is found with at least this probability.
const POWER: f64 = 0.8;
/// Simulated comparisons for each effect tried.
const DRAWS: u64 = 400;
/// Effects are tried in steps of 0.5 %, up to double the latency.
const STEP_RATIO: f64 = 0.005;
const MOST_STEPS: u32 = 200;

/// `calibration.json`: what repeated comparisons of a side with itself showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// [`SCHEMA`].
    pub schema: String,
    /// How often the side was compared with itself.
    pub comparisons: u32,
    /// Comparisons without a verdict.
    pub invalid: u32,
    /// Pairs that did not count because the machine disturbed them.
    #[serde(alias = "late_pairs")]
    pub disturbed_pairs: u32,
    /// Every gated metric.
    pub metrics: Vec<Calibrated>,
    /// Differentials of profiled trials.
    #[serde(default)]
    pub differentials: u32,
    /// Differentials in which any frame moved: false alarms.
    #[serde(default)]
    pub differentials_with_moved_frames: u32,
}

/// The schema of `calibration.json`.
pub const SCHEMA: &str = "perf-lab.calibration/1";

/// One gated metric on this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibrated {
    /// Its name and unit.
    #[serde(flatten)]
    pub metric: Metric,
    /// Verdicts in scenarios of equal sides.
    pub judged: u32,
    /// Verdicts that said `regressed`: false alarms.
    pub false_regressed: u32,
    /// Verdicts that said `improved`: false alarms too.
    pub false_improved: u32,
    /// Verdicts that said `inconclusive`.
    pub inconclusive: u32,
    /// The smallest slowness that all looks together find in four of five comparisons; `None` if
    /// even doubled latency is not found, or there are too few pairs to tell.
    pub smallest_visible_ratio: Option<f64>,
    /// Pairs of trials from which the noise was taken.
    pub pairs: u32,
}

impl Calibration {
    /// Whether no scenario of any comparison was judged, so that nothing is known about this
    /// machine.
    pub fn is_invalid(&self) -> bool {
        self.metrics.iter().all(|metric| metric.judged == 0)
    }
}

/// Sums up A/A comparisons that were all judged by `method`.
pub fn calibrate(comparisons: &[Comparison], method: &Method) -> Calibration {
    let scenarios = || comparisons.iter().flat_map(|comparison| &comparison.scenarios);
    let moved = || scenarios().filter_map(|scenario| scenario.moved_frames);
    let alpha_each = comparisons.first().map_or(method.alpha, |c| c.looks.alpha_each);
    let metrics = method.gates.iter().map(|gate| {
        let rows = scenarios().flat_map(|s| &s.metrics).filter(|row| row.metric == gate.metric);
        let verdicts: Vec<Verdict> = rows.filter_map(|row| row.verdict).collect();
        let count = |which: Verdict| verdicts.iter().filter(|v| **v == which).count() as u32;
        let noise: Vec<f64> = scenarios()
            .filter(|scenario| scenario.verdict.is_some())
            .flat_map(|scenario| &scenario.pairs)
            .filter_map(|pair| difference(pair, &gate.metric))
            .collect();
        Calibrated {
            metric: gate.metric.clone(),
            judged: verdicts.len() as u32,
            false_regressed: count(Verdict::Regressed),
            false_improved: count(Verdict::Improved),
            inconclusive: count(Verdict::Inconclusive),
            smallest_visible_ratio: smallest_visible(&noise, gate, &method.looks, alpha_each),
            pairs: noise.len() as u32,
        }
    });
    Calibration {
        schema: SCHEMA.to_owned(),
        comparisons: comparisons.len() as u32,
        invalid: scenarios().filter(|s| s.verdict.is_none()).count() as u32,
        disturbed_pairs: scenarios().map(|s| s.disturbed_pairs.len() as u32).sum(),
        metrics: metrics.collect(),
        differentials: moved().count() as u32,
        differentials_with_moved_frames: moved().filter(|frames| *frames > 0).count() as u32,
    }
}

/// The smallest slowness that comparisons with this noise find often enough.
fn smallest_visible(noise: &[f64], gate: &Gate, looks: &[u32], alpha_each: f64) -> Option<f64> {
    // Fewer pairs than in the first look say too little about the noise.
    if (noise.len() as u32) < *looks.first()? {
        return None;
    }
    let visible = |step: u32| {
        let shift = (f64::from(step) * STEP_RATIO).ln_1p();
        let found = (0..DRAWS)
            .filter(|&n| is_found(&draw(noise, n, looks, shift), gate, looks, alpha_each));
        found.count() as f64 >= POWER * DRAWS as f64
    };
    // Power grows with the effect, so bisection finds where it passes.
    let (mut low, mut high) = (0, MOST_STEPS + 1);
    while high - low > 1 {
        let middle = (low + high) / 2;
        if visible(middle) { high = middle } else { low = middle }
    }
    (high <= MOST_STEPS).then(|| f64::from(high) * STEP_RATIO)
}

/// Differences drawn from the noise, with a random sign, then shifted.
fn draw(noise: &[f64], n: u64, looks: &[u32], shift: f64) -> Vec<f64> {
    let pairs = u64::from(looks.last().copied().unwrap_or(0));
    (0..pairs)
        .map(|i| {
            let random = splitmix64(0, n * pairs + i);
            let drawn = noise[(random >> 1) as usize % noise.len()];
            shift + if random & 1 == 0 { drawn } else { -drawn }
        })
        .collect()
}

fn is_found(differences: &[f64], gate: &Gate, looks: &[u32], alpha_each: f64) -> bool {
    let decided = looks.iter().find_map(|&at| {
        look(differences, at, alpha_each).and_then(|found| decide(&Found::from(found), gate))
    });
    decided == Some(Verdict::Regressed)
}

fn difference(pair: &PairRecord, metric: &Metric) -> Option<f64> {
    pair.differences.get(metric.name()).copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::{Kind, SideName};
    use crate::scenario::{Scenario, judge};

    #[test]
    fn the_floor_is_visible_on_a_quiet_machine_and_nothing_small_on_a_noisy_one() {
        let visible = |spread: f64| {
            let noise: Vec<f64> = (0..24).map(|i| spread * (f64::from(i) - 11.5) / 11.5).collect();
            smallest_visible(&noise, &Gate::of(Metric::P50), &[8, 12, 16, 24], 0.01)
        };
        let quiet = visible(0.001).unwrap();
        assert!((0.03..=0.035).contains(&quiet), "the floor is 3 %: {quiet}");
        let noisy = visible(0.3).unwrap();
        assert!(noisy > 0.1, "{noisy}");
        assert_eq!(visible(9.0), None);
    }

    #[test]
    fn differentials_are_counted_when_there_are_any() {
        let method = Method::default();
        let looks = method.looks(1).unwrap();
        let with = |moved_frames| {
            let judged = judge("lab/variant", ("a", "b"), &[], &[], &method, &looks);
            let sides = (SideName::default(), SideName::default());
            let scenarios = vec![Scenario { moved_frames, ..judged }];
            Comparison::new(Kind::Aa, sides, method.clone(), looks.clone(), scenarios)
        };
        let made = [with(Some(0)), with(Some(2)), with(None)];
        let found = calibrate(&made, &method);
        assert_eq!((found.differentials, found.differentials_with_moved_frames), (2, 1));
    }

    #[test]
    fn no_effect_is_visible_when_there_are_too_few_pairs() {
        let gate = Gate::of(Metric::P50);
        assert_eq!(smallest_visible(&[0.0; 7], &gate, &[8], 0.02), None);
    }
}
