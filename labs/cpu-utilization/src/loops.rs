//! Loops whose answer is known: some are bound by the CPU, others by memory. `cargo bench -p
//! cpu-utilization --bench loops` times them one by one.

use std::hint::black_box;

use lab_kit::stats::splitmix64;
use rand::{Rng, RngExt as _};

/// A loop: takes the memory, what its last call returned (0 at first), and a number of steps.
pub type Loop = fn(&[Line], u64, u64) -> u64;

/// The loops by name. The first two calibrate, the others are classified.
pub const LOOPS: [(&str, Bound, Loop); 6] = [
    ("compute", Bound::Cpu, compute),
    ("chase", Bound::Memory, chase),
    ("hash", Bound::Cpu, hash),
    ("branches", Bound::Cpu, branches),
    ("table", Bound::Memory, table),
    ("list", Bound::Memory, list),
];

/// Their names.
pub const NAMES: [&str; 6] =
    [LOOPS[0].0, LOOPS[1].0, LOOPS[2].0, LOOPS[3].0, LOOPS[4].0, LOOPS[5].0];

/// What a loop waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Its own instructions.
    Cpu,
    /// Memory that no cache has.
    Memory,
}

/// A cache line, which says which line comes next.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub struct Line {
    next: u64,
}

/// This many bytes of memory in lines, at least two of them. Following `next` visits all lines in
/// random order before it comes back: Sattolo's algorithm makes one cycle of them.
pub fn memory(bytes: usize, rng: &mut impl Rng) -> Vec<Line> {
    let lines = (bytes / size_of::<Line>()).max(2) as u32;
    let mut next: Vec<u32> = (0..lines).collect();
    for last in (1..lines).rev() {
        let other = rng.random_range(0..last);
        next.swap(last as usize, other as usize);
    }
    next.into_iter().map(|next| Line { next: next.into() }).collect()
}

/// Four products in a step, none of which waits for another.
#[inline(never)]
pub fn compute(_: &[Line], from: u64, steps: u64) -> u64 {
    let mut lanes: [u64; 4] = black_box([0, 1, 2, 3].map(|lane| from.wrapping_add(lane)));
    for _ in 0..steps {
        for lane in &mut lanes {
            *lane = lane.wrapping_mul(ODD) ^ 1;
        }
    }
    lanes.into_iter().fold(0, |all, lane| all ^ lane)
}

/// A multiplier with its bits well mixed.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A line in a step: which one, says the line before.
#[inline(never)]
pub fn chase(memory: &[Line], from: u64, steps: u64) -> u64 {
    (0..steps).fold(from, |at, _| memory[at as usize].next)
}

/// A number mixed in a step: each is made of the one before.
#[inline(never)]
fn hash(_: &[Line], from: u64, steps: u64) -> u64 {
    (0..steps).fold(from, |number, _| splitmix64(0, number))
}

/// A branch in a step, taken or not at random.
#[inline(never)]
fn branches(_: &[Line], from: u64, steps: u64) -> u64 {
    let (mut number, mut taken) = (from, 0_u64);
    for _ in 0..steps {
        number = number.wrapping_mul(ODD).wrapping_add(1);
        if number >> 63 == 1 {
            // Opaque, so that the branch is not compiled to a conditional move.
            taken = black_box(taken + 1);
        }
    }
    black_box(taken);
    number
}

/// A look-up in a step: the key is made of what the last one found. A key has 64 bits, so that the
/// look-ups do not soon go in a circle that a cache has room for.
#[inline(never)]
fn table(memory: &[Line], from: u64, steps: u64) -> u64 {
    (0..steps).fold(from, |key, _| {
        let hash = splitmix64(0, key);
        let place = (u128::from(hash) * memory.len() as u128) >> 64;
        hash ^ memory[place as usize].next
    })
}

/// An object of two lines in a step: one says which comes next, the other is added up.
#[inline(never)]
fn list(memory: &[Line], from: u64, steps: u64) -> u64 {
    let (mut at, mut sum) = (from as usize, 0_u64);
    for _ in 0..steps {
        sum = sum.wrapping_add(memory[at ^ 1].next);
        at = memory[at].next as usize;
    }
    black_box(sum);
    at as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chase_visits_each_line_once_before_it_comes_back() {
        let memory = memory(64 << 10, &mut lab_kit::seed::rng(1, &[]));
        let mut visited = vec![false; memory.len()];
        let mut at = 0;
        for _ in 0..memory.len() {
            assert!(!std::mem::replace(&mut visited[at as usize], true));
            at = chase(&memory, at, 1);
        }
        assert_eq!((at, memory.len()), (0, 1_024));
    }

    #[test]
    fn a_loop_goes_on_where_it_stopped() {
        let memory = memory(4 << 10, &mut lab_kit::seed::rng(1, &[]));
        for (name, _, run) in LOOPS.into_iter().filter(|(name, ..)| *name != "compute") {
            let twice = run(&memory, run(&memory, 0, 300), 700);
            assert_eq!(twice, run(&memory, 0, 1_000), "{name}");
        }
    }
}
