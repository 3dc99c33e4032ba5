//! Student's distribution: how far off a log ratio may be whose error is itself an estimate.

/// Student's distribution with whole degrees of freedom.
pub(super) struct Student {
    pub(super) df: usize,
}

impl Student {
    /// The chance of a value at least as far from 0 (Abramowitz and Stegun 26.7.3 and 26.7.4).
    fn two_sided(&self, t: f64) -> f64 {
        let theta = (t.abs() / (self.df as f64).sqrt()).atan();
        let cos2 = theta.cos().powi(2);
        let odd = self.df % 2 == 1;
        let (mut term, mut sum) = (1.0, 0.0);
        for step in (if odd { 1..self.df } else { 0..self.df }).step_by(2) {
            sum += term;
            term *= cos2 * (step + 1) as f64 / (step + 2) as f64;
        }
        let within = if odd {
            (theta + theta.sin() * theta.cos() * sum) * std::f64::consts::FRAC_2_PI
        } else {
            theta.sin() * sum
        };
        (1.0 - within).max(0.0)
    }

    /// The value that 95 % lie within, by bisection.
    pub(super) fn quantile_95(&self) -> f64 {
        let (mut low, mut high) = (1.9, 13.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if self.two_sided(middle) > 0.05 { low = middle } else { high = middle }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_in_the_tables() {
        for (df, quantile) in
            [(1, 12.7062), (2, 4.3027), (3, 3.1824), (10, 2.2281), (16, 2.1199), (26, 2.0555)]
        {
            let found = Student { df }.quantile_95();
            assert!((found - quantile).abs() < 1e-4, "{df}: {found}");
        }
        assert!((Student { df: 5 }.two_sided(2.0) - 0.101_939).abs() < 1e-6);
        assert!((Student { df: 16 }.two_sided(-3.0) - 0.008_479).abs() < 1e-6);
    }
}
