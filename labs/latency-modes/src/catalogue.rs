//! The synthetic catalogue: distributions of known shape, in microseconds, with the numbers of
//! PerfModels' `da-libsynth.r` (Gregg, 2013).
//!
//! Its types 110, 112 and 113 (bands cut out), 120 and 121 (Poisson) and 1000 onwards (drawn at
//! random) are left out, and those that differ from a neighbour in one figure only. The script takes
//! an exact share of each part; here each value draws its part.

use lab_kit::seed::{unit, unit_normal};
use rand::Rng;

use Part::{Normal, Pareto, Uniform};

/// A distribution in µs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// Of this mean and standard deviation.
    Normal(f64, f64),
    /// From here to there.
    Uniform(f64, f64),
    /// Of this scale and shape.
    Pareto(f64, f64),
}

/// A mixture of parts, each with its share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Its type in the source, from 901 on one of this lab. Each has random numbers of its own.
    pub(crate) number: u32,
    /// The number of its modes; 0 if its density is flat.
    pub(crate) modes: u32,
    /// Whether the last part is its outliers.
    pub(crate) outliers: bool,
    parts: &'static [(f64, Part)],
}

/// A mixture as the knobs turn it, to draw from.
#[derive(Debug)]
pub(crate) struct Mixture(Vec<(f64, Part)>);

const fn plain(number: u32, modes: u32, parts: &'static [(f64, Part)]) -> Shape {
    Shape { number, modes, outliers: false, parts }
}

const fn outlying(number: u32, modes: u32, parts: &'static [(f64, Part)]) -> Shape {
    Shape { number, modes, outliers: true, parts }
}

const AROUND_1000: Part = Normal(1000.0, 200.0);
const LOW: Part = Normal(750.0, 110.0);
const HIGH: Part = Normal(1250.0, 110.0);
const FAR: Part = Uniform(1000.0, 5000.0);

#[rustfmt::skip]
pub(crate) const CATALOGUE: &[Shape] = &[
    plain(0, 0, &[(1.0, Uniform(500.0, 1500.0))]),
    plain(1, 0, &[(1.0, Uniform(0.0, 3000.0))]),
    outlying(2, 0, &[(0.99, Uniform(500.0, 1500.0)), (0.01, Uniform(1500.0, 10_000.0))]),
    plain(100, 1, &[(1.0, Normal(1000.0, 100.0))]),
    plain(101, 1, &[(1.0, AROUND_1000)]),
    plain(102, 1, &[(1.0, Normal(1000.0, 300.0))]),
    plain(103, 1, &[(0.96, AROUND_1000), (0.04, Uniform(1000.0, 2250.0))]),
    plain(130, 1, &[(1.0, Pareto(1000.0, 3.0))]),
    plain(131, 1, &[(1.0, Pareto(1000.0, 10.0))]),
    outlying(140, 1, &[(0.99, AROUND_1000), (0.01, FAR)]),
    outlying(141, 1, &[(0.99, AROUND_1000), (0.01, Uniform(1000.0, 10_000.0))]),
    outlying(142, 1, &[(0.99, AROUND_1000), (0.01, Uniform(1000.0, 50_000.0))]),
    outlying(143, 1, &[(0.98, AROUND_1000), (0.02, FAR)]),
    outlying(144, 1, &[(0.96, AROUND_1000), (0.04, FAR)]),
    outlying(149, 1, &[(0.96, AROUND_1000), (0.04, Uniform(1000.0, 3300.0))]),
    outlying(152, 1, &[(0.96, AROUND_1000), (0.04, Uniform(1000.0, 3900.0))]),
    outlying(153, 1, &[(0.995, AROUND_1000), (0.005, FAR)]),
    outlying(155, 1, &[(0.999, AROUND_1000), (0.001, FAR)]),
    plain(200, 2, &[(0.5, Normal(850.0, 110.0)), (0.5, Normal(1150.0, 110.0))]),
    plain(201, 2, &[(0.5, Normal(825.0, 110.0)), (0.5, Normal(1175.0, 110.0))]),
    plain(202, 2, &[(0.5, LOW), (0.5, HIGH)]),
    plain(203, 2, &[(0.5, Normal(600.0, 110.0)), (0.5, Normal(1400.0, 110.0))]),
    outlying(204, 2, &[(0.495, LOW), (0.495, HIGH), (0.01, FAR)]),
    outlying(206, 2, &[(0.48, LOW), (0.48, HIGH), (0.04, FAR)]),
    plain(210, 2, &[(0.7, LOW), (0.3, HIGH)]),
    plain(211, 2, &[(0.3, LOW), (0.7, HIGH)]),
    plain(300, 3, &[(0.333, Normal(750.0, 90.0)), (0.334, Normal(1000.0, 90.0)), (0.333, Normal(1250.0, 90.0))]),
    plain(301, 3, &[(0.333, Normal(500.0, 100.0)), (0.334, Normal(1000.0, 100.0)), (0.333, Normal(1500.0, 100.0))]),
    plain(302, 3, &[(0.333, Normal(500.0, 65.0)), (0.334, Normal(1000.0, 65.0)), (0.333, Normal(1500.0, 65.0))]),
    plain(304, 3, &[(0.5, Normal(500.0, 100.0)), (0.33, Normal(1000.0, 100.0)), (0.17, Normal(1500.0, 100.0))]),
    plain(400, 4, &[(0.25, Normal(700.0, 75.0)), (0.25, Normal(900.0, 75.0)), (0.25, Normal(1100.0, 75.0)), (0.25, Normal(1300.0, 75.0))]),
    plain(401, 4, &[(0.25, Normal(700.0, 50.0)), (0.25, Normal(900.0, 50.0)), (0.25, Normal(1100.0, 50.0)), (0.25, Normal(1300.0, 50.0))]),
    plain(402, 4, &[(0.25, Normal(400.0, 60.0)), (0.25, Normal(800.0, 60.0)), (0.25, Normal(1200.0, 60.0)), (0.25, Normal(1600.0, 60.0))]),
    outlying(403, 4, &[(0.25, Normal(700.0, 50.0)), (0.25, Normal(900.0, 50.0)), (0.25, Normal(1100.0, 50.0)), (0.24, Normal(1300.0, 50.0)), (0.01, FAR)]),
];

/// The disk of the page on modes, whose histogram has one at 0 to 200 µs and one at 2.2 to 2.4 ms.
/// That they weigh the same, and what lies between, is this lab's choice.
pub(crate) const DISK: Shape = outlying(
    901,
    2,
    &[(0.49, Normal(100.0, 30.0)), (0.49, Normal(2300.0, 30.0)), (0.02, Uniform(200.0, 5000.0))],
);

/// A cache with 70 % of hits, whose misses take 2 to 3 ms.
pub(crate) const CACHE: Shape =
    plain(902, 2, &[(0.7, Normal(100.0, 20.0)), (0.3, Uniform(2000.0, 3000.0))]);

/// The example of the page's `frequencytrail.r`.
pub(crate) const GRAINS: Shape =
    outlying(903, 1, &[(0.999, Normal(1000.0, 100.0)), (0.001, Uniform(2000.0, 10_000.0))]);

/// A type of the catalogue.
///
/// # Panics
/// It is not in the catalogue.
pub(crate) fn of_type(number: u32) -> &'static Shape {
    CATALOGUE.iter().find(|shape| shape.number == number).expect("a type of the catalogue")
}

impl Shape {
    /// The shape as the source has it.
    pub(crate) fn as_published(&self) -> Mixture {
        self.turned(1.0, 1.0)
    }

    /// The shape with `outliers` times its share of outliers, and `apart` times the distances
    /// between its modes.
    pub(crate) fn turned(&self, outliers: f64, apart: f64) -> Mixture {
        let last = self.parts.len() - 1;
        let is_outliers = |i: usize| self.outliers && i == last;
        let bulk: f64 = (0..=last).filter(|i| !is_outliers(*i)).map(|i| self.parts[i].0).sum();
        let centre: f64 = (0..=last)
            .filter(|i| !is_outliers(*i))
            .map(|i| self.parts[i].0 / bulk * self.parts[i].1.moment(1))
            .sum();
        let far = (outliers * (1.0 - bulk)).clamp(0.0, 1.0);
        let turn = |i: usize| {
            let (share, part) = self.parts[i];
            if is_outliers(i) {
                (far, part)
            } else {
                (share / bulk * (1.0 - far), part.moved((apart - 1.0) * (part.moment(1) - centre)))
            }
        };
        Mixture((0..=last).map(turn).collect())
    }
}

impl Mixture {
    /// A value in µs: one number chooses the part, the other draws from it. A normal part may draw
    /// a negative one.
    pub(crate) fn draw(&self, rng: &mut impl Rng) -> f64 {
        let (mut left, own) = (unit(rng.next_u64()), unit(rng.next_u64()));
        for (share, part) in &self.0 {
            if left < *share {
                return part.at(own);
            }
            left -= share;
        }
        self.0[0].1.at(own)
    }

    /// The mean of the values' power of this order, in µs^order.
    fn moment(&self, order: i32) -> f64 {
        self.0.iter().map(|(share, part)| share * part.moment(order)).sum()
    }

    /// The mean.
    pub(crate) fn mean(&self) -> f64 {
        self.moment(1)
    }

    /// The variance, and the fourth central moment, which may be infinite.
    pub(crate) fn spread(&self) -> (f64, f64) {
        let [one, two, three, four] = [1, 2, 3, 4].map(|order| self.moment(order));
        let fourth = four - 4.0 * one * three + 6.0 * one * one * two - 3.0 * one.powi(4);
        (two - one * one, if four.is_finite() { fourth } else { f64::INFINITY })
    }

    /// The share of values from `from` to `to`.
    pub(crate) fn share_between(&self, from: f64, to: f64) -> f64 {
        self.0.iter().map(|(share, part)| share * (part.below(to) - part.below(from))).sum()
    }
}

impl Part {
    fn at(self, uniform: f64) -> f64 {
        match self {
            Normal(mean, deviation) => mean + deviation * unit_normal(uniform),
            Uniform(from, to) => from + (to - from) * uniform,
            Pareto(scale, shape) => scale * libm::pow(1.0 - uniform, -1.0 / shape),
        }
    }

    fn moved(self, by: f64) -> Self {
        match self {
            Normal(mean, deviation) => Normal(mean + by, deviation),
            Uniform(from, to) => Uniform(from + by, to + by),
            Pareto(..) => self,
        }
    }

    /// The mean of a power, from the first to the fourth.
    fn moment(self, order: i32) -> f64 {
        let k = f64::from(order);
        match self {
            Normal(m, s) => match order {
                1 => m,
                2 => m * m + s * s,
                3 => m * (m * m + 3.0 * s * s),
                _ => m.powi(4) + 6.0 * m * m * s * s + 3.0 * s.powi(4),
            },
            Uniform(from, to) => {
                (to.powi(order + 1) - from.powi(order + 1)) / (k + 1.0) / (to - from)
            }
            Pareto(_, shape) if shape <= k => f64::INFINITY,
            Pareto(scale, shape) => shape / (shape - k) * scale.powi(order),
        }
    }

    /// The share of values below `us`.
    fn below(self, us: f64) -> f64 {
        match self {
            Normal(mean, deviation) => 1.0 - above((us - mean) / deviation),
            Uniform(from, to) => ((us - from) / (to - from)).clamp(0.0, 1.0),
            Pareto(scale, _) if us <= scale => 0.0,
            Pareto(scale, shape) => 1.0 - libm::pow(scale / us, shape),
        }
    }
}

/// The probability that a standard normal number is above `z`.
pub(crate) fn above(z: f64) -> f64 {
    libm::erfc(z / std::f64::consts::SQRT_2) / 2.0
}
