//! Work of which a part cannot be divided, by one thread and by several.

use std::hint::black_box;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use lab_kit::rows::{Row, measure};
use lab_kit::thread::{meanwhile_on, pin_to};
use lab_kit::{Ctx, cpus, spin};

/// All of the work, on one CPU: long, beside the start of a thread.
const WORK: Duration = Duration::from_millis(100);

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some(cpus) = cpus::take(ctx, ctx.int("threads") as usize, "threads") else {
        return Ok(());
    };
    let steps = spin::steps_for(WORK);
    let serial = (steps as f64 * ctx.float("serial")) as u64;
    let beside = ctx.text("parts") == "beside";
    let by = |name, cpus: Vec<usize>| {
        Row::new(name, 0, 1, move || work(&cpus, serial, steps - serial, beside))
    };
    measure(ctx, vec![by("one_thread", cpus[..1].to_vec()), by("threads", cpus)])
}

/// The serial part on the first of these CPUs, then a share of the rest on each: beside each other,
/// or in turn.
fn work(cpus: &[usize], serial: u64, parallel: u64, beside: bool) -> io::Result<()> {
    let Some((here, others)) = cpus.split_first() else { return Ok(()) };
    let lock = Mutex::new(());
    let share = || {
        let _turn = (!beside).then(|| lock.lock().unwrap_or_else(PoisonError::into_inner));
        black_box(spin::steps(parallel / cpus.len() as u64, 1));
    };
    meanwhile_on(&[*here], || black_box(spin::steps(serial, 2)));
    // A thread that is started by a pinned one would wait for that one's CPU.
    thread::scope(|scope| {
        for cpu in others {
            let share = &share;
            scope.spawn(move || {
                pin_to(*cpu);
                share();
            });
        }
        meanwhile_on(&[*here], share);
    });
    Ok(())
}
