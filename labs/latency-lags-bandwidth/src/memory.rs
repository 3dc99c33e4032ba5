//! Chasing pointers through memory: in order, at random, and several chases at the same time.

use std::hint::black_box;

use lab_kit::Ctx;
use lab_kit::memory::has_room;
use lab_kit::rows::{Row, measure};
use lab_kit::seed::Generator;
use rand::RngExt as _;

/// A cache line that says which one is next.
#[repr(align(64))]
struct Line(u32);

/// Steps of a chase in a turn, which takes up to some tens of milliseconds.
const STEPS: usize = 100_000;
/// What random numbers are drawn for.
const ORDER: u64 = 1;

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let bytes = ctx.int("memory-kib") << 10;
    if !has_room(ctx, 2 * bytes)? {
        return Ok(());
    }
    let lines = bytes as usize / size_of::<Line>();
    let at_a_time = ctx.text("chases") == "interleaved";
    let in_order: Vec<Line> = (1..=lines).map(|next| Line((next % lines) as u32)).collect();
    let at_random = one_cycle(lines, ctx.rng(&[ORDER]));
    measure(
        ctx,
        vec![
            row::<1>("in_order", &in_order, at_a_time),
            row::<1>("chases_1", &at_random, at_a_time),
            row::<2>("chases_2", &at_random, at_a_time),
            row::<4>("chases_4", &at_random, at_a_time),
            row::<8>("chases_8", &at_random, at_a_time),
        ],
    )
}

/// Lines in one cycle, random among all such cycles (Sattolo 1986).
fn one_cycle(lines: usize, mut rng: Generator) -> Vec<Line> {
    let mut cycle: Vec<Line> = (0..lines).map(|line| Line(line as u32)).collect();
    for line in (1..lines).rev() {
        cycle.swap(line, rng.random_range(0..line));
    }
    cycle
}

/// `K` chases that begin apart, and continue with each turn.
fn row<'a, const K: usize>(name: &'static str, memory: &'a [Line], at_a_time: bool) -> Row<'a> {
    let mut at: [u32; K] = std::array::from_fn(|chase| (chase * memory.len() / K) as u32);
    Row::new(name, size_of::<Line>(), (K * STEPS) as u64, move || {
        if at_a_time {
            at = chase(memory, at);
        } else {
            at = at.map(|at| chase(memory, [at])[0]);
        }
        black_box(at);
        Ok(())
    })
}

/// Takes a step of each chase in turn: none waits for another's line.
#[inline(never)]
fn chase<const K: usize>(memory: &[Line], mut at: [u32; K]) -> [u32; K] {
    for _ in 0..STEPS {
        for at in &mut at {
            *at = memory[*at as usize].0;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chase_at_random_meets_every_line_once() {
        for lines in [1, 2, 1_000] {
            let cycle = one_cycle(lines, lab_kit::seed::rng(1, &[]));
            let (mut at, mut met) = (0, vec![false; lines]);
            for _ in 0..lines {
                at = cycle[at].0 as usize;
                assert!(!std::mem::replace(&mut met[at], true), "line {at} of {lines} twice");
            }
            assert_eq!(at, 0);
        }
    }
}
