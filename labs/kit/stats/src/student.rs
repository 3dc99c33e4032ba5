//! Student's t distribution: the error of an estimate whose variance is estimated, too.

/// The value that 95 % of a normal distribution lie within.
const NORMAL_95: f64 = 1.959_963_984_540_054;
/// From here on the expansion about the normal distribution is exact to seven digits.
const MANY: usize = 1_000;

/// Student's distribution with whole degrees of freedom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Student {
    /// The degrees of freedom, at least one.
    pub df: usize,
}

impl Student {
    /// The probability of a value at least as far from 0 (Abramowitz & Stegun 26.7.3 and 26.7.4).
    pub fn two_sided(self, t: f64) -> f64 {
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

    /// The value that 95 % lie within: by bisection, for many degrees of freedom by Abramowitz &
    /// Stegun 26.7.5.
    pub fn quantile_95(self) -> f64 {
        if self.df >= MANY {
            let (z, df) = (NORMAL_95, self.df as f64);
            let second = 5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z;
            return z + (z.powi(3) + z) / (4.0 * df) + second / (96.0 * df * df);
        }
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
    fn quantiles_and_chances_are_those_of_the_tables() {
        for (df, quantile) in
            [(1, 12.7062), (2, 4.3027), (3, 3.1824), (10, 2.2281), (16, 2.1199), (26, 2.0555)]
        {
            let found = Student { df }.quantile_95();
            assert!((found - quantile).abs() < 1e-4, "{df}: {found}");
        }
        assert!((Student { df: 5 }.two_sided(2.0) - 0.101_939).abs() < 1e-6);
        assert!((Student { df: 16 }.two_sided(-3.0) - 0.008_479).abs() < 1e-6);
    }

    #[test]
    fn both_methods_for_a_quantile_agree() {
        let [bisected, expanded] = [MANY - 1, MANY].map(|df| Student { df }.quantile_95());
        // scipy.stats.t.ppf(0.975, 1000)
        assert!((expanded - 1.962_339_08).abs() < 1e-6, "{expanded}");
        assert!((0.0..1e-5).contains(&(bisected - expanded)), "{bisected} {expanded}");
    }
}
