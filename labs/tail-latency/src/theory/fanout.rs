//! How the slowness of one leaf becomes the slowness of a root that waits for many.
//!
//! Sources: Dean & Barroso, *The Tail at Scale*, CACM 56(2), 2013; Gil Tene's "how NOT to measure
//! latency" talk for [`all_below_probability`].

/// P(a root that waits for `n` independent leaves is slow) = 1 − (1 − p)^n, with `p` = P(one leaf
/// is slow).
///
/// The paper's figure prints 0.63 for p = 1 %, n = 100 and 0.18 for p = 0.01 %, n = 2,000.
pub fn slow_root_probability(p: f64, n: u32) -> f64 {
    -(f64::from(n) * (-p).ln_1p()).exp_m1()
}

/// P(none of `k` requests exceeds the quantile `q`) = q^k.
///
/// A page of 69 requests has an even chance to stay below its own p99 throughout.
pub fn all_below_probability(q: f64, k: u32) -> f64 {
    q.powf(f64::from(k))
}

/// The leaf survival at which a root that waits for `n` independent leaves has its quantile `q`: 1
/// − q^(1/n).
pub fn leaf_survival_at_root_quantile(q: f64, n: u32) -> f64 {
    -(q.ln() / f64::from(n)).exp_m1()
}

/// Extra requests for each request when a second copy leaves at the quantile `q` of the leaf's
/// time: S(d) = 1 − q.
pub fn hedge_extra_ratio(q: f64) -> f64 {
    1.0 - q
}

/// P(slow root) when every leaf is hedged and a replica shares its twin's slowness with probability
/// `c`: 1 − (1 − p(c + (1 − c)p))^n.
///
/// For a leaf that is either typical or slow, with slow lasting longer than typical plus the hedge
/// delay. At c = 1 hedging buys nothing; at c = 0 the leaf is slow only when both replicas are, p².
pub fn hedged_slow_root_probability(p: f64, n: u32, c: f64) -> f64 {
    slow_root_probability(p * (c + (1.0 - c) * p), n)
}

/// P(a root meets background work) when all leaves do it at the same moment: the duty cycle itself.
pub fn synchronized_background_hit(duty_cycle: f64) -> f64 {
    duty_cycle
}

/// P(a root meets background work) when each of `n` leaves does it at its own moment: 1 − (1 −
/// d)^n.
pub fn spread_background_hit(duty_cycle: f64, n: u32) -> f64 {
    slow_root_probability(duty_cycle, n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, want: f64, within: f64) {
        assert!((got - want).abs() <= within, "{got} is not {want} ± {within}");
    }

    #[test]
    fn fan_out_of_100_gives_the_papers_63_percent() {
        close(slow_root_probability(0.01, 1), 0.01, 1e-15);
        close(slow_root_probability(0.01, 100), 0.633_967_658_726_77, 1e-12);
        close(slow_root_probability(1e-4, 2000), 0.181_277_4, 1e-7);
        close(slow_root_probability(1e-3, 2000), 0.864_8, 5e-5);
        close(slow_root_probability(1e-3, 100), 0.095_2, 5e-5);
    }

    #[test]
    fn a_tiny_probability_is_not_lost_to_rounding() {
        close(slow_root_probability(1e-18, 10) / 1e-17, 1.0, 1e-12);
    }

    #[test]
    fn sixty_nine_requests_see_the_p99_half_the_time() {
        close(all_below_probability(0.99, 69), 0.5, 2e-4);
        close(0.5_f64.ln() / 0.99_f64.ln(), 68.97, 5e-3);
        assert!(all_below_probability(0.99, 68) > 0.5);
    }

    #[test]
    fn the_leaf_of_a_root_quantile_inverts_the_fan_out() {
        for q in [0.5, 0.99, 0.999] {
            close(
                slow_root_probability(leaf_survival_at_root_quantile(q, 100), 100),
                1.0 - q,
                1e-12,
            );
        }
    }

    #[test]
    fn shared_slowness_removes_the_benefit_of_hedging() {
        close(hedge_extra_ratio(0.95), 0.05, 1e-15);
        let slow = |c| hedged_slow_root_probability(0.01, 100, c);
        close(slow(0.0), slow_root_probability(1e-4, 100), 1e-15);
        close(slow(1.0), slow_root_probability(0.01, 100), 1e-15);
        let steps: Vec<f64> = (0..=20).map(|i| slow(f64::from(i) / 20.0)).collect();
        assert!(steps.is_sorted_by(|a, b| a < b), "{steps:?}");
    }

    #[test]
    fn background_work_at_one_moment_hits_one_request_in_a_hundred() {
        close(synchronized_background_hit(0.01), 0.01, 0.0);
        close(spread_background_hit(0.01, 100), 0.634, 5e-4);
    }
}
