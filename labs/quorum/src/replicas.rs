//! Replicas that answer independently of each other, or partly together.

use lab_kit::sim::Distribution;
use lab_kit::sim::theory::kth_is_late;
use lab_kit::{Settings, seed};

/// Brooker's two modes of answers: mean and standard deviation in nanoseconds.
const TYPICAL: [f64; 2] = [10e6, 2e6];
const SLOW: [f64; 2] = [100e6, 10e6];

/// Purposes of random numbers, each with a stream of its own.
const MODE: u64 = 0;
const TIME: u64 = 1;
const SHARES: u64 = 2;
const UP: u64 = 3;
const SITE: u64 = 4;

/// The replicas of a trial.
#[derive(Debug, Clone)]
pub(crate) struct Replicas {
    modes: [Distribution; 2],
    /// The share of answers in the slow mode.
    slow: f64,
    /// The share of operations in which one draw decides the mode of all replicas.
    shared: f64,
    /// The share of time in which a replica is up, and in which the site is.
    up: [f64; 2],
    seed: u64,
}

impl Replicas {
    /// The replicas that the knobs describe.
    ///
    /// # Errors
    /// None: the modes are constants.
    pub(crate) fn of(knobs: &Settings, seed: u64) -> anyhow::Result<Self> {
        let mode = |[mean, deviation]: [f64; 2]| Distribution::normal(mean, deviation);
        Ok(Self {
            modes: [mode(TYPICAL)?, mode(SLOW)?],
            slow: knobs.float("slow-share"),
            shared: knobs.float("shared"),
            up: [knobs.float("up"), knobs.float("site-up")],
            seed,
        })
    }

    /// The same replicas without their slow mode.
    pub(crate) fn never_slow(&self) -> Self {
        Self { slow: 0.0, ..self.clone() }
    }

    /// How long a replica takes for an operation, in nanoseconds; `None` if it is down.
    pub(crate) fn answer(&self, operation: u64, replica: u64) -> Option<f64> {
        let draw = |path: &[u64]| seed::uniform(self.seed, path);
        let [up, site_up] = self.up;
        let is_up = draw(&[UP, operation, replica]) < up && draw(&[SITE, operation]) < site_up;
        let mode = if draw(&[SHARES, operation]) < self.shared {
            draw(&[MODE, operation])
        } else {
            draw(&[MODE, operation, replica])
        };
        let mode = &self.modes[usize::from(mode < self.slow)];
        is_up.then(|| mode.at(draw(&[TIME, operation, replica])))
    }

    /// The probability that one answer takes longer than `ns`, if the replica is up.
    pub(crate) fn is_late(&self, ns: f64) -> f64 {
        let [typical, slow] = self.late_modes(ns);
        (1.0 - self.slow) * typical + self.slow * slow
    }

    /// The probability that the `k`-th of `n` answers takes longer than `ns`, if all replicas are
    /// up.
    pub(crate) fn kth_is_late(&self, ns: f64, k: u64, n: u64) -> f64 {
        let kth = |late: f64| kth_is_late(late, k as u32, n as u32);
        let [typical, slow] = self.late_modes(ns).map(kth);
        let together = (1.0 - self.slow) * typical + self.slow * slow;
        self.shared * together + (1.0 - self.shared) * kth(self.is_late(ns))
    }

    /// The mean of an answer in nanoseconds.
    pub(crate) fn mean(&self) -> f64 {
        self.moment(Distribution::mean)
    }

    /// The variance of an answer over that of a typical one; the same for a chain, which multiplies
    /// both by its length.
    pub(crate) fn variance_ratio(&self) -> f64 {
        let mean = self.mean();
        (self.moment(Distribution::second_moment) - mean * mean) / (TYPICAL[1] * TYPICAL[1])
    }

    fn moment(&self, of: fn(&Distribution) -> f64) -> f64 {
        (1.0 - self.slow) * of(&self.modes[0]) + self.slow * of(&self.modes[1])
    }

    fn late_modes(&self, ns: f64) -> [f64; 2] {
        [&self.modes[0], &self.modes[1]].map(|mode| mode.longer_than(ns))
    }
}

/// The `k`-th of these answers; `None` if there are fewer.
pub(crate) fn kth(k: u64, answers: impl Iterator<Item = f64>) -> Option<f64> {
    let mut answers: Vec<f64> = answers.collect();
    answers.sort_unstable_by(f64::total_cmp);
    answers.get((k as usize).checked_sub(1)?).copied()
}
