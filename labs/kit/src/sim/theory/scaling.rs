//! The speedup of more processors: Amdahl's law and the universal scalability law.

/// How much faster `n` processors are than one if a share `parallel` of the work can be divided
/// among them and the rest cannot (Amdahl, AFIPS 1967).
pub fn amdahl(parallel: f64, n: f64) -> f64 {
    1.0 / (1.0 - parallel + parallel / n)
}

/// The universal scalability law (Gunther, Guerrilla Capacity Planning, 2007).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usl {
    /// Contention: the share of the work that one processor does while the others wait.
    pub contention: f64,
    /// Coherency: what each pair of processors spends on agreement, as a share of the work.
    pub coherency: f64,
}

impl Usl {
    /// How much faster `n` processors are than one.
    pub fn speedup(&self, n: f64) -> f64 {
        n / (1.0 + self.contention * (n - 1.0) + self.coherency * n * (n - 1.0))
    }

    /// The number of processors beyond which more are slower; infinite without coherency cost.
    pub fn peak(&self) -> f64 {
        ((1.0 - self.contention) / self.coherency).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serial_fraction_bounds_the_speedup() {
        assert!((amdahl(0.95, 20.0) - 10.256).abs() < 1e-3, "{}", amdahl(0.95, 20.0));
        assert!((amdahl(0.95, 1e12) - 20.0).abs() < 1e-6);
        let same = Usl { contention: 0.05, coherency: 0.0 };
        assert!(
            (same.speedup(20.0) - amdahl(0.95, 20.0)).abs() < 1e-12,
            "without coherency cost it is Amdahl's law"
        );
    }

    #[test]
    fn coherency_cost_makes_throughput_fall_beyond_a_peak() {
        let usl = Usl { contention: 0.02, coherency: 0.0005 };
        let peak = usl.peak();
        assert!((peak - 44.27).abs() < 0.01, "{peak}");
        assert!(usl.speedup(peak) > usl.speedup(peak - 1.0));
        assert!(usl.speedup(peak) > usl.speedup(peak + 1.0));
        assert_eq!(usl.speedup(1.0), 1.0);
    }
}
