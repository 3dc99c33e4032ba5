//! How often both copies of a tied request start if the second leaves a little later than the
//! first.
//!
//! Source: Dean & Barroso, *The Tail at Scale*: cancellation needs one network message, so two idle
//! servers may both start; delay the second copy by two mean message delays.

/// P(both copies start) at two idle servers, the second copy sent `x` mean message delays after the
/// first.
///
/// Every message takes 0.5 to 1.5 of the mean, uniformly and independently. With F the Irwin–Hall
/// distribution of three uniforms this is 1 − F(x + ½) − F(½ − x): the twin's cancellation comes in
/// time at the second server, or else at the first. It is 46/48 = 0.958 at x = 0, exactly ½ at x =
/// 1, and 1/48 at x = 2.
pub fn duplicate_start_probability(x: f64) -> f64 {
    1.0 - irwin_hall_3(x + 0.5) - irwin_hall_3(0.5 - x)
}

/// The same where a message takes an exponential time: with D the difference of the two copies'
/// arrivals, a Laplace variable less `x`, it is P(−C₁ < D < C₂) = ½ (1 + x) e^(−x). At x = 2, 41 %
/// of the rate at 0 is left.
pub fn duplicate_starts_of_exponential_messages(x: f64) -> f64 {
    0.5 * (1.0 + x) * (-x).exp()
}

/// P(the sum of three uniform draws on [0, 1] ≤ `x`) = Σ_k (−1)^k C(3, k) (x − k)₊³ / 6.
fn irwin_hall_3(x: f64) -> f64 {
    let x = x.min(3.0);
    let term = |k: f64| (x - k).max(0.0).powi(3);
    (term(0.0) - 3.0 * term(1.0) + 3.0 * term(2.0)) / 6.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    #[test]
    fn a_delay_of_two_means_leaves_two_percent_of_duplicates() {
        for (x, want) in [(0.0, 46.0 / 48.0), (1.0, 0.5), (2.0, 1.0 / 48.0), (2.5, 0.0), (9.0, 0.0)]
        {
            let got = duplicate_start_probability(x);
            assert!((got - want).abs() < 1e-12, "{got} is not {want} at {x}");
        }
        assert!(duplicate_start_probability(2.0) < 0.1 * duplicate_start_probability(0.0));
    }

    #[test]
    fn the_formula_for_tied_requests_agrees_with_a_simulation() {
        agrees(duplicate_start_probability, |u| 0.5 + u);
        agrees(duplicate_starts_of_exponential_messages, |u| -(-u).ln_1p());
    }

    fn agrees(formula: fn(f64) -> f64, takes: fn(f64) -> f64) {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(15);
        let mut message = || takes(rng.random::<f64>());
        for x in [0.0, 0.25, 0.5, 1.0, 1.5, 2.0] {
            let n = 40_000;
            let both = (0..n)
                .filter(|_| {
                    let (first, second) = (message(), x + message());
                    second < first + message() && first < second + message()
                })
                .count();
            let (want, got) = (formula(x), both as f64 / f64::from(n));
            let three_errors = 3.0 * (want * (1.0 - want) / f64::from(n)).sqrt();
            assert!(
                (got - want).abs() < three_errors,
                "{got} is not {want} ± {three_errors} at {x}"
            );
        }
    }
}
