//! A law of times given by a few printed points of its survival function S(t) = P(T > t).
//!
//! Below the first point the law is exponential (ln S linear in t), between points it is log-log-linear
//! (ln S linear in ln t), and beyond the last it keeps the slope of the last segment: a power tail.
//! One uniform draw samples it, by [`Law::quantile`].

/// Points (t in ms, S(t)), t rising and S falling, both above zero.
///
/// Beware of the tail: with a last slope above −2 the variance is infinite, and 53 random bits
/// reach far past the last point. Whoever sleeps for a sampled time needs a deadline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Law(pub &'static [(f64, f64)]);

impl Law {
    /// P(T > `t_ms`).
    pub fn survival(&self, t_ms: f64) -> f64 {
        let (t0, s0) = self.0[0];
        if t_ms <= t0 {
            return (s0.ln() * t_ms.max(0.0) / t0).exp();
        }
        let (a, b) = self.segment(|&(t, _)| t < t_ms);
        (a.1.ln() + slope(a, b) * (t_ms / a.0).ln()).exp()
    }

    /// The time in ms that a share `u` of draws stays below, `u` in [0, 1): a uniform draw makes it a sample.
    pub fn quantile(&self, u: f64) -> f64 {
        let s = 1.0 - u;
        let (t0, s0) = self.0[0];
        if s >= s0 {
            return t0 * s.ln() / s0.ln();
        }
        let (a, b) = self.segment(|&(_, knot)| knot > s);
        a.0 * ((s / a.1).ln() / slope(a, b)).exp()
    }

    /// The two points that carry the line through the first place where `before` no longer holds.
    fn segment(&self, before: impl Fn(&(f64, f64)) -> bool) -> ((f64, f64), (f64, f64)) {
        let end = self.0.partition_point(before).clamp(1, self.0.len() - 1);
        (self.0[end - 1], self.0[end])
    }
}

fn slope(a: (f64, f64), b: (f64, f64)) -> f64 {
    (b.1 / a.1).ln() / (b.0 / a.0).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAW: Law = Law(&[(2.0, 0.5), (20.0, 0.05), (200.0, 0.0005)]);

    #[test]
    fn it_passes_through_its_points_and_keeps_its_slopes() {
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
            assert!(
                (LAW.survival(t) / s - 1.0).abs() < 1e-12,
                "S({t}) = {} is not {s}",
                LAW.survival(t)
            );
        }
    }

    #[test]
    fn the_quantile_inverts_the_survival() {
        for i in 0..1000 {
            let u = f64::from(i) / 1000.0;
            assert!((LAW.survival(LAW.quantile(u)) - (1.0 - u)).abs() < 1e-12, "at {u}");
        }
        assert!(LAW.quantile(1.0 - f64::EPSILON / 2.0).is_finite());
    }
}
