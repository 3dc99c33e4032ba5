//! Threads that want one lock, in simulated time. Each has a CPU of its own.

use std::collections::VecDeque;

use lab_kit::sim::{Agenda, Distribution};
use lab_kit::{Ctx, CurveKind};

/// The curve over the number of threads: how often a lock is taken, as a share of what one critical
/// section after the other would give.
pub(crate) const TAKEN: &str = "taken";
pub(crate) const THREADS: [usize; 5] = [1, 2, 4, 8, 16];

enum Event {
    Asks(usize),
    Leaves(usize),
}

#[derive(Default)]
struct Lock {
    held: bool,
    waiting: VecDeque<usize>,
}

/// How often the lock is taken, by the number of threads.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let [section, outside, switch] =
        ["section", "outside", "switch"].map(|knob| ctx.duration(knob).as_nanos() as u64);
    let (in_order, own) = (ctx.text("lock") == "in-order", ctx.text("locks") == "own");
    let span = ctx.timeline().span().as_nanos() as u64 / THREADS.len() as u64;
    let gap = Distribution::exponential(outside.max(1) as f64)?;
    let mut points = Vec::new();
    for threads in THREADS {
        let mut rng = ctx.rng(&[threads as u64]);
        let mut agenda = Agenda::until(span);
        let mut locks: Vec<Lock> = Vec::new();
        locks.resize_with(if own { threads } else { 1 }, Lock::default);
        let mut taken = 0_u64;
        (0..threads).for_each(|thread| agenda.at(gap.draw(&mut rng), Event::Asks(thread)));
        while let Some(event) = agenda.step()? {
            match event {
                Event::Asks(thread) => {
                    let lock = &mut locks[if own { thread } else { 0 }];
                    if lock.held {
                        lock.waiting.push_back(thread);
                    } else {
                        lock.held = true;
                        agenda.after(section, Event::Leaves(thread));
                    }
                }
                Event::Leaves(thread) => {
                    let lock = &mut locks[if own { thread } else { 0 }];
                    taken += 1;
                    agenda.after(gap.draw(&mut rng), Event::Asks(thread));
                    // In order it stays held until the next thread runs and is done; in any order
                    // the waiting thread is only woken to ask again.
                    let next = lock.waiting.pop_front();
                    lock.held = in_order && next.is_some();
                    if let Some(next) = next {
                        let (delay, event) = if in_order {
                            (switch + section, Event::Leaves(next))
                        } else {
                            (switch, Event::Asks(next))
                        };
                        agenda.after(delay, event);
                    }
                }
            }
        }
        points.push((threads as f64, taken as f64 * section as f64 / span as f64));
    }
    ctx.curve(TAKEN, CurveKind::Measured, ["threads", "of 1/section"], points);
    Ok(())
}
