//! A distribution that is known only at a few printed points.

use std::borrow::Cow;

use anyhow::ensure;

/// Points of the survival function S(t) = P(T > t).
///
/// Below the first point the distribution is exponential (ln S is linear in t); between points ln S
/// is linear in ln t; beyond the last it keeps the slope of the last segment: a power tail. Times
/// are in any one unit.
///
/// Beware of the tail: with a last slope above −2 the variance is infinite, and 53 random bits
/// reach far past the last point. A thread that sleeps for a drawn time needs a deadline.
#[derive(Debug, Clone, PartialEq)]
pub struct Knots(Cow<'static, [(f64, f64)]>);

impl Knots {
    /// Points (t, S(t)).
    ///
    /// # Errors
    /// There are fewer than two points, t does not rise from above 0, or S does not fall from below
    /// 1 to above 0.
    pub fn new(points: &[(f64, f64)]) -> anyhow::Result<Self> {
        ensure!(points.len() > 1, "{} knots: a distribution needs two", points.len());
        for (index, &(t, s)) in points.iter().enumerate() {
            let (t_before, s_before) = if index == 0 { (0.0, 1.0) } else { points[index - 1] };
            ensure!(t > t_before && t.is_finite(), "a knot at {t} after one at {t_before}");
            ensure!(0.0 < s && s < s_before, "a knot with S = {s} after one with {s_before}");
        }
        Ok(Self(Cow::Owned(points.to_vec())))
    }

    /// [`Knots::new`] for constant points, checked at compile time in a constant.
    ///
    /// # Panics
    /// Where [`Knots::new`] refuses.
    pub const fn printed(points: &'static [(f64, f64)]) -> Self {
        assert!(points.len() > 1);
        let mut index = 0;
        let mut before = (0.0, 1.0);
        while index < points.len() {
            let (t, s) = points[index];
            assert!(t > before.0 && t.is_finite() && 0.0 < s && s < before.1);
            before = points[index];
            index += 1;
        }
        Self(Cow::Borrowed(points))
    }

    /// P(T > `t`).
    pub fn survival(&self, t: f64) -> f64 {
        let (t0, s0) = self.0[0];
        if t <= t0 {
            return libm::exp(libm::log(s0) * t.max(0.0) / t0);
        }
        let (a, b) = self.segment(|&(knot, _)| knot < t);
        a.1 * libm::exp(slope(a, b) * libm::log(t / a.0))
    }

    /// The time that a share `u` of draws stays below, with `u` in [0, 1). Given a uniform number,
    /// it is a draw.
    pub fn quantile(&self, u: f64) -> f64 {
        let s = 1.0 - u;
        let (t0, s0) = self.0[0];
        if s >= s0 {
            return t0 * libm::log(s) / libm::log(s0);
        }
        let (a, b) = self.segment(|&(_, knot)| knot > s);
        a.0 * libm::exp(libm::log(s / a.1) / slope(a, b))
    }

    /// The segment that contains, or extends to, the first place where `before` no longer holds.
    fn segment(&self, before: impl Fn(&(f64, f64)) -> bool) -> ((f64, f64), (f64, f64)) {
        let end = self.0.partition_point(before).clamp(1, self.0.len() - 1);
        (self.0[end - 1], self.0[end])
    }

    /// E[Tⁿ] = n ∫ tⁿ⁻¹ S(t) dt, for n of 1 and 2.
    pub(super) fn moment(&self, order: u32) -> f64 {
        let n = f64::from(order);
        let (t0, s0) = self.0[0];
        let rate = -libm::log(s0) / t0;
        let first = match order {
            1 => (1.0 - s0) / rate,
            _ => 2.0 * (1.0 - s0 * (1.0 + rate * t0)) / (rate * rate),
        };
        let last = self.0.len() - 2;
        let segment = |index: usize| {
            let (a, b) = (self.0[index], self.0[index + 1]);
            // n · S_a · a⁻ᵏ ∫ tⁿ⁻¹⁺ᵏ dt
            let (k, until) = (slope(a, b), if index == last { f64::INFINITY } else { b.0 });
            let power = n + k;
            let scale = n * a.1 * a.0.powi(order as i32);
            if until.is_infinite() {
                return if power < 0.0 { -scale / power } else { f64::INFINITY };
            }
            let ratio = libm::log(until / a.0);
            // (eˣ − 1) / x · ratio, which is ratio itself where the power is 0.
            if power == 0.0 { scale * ratio } else { scale * libm::expm1(power * ratio) / power }
        };
        first + (0..=last).map(segment).sum::<f64>()
    }
}

fn slope(a: (f64, f64), b: (f64, f64)) -> f64 {
    libm::log(b.1 / a.1) / libm::log(b.0 / a.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOTS: Knots = Knots::printed(&[(2.0, 0.5), (20.0, 0.05), (200.0, 0.0005)]);

    #[test]
    fn the_survival_passes_through_the_knots_and_keeps_its_slopes() {
        let expect = [
            (0.0, 1.0),
            (1.0, 0.5_f64.sqrt()),
            (2.0, 0.5),
            (4.0, 0.25),
            (20.0, 0.05),
            (40.0, 0.0125),
            (200.0, 5e-4),
            (2000.0, 5e-6),
        ];
        for (t, s) in expect {
            let got = KNOTS.survival(t);
            assert!((got / s - 1.0).abs() < 1e-12, "S({t}) = {got} is not {s}");
        }
    }

    #[test]
    fn the_quantile_inverts_the_survival() {
        for i in 0..1000 {
            let u = f64::from(i) / 1000.0;
            assert!((KNOTS.survival(KNOTS.quantile(u)) - (1.0 - u)).abs() < 1e-12, "at {u}");
        }
        assert!(KNOTS.quantile(1.0 - f64::EPSILON / 2.0).is_finite());
    }

    #[test]
    fn the_mean_is_the_area_under_the_survival() {
        // In steps of 0.1 % up to a million, and beyond it the power tail: S(t) · t.
        let mut area = 0.0;
        let mut t = 1e-6;
        while t < 1e6 {
            let next = t * 1.001;
            area += (next - t) * (KNOTS.survival(t) + KNOTS.survival(next)) / 2.0;
            t = next;
        }
        area += KNOTS.survival(1e6) * 1e6;
        assert!((KNOTS.moment(1) / area - 1.0).abs() < 1e-5, "{} is not {area}", KNOTS.moment(1));
        assert_eq!(KNOTS.moment(2), f64::INFINITY, "the last slope is −2");
    }

    #[test]
    fn knots_out_of_order_are_refused_with_their_values() {
        for (points, value) in [
            (&[(1.0, 0.5)][..], "1 knots"),
            (&[(2.0, 0.5), (1.0, 0.4)], "at 1 after one at 2"),
            (&[(1.0, 0.5), (2.0, 0.5)], "S = 0.5"),
            (&[(1.0, 0.5), (2.0, 0.0)], "S = 0"),
            (&[(1.0, 1.5), (2.0, 0.1)], "S = 1.5"),
        ] {
            let error = Knots::new(points).unwrap_err().to_string();
            assert!(error.contains(value), "{error}");
        }
    }
}
