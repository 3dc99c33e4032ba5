//! How long things take, and how they differ.

use anyhow::ensure;
use rand::Rng;

use super::normal::standard_normal;
use super::{Knots, Nanos, whole};
use crate::seed;

/// A distribution of times in nanoseconds. One uniform number draws one time.
#[derive(Debug, Clone)]
pub struct Distribution(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Constant(f64),
    Uniform {
        from: f64,
        to: f64,
    },
    Exponential {
        mean: f64,
    },
    LogNormal {
        location: f64,
        sigma: f64,
    },
    Normal {
        mean: f64,
        deviation: f64,
    },
    Pareto {
        scale: f64,
        shape: f64,
    },
    Knots(Knots),
    /// Each part, with the cumulative share of draws up to and including it.
    Mixture(Vec<(f64, Distribution)>),
}

use Kind::{Constant, Exponential, LogNormal, Mixture, Normal, Pareto, Uniform};

impl Distribution {
    /// Always `ns`.
    ///
    /// # Errors
    /// It is negative or not finite.
    pub fn constant(ns: f64) -> anyhow::Result<Self> {
        Self(Constant(ns)).checked()
    }

    /// Uniform from `from` to `to` nanoseconds.
    ///
    /// # Errors
    /// An end is negative, not finite or before the other.
    pub fn uniform(from: f64, to: f64) -> anyhow::Result<Self> {
        ensure!(0.0 <= from && from <= to, "a uniform time from {from} to {to} ns");
        Self(Uniform { from, to }).checked()
    }

    /// Exponential: the remaining time does not depend on the time that has passed.
    ///
    /// # Errors
    /// The mean is negative or not finite.
    pub fn exponential(mean: f64) -> anyhow::Result<Self> {
        Self(Exponential { mean }).checked()
    }

    /// Lognormal: the logarithm is normal with standard deviation `sigma`, which sets the spread:
    /// the standard deviation is `mean · √(exp(sigma²) − 1)`, and the median `mean ·
    /// exp(−sigma²/2)`.
    ///
    /// # Errors
    /// The mean is not above 0, or either is negative or not finite.
    pub fn lognormal(mean: f64, sigma: f64) -> anyhow::Result<Self> {
        ensure!(mean > 0.0 && sigma >= 0.0, "a lognormal time of mean {mean} ns and sigma {sigma}");
        Self(LogNormal { location: libm::log(mean) - sigma * sigma / 2.0, sigma }).checked()
    }

    /// Normal, with negative times replaced by 0. They are so rare that the moments are the normal
    /// distribution's.
    ///
    /// # Errors
    /// The standard deviation is negative or more than a fifth of the mean, or either is not finite.
    pub fn normal(mean: f64, deviation: f64) -> anyhow::Result<Self> {
        let rarely_negative = 0.0 <= deviation && 5.0 * deviation <= mean;
        ensure!(rarely_negative, "a normal time of mean {mean} ns and deviation {deviation} ns");
        Self(Normal { mean, deviation }).checked()
    }

    /// Pareto: never less than `scale`, and longer than `t` with probability `(scale / t)^shape`.
    /// Up to shape 2 the variance is infinite, and means of samples settle slowly or never.
    ///
    /// # Errors
    /// The scale is not above 0, or the mean is infinite: the shape is at most 1.
    pub fn pareto(scale: f64, shape: f64) -> anyhow::Result<Self> {
        ensure!(scale > 0.0 && shape > 0.0, "a Pareto time of scale {scale} ns and shape {shape}");
        Self(Pareto { scale, shape }).checked()
    }

    /// Through the points that a paper or a measurement gives, times in nanoseconds.
    ///
    /// # Errors
    /// The mean is infinite: beyond the last knot the tail is too heavy.
    pub fn through(knots: Knots) -> anyhow::Result<Self> {
        Self(Kind::Knots(knots)).checked()
    }

    /// Each draw comes from one of several weighted distributions: with `[(0.99, fast), (0.01,
    /// slow)]`, one draw in a hundred is slow.
    ///
    /// # Errors
    /// A weight is negative or not finite, or all are 0.
    pub fn mixture(parts: impl IntoIterator<Item = (f64, Self)>) -> anyhow::Result<Self> {
        let mut parts: Vec<(f64, Self)> = parts.into_iter().collect();
        let mut total = 0.0;
        for (weight, _) in &mut parts {
            ensure!(*weight >= 0.0 && weight.is_finite(), "a part of a mixture of weight {weight}");
            total += *weight;
            *weight = total;
        }
        ensure!(total > 0.0, "a mixture of {} parts, which weigh {total}", parts.len());
        parts.iter_mut().for_each(|(upto, _)| *upto /= total);
        Self(Mixture(parts)).checked()
    }

    fn checked(self) -> anyhow::Result<Self> {
        let mean = self.mean();
        ensure!(mean >= 0.0 && mean.is_finite(), "a distribution of mean {mean} ns: {:?}", self.0);
        Ok(self)
    }

    /// The mean in nanoseconds.
    pub fn mean(&self) -> f64 {
        self.moment(1)
    }

    /// The mean of the square, in square nanoseconds; infinite if the variance is.
    pub fn second_moment(&self) -> f64 {
        self.moment(2)
    }

    /// E[T] or E[T²].
    fn moment(&self, order: u32) -> f64 {
        let n = f64::from(order);
        match &self.0 {
            Constant(ns) => ns.powi(order as i32),
            Uniform { from, to } if order == 1 => (from + to) / 2.0,
            Uniform { from, to } => (from * from + from * to + to * to) / 3.0,
            Exponential { mean } => n * mean.powi(order as i32),
            LogNormal { location, sigma } => libm::exp(n * location + n * n * sigma * sigma / 2.0),
            Normal { mean, .. } if order == 1 => *mean,
            Normal { mean, deviation } => mean * mean + deviation * deviation,
            Pareto { shape, .. } if *shape <= n => f64::INFINITY,
            Pareto { scale, shape } => shape / (shape - n) * scale.powi(order as i32),
            Kind::Knots(knots) => knots.moment(order),
            Mixture(parts) => shares(parts).map(|(share, part)| share * part.moment(order)).sum(),
        }
    }

    /// The time in nanoseconds that a uniform number in [0, 1) draws. It grows with the number,
    /// except across the parts of a mixture.
    #[inline]
    pub fn at(&self, uniform: f64) -> f64 {
        match &self.0 {
            Constant(ns) => *ns,
            Uniform { from, to } => from + (to - from) * uniform,
            Exponential { mean } => mean * seed::unit_exponential(uniform),
            LogNormal { location, sigma } => libm::exp(location + sigma * standard_normal(uniform)),
            Normal { mean, deviation } => (mean + deviation * standard_normal(uniform)).max(0.0),
            Pareto { scale, shape } => scale * libm::pow(1.0 - uniform, -1.0 / shape),
            Kind::Knots(knots) => knots.quantile(uniform),
            Mixture(parts) => mixed(parts, uniform),
        }
    }

    /// The probability of a time longer than `ns`.
    pub fn longer_than(&self, ns: f64) -> f64 {
        if let Mixture(parts) = &self.0 {
            return shares(parts).map(|(share, part)| share * part.longer_than(ns)).sum();
        }
        // Times ascend with the uniform number that draws them.
        let (mut within, mut beyond) = (0.0, 1.0);
        for _ in 0..64 {
            let middle = (within + beyond) / 2.0;
            if self.at(middle) > ns { beyond = middle } else { within = middle }
        }
        1.0 - beyond
    }

    /// One time in whole nanoseconds.
    #[inline]
    pub fn draw(&self, rng: &mut impl Rng) -> Nanos {
        whole(self.at(seed::unit(rng.next_u64())))
    }
}

/// Each part, with its own share of draws.
fn shares(parts: &[(f64, Distribution)]) -> impl Iterator<Item = (f64, &Distribution)> {
    let before = std::iter::once(0.0).chain(parts.iter().map(|(upto, _)| *upto));
    before.zip(parts).map(|(from, (upto, part))| (upto - from, part))
}

/// `uniform` chooses the part, and its position within that part's share draws from the part.
fn mixed(parts: &[(f64, Distribution)], uniform: f64) -> f64 {
    let chosen = parts.partition_point(|(upto, _)| *upto <= uniform).min(parts.len() - 1);
    let from = if chosen == 0 { 0.0 } else { parts[chosen - 1].0 };
    let (upto, part) = &parts[chosen];
    // Rounding could make this 1, which draws an infinite time.
    part.at(((uniform - from) / (upto - from)).clamp(0.0, 1.0 - f64::EPSILON))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<(&'static str, Distribution)> {
        let exponential = |mean| Distribution::exponential(mean).unwrap();
        let parts = [(0.9, exponential(1e3)), (0.1, Distribution::constant(2e4).unwrap())];
        let knots = Knots::new(&[(500.0, 0.5), (2e3, 0.05), (8e3, 0.0005)]).unwrap();
        vec![
            ("constant", Distribution::constant(1e3).unwrap()),
            ("uniform", Distribution::uniform(500.0, 1_500.0).unwrap()),
            ("exponential", exponential(1e3)),
            ("lognormal", Distribution::lognormal(1e3, 0.8).unwrap()),
            ("normal", Distribution::normal(1e3, 200.0).unwrap()),
            ("pareto", Distribution::pareto(1e3, 5.0).unwrap()),
            ("knots", Distribution::through(knots).unwrap()),
            ("mixture", Distribution::mixture(parts).unwrap()),
        ]
    }

    #[test]
    fn draws_have_the_moments_that_the_distribution_says() {
        for (name, distribution) in all() {
            let mut rng = seed::rng(1, &[7]);
            let count = 400_000;
            let draws: Vec<f64> = (0..count).map(|_| distribution.draw(&mut rng) as f64).collect();
            let near = |found: Vec<f64>, expected: f64| {
                let n = found.len() as f64;
                let mean = found.iter().sum::<f64>() / n;
                let variance = found.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
                // Allows for rounding to whole nanoseconds.
                let tolerance = 4.0 * (variance / n).sqrt() + 1e-6 * expected;
                let off = (mean - expected).abs();
                assert!(off < tolerance, "{name}: {mean} ± {tolerance}, not {expected}");
            };
            near(draws.clone(), distribution.mean());
            near(draws.iter().map(|ns| ns * ns).collect(), distribution.second_moment());
        }
    }

    #[test]
    fn a_larger_uniform_draw_gives_no_shorter_time() {
        for (name, distribution) in all().into_iter().filter(|(name, _)| *name != "mixture") {
            let times: Vec<f64> = (0..1_000).map(|i| distribution.at(f64::from(i) / 1e3)).collect();
            assert!(times.is_sorted(), "{name}");
            assert!(distribution.at(1.0 - f64::EPSILON / 2.0).is_finite(), "{name}");
        }
    }

    #[test]
    fn the_share_of_longer_draws_is_the_probability() {
        for (name, distribution) in all() {
            for ns in [0.0, 700.0, 1e3, 1_900.0, 1e9] {
                let of = 100_000;
                let draw = |i: u32| distribution.at((f64::from(i) + 0.5) / f64::from(of));
                let longer = (0..of).filter(|i| draw(*i) > ns).count() as f64 / f64::from(of);
                let expected = distribution.longer_than(ns);
                assert!((longer - expected).abs() < 1e-4, "{name} > {ns}: {longer}, {expected}");
            }
        }
        let exponential = Distribution::exponential(1.0).unwrap();
        assert!((exponential.longer_than(3.0) - (-3.0_f64).exp()).abs() < 1e-12);
    }

    #[test]
    fn a_mixture_draws_each_part_by_its_weight() {
        let constant = |ns| Distribution::constant(ns).unwrap();
        let parts = [(3.0, constant(1.0)), (0.0, constant(2.0)), (1.0, constant(3.0))];
        let mixture = Distribution::mixture(parts).unwrap();
        let drawn = |ns: f64| (0..1_000).filter(|i| mixture.at(f64::from(*i) / 1e3) == ns).count();
        assert_eq!([drawn(1.0), drawn(2.0), drawn(3.0)], [750, 0, 250]);
    }

    #[test]
    fn a_mean_that_is_negative_or_infinite_is_refused_with_its_value() {
        for (refused, value) in [
            (Distribution::exponential(-5.0), "-5"),
            (Distribution::exponential(f64::INFINITY), "inf"),
            (Distribution::exponential(f64::NAN), "NaN"),
            (Distribution::constant(-1.0), "-1"),
            (Distribution::uniform(3.0, 2.0), "3 to 2"),
            (Distribution::lognormal(0.0, 1.0), "mean 0"),
            (Distribution::lognormal(1e3, 1e200), "inf"),
            (Distribution::normal(1e3, 201.0), "201"),
            (Distribution::normal(f64::INFINITY, 1.0), "inf"),
            (Distribution::pareto(1e3, 1.0), "inf"),
            (Distribution::pareto(-1e3, 3.0), "-1000"),
            (Distribution::mixture([]), "0 parts"),
            (Distribution::mixture([(-0.5, Distribution::constant(1.0).unwrap())]), "-0.5"),
        ] {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains(value), "{error}");
        }
    }
}
