//! Equal sides on a machine whose speed wanders: how often the whole comparison is regressed.
//!
//! Trials follow one another on a machine with memory (an autoregressive level), sometimes with a
//! drift over the whole comparison, sometimes with a second mode that a trial falls into by chance.

use lab_verdict::method::Method;
use lab_verdict::order::{Side, quad};
use lab_verdict::pair::pair_up;
use lab_verdict::scenario;
use lab_verdict::trial::TrialRecord;
use lab_verdict::verdict::Verdict;
use rand_xoshiro::rand_core::Rng;

use crate::noise::{seeded, trial, uniform};

const COMPARISONS: u32 = 1_600;
const PAIRS: u32 = 24;

/// What the machine does to every trial, in logarithms of its speed.
#[derive(Clone, Copy)]
struct Machine {
    /// How much of its level a trial leaves to the next, and the level's standard deviation.
    memory: f64,
    wander: f64,
    /// The change from the first trial to the last.
    drift: f64,
    /// What three trials in ten are slower by.
    second_mode: f64,
}

const STEADY: Machine = Machine { memory: 0.8, wander: 0.05, drift: 0.0, second_mode: 0.0 };

/// A standard normal (Box and Muller).
fn normal(rng: &mut impl Rng) -> f64 {
    (-2.0 * uniform(rng).ln()).sqrt() * (std::f64::consts::TAU * uniform(rng)).cos()
}

/// The trials of one comparison of equal sides, in the order that a comparison runs them.
fn trials(rng: &mut impl Rng, seed: u64, machine: Machine) -> Vec<TrialRecord> {
    let mut level = machine.wander * normal(rng);
    let turns: Vec<_> = (0..PAIRS / 2).flat_map(|n| quad(seed, n)).collect();
    let mut arrivals = 0.0;
    let mut made = Vec::new();
    for (n, turn) in turns.iter().enumerate() {
        if turn.position % 2 == 0 {
            arrivals = 0.03 * normal(rng);
        }
        let fresh = (1.0 - machine.memory * machine.memory).sqrt();
        level = machine.memory * level + fresh * machine.wander * normal(rng);
        let drift = machine.drift * n as f64 / turns.len() as f64;
        let slow_mode = if uniform(rng) < 0.3 { machine.second_mode } else { 0.0 };
        let own = 0.02 * normal(rng);
        let p50 = 270e3 * (level + drift + arrivals + own + slow_mode).exp();
        let mut slices = [(); 10].map(|()| (p50 * 3.5 * (0.2 * normal(rng)).exp()) as u64);
        let variant = if turn.side == Side::Base { "base" } else { "new" };
        let of = trial(0, variant, [p50 as u64, 0, 0, 0]);
        let slice_p99_ns = slices.to_vec();
        slices.sort_unstable();
        let p99 = slices[6] as f64 * 1.02;
        let p999 = p99 * 1.6 * (0.3 * normal(rng)).abs().exp();
        made.push(TrialRecord {
            trial: n as u64,
            quad: turn.quad,
            position: turn.position,
            seed: turn.seed,
            p99_ns: p99 as u64,
            p999_ns: p999 as u64,
            max_ns: p999 as u64,
            slice_p99_ns,
            ..of
        });
    }
    made
}

/// The number of whole comparisons of equal sides, of `comparisons`, that are regressed.
fn false_alarms(machine: Machine, comparisons: u32) -> u32 {
    let method = Method::default();
    let looks = method.looks(1).unwrap();
    let mut rng = seeded(12);
    let mut falsely = 0;
    for seed in 0..comparisons {
        let (pairs, refused) = pair_up(&trials(&mut rng, seed.into(), machine), "base");
        let judged = scenario::judge("A/A", ("A", "A"), &pairs, &refused, &method, &looks);
        assert_ne!(judged.verdict, None);
        falsely += u32::from(judged.verdict == Some(Verdict::Regressed));
    }
    falsely
}

#[test]
fn equal_sides_are_rarely_regressed_on_a_machine_that_wanders_drifts_or_has_two_modes() {
    let machines = [
        ("wanders", STEADY),
        ("drifts by 30 %", Machine { drift: 0.3, ..STEADY }),
        ("has a long memory", Machine { memory: 0.95, wander: 0.1, ..STEADY }),
        ("has a second mode 20 % slower", Machine { second_mode: 0.2, ..STEADY }),
    ];
    let of_each = machines.map(|(what, machine)| {
        let falsely = false_alarms(machine, COMPARISONS / 4);
        println!("a machine that {what}: {falsely} of {} regressed", COMPARISONS / 4);
        falsely
    });
    let percent = 100.0 * f64::from(of_each.iter().sum::<u32>()) / f64::from(COMPARISONS);
    println!("{percent:.1} % of {COMPARISONS}");
    // What the method promises is 1.3 to 2.6 %; none at all would be a test that sees nothing.
    assert!((1.0..=2.6).contains(&percent), "{percent:.2} %: {of_each:?}");
}
