//! Threads that want one lock: what it costs alone, how often it is taken by how many threads, and
//! what waiting costs.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use lab_kit::thread::{Usage, cpu_time, meanwhile_on};
use lab_kit::{Ctx, CurveKind, cpus, spin};

use crate::lock::{Calls, Lock};
use crate::model::{self, TAKEN, THREADS};

/// Takes of a lock by one thread alone.
const ALONE: u64 = 100_000;
/// How long a holder sleeps while another thread waits.
const ASLEEP: Duration = Duration::from_millis(5);

/// Critical sections, and the way from one to the next.
#[derive(Debug, Clone, Copy)]
struct Work {
    inside: u64,
    outside: u64,
}

/// What threads did together.
#[derive(Debug, Default, Clone, Copy)]
struct Done {
    taken: u64,
    switches: u64,
    wall: Duration,
}

impl Work {
    fn of([inside, outside]: [Duration; 2]) -> Self {
        Self { inside: spin::steps_for(inside), outside: spin::steps_for(outside) }
    }

    /// Not inlined, like the next, so that a flame graph shows both.
    #[inline(never)]
    fn section(self) {
        black_box(spin::steps(self.inside, 1));
    }

    #[inline(never)]
    fn between(self) {
        black_box(spin::steps(self.outside, 2));
    }

    /// How long a section takes: the shortest of some turns.
    fn measured(self) -> Duration {
        let turn = |_| {
            let begun = Instant::now();
            (0..100).for_each(|_| self.section());
            begun.elapsed() / 100
        };
        (0..20).map(turn).min().unwrap_or_default()
    }
}

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    if !ctx.is_live() {
        return model::run(ctx);
    }
    let Some(cpus) = cpus::take(ctx, ctx.int("cpus") as usize, "cpus") else { return Ok(()) };
    let (kind, own) = (ctx.text("lock").to_owned(), ctx.text("locks") == "own");
    let locks = || (0..if own { 16 } else { 1 }).map(|_| Lock::new(&kind)).collect::<Vec<_>>();
    alone(ctx, &locks()[0]);
    let work = Work::of([ctx.duration("section"), ctx.duration("outside")]);
    let span = ctx.timeline().span() / THREADS.len() as u32;
    let (mut points, mut crowd) = (Vec::new(), Done::default());
    for threads in THREADS {
        let section = work.measured().as_secs_f64();
        crowd = meanwhile_on(&cpus, || contend(&locks(), threads, work, span));
        let of_bound = crowd.taken as f64 * section / crowd.wall.as_secs_f64();
        points.push((threads as f64, of_bound));
    }
    ctx.curve(TAKEN, CurveKind::Measured, ["threads", "of 1/section"], points);
    ctx.metric("switches", crowd.switches as f64 / crowd.taken as f64, "switches");
    ctx.metric("wasted", behind_a_sleeper(&locks()[0]), "ratio");
    Ok(())
}

/// A lock that no other thread wants: the time to take and release it, and calls of the kernel.
fn alone(ctx: &mut Ctx, lock: &Lock) {
    let (mut calls, begun) = (Calls::default(), Instant::now());
    (0..ALONE).for_each(|_| lock.hold(&mut calls, || black_box(())));
    ctx.metric("pair", begun.elapsed().as_nanos() as f64 / ALONE as f64, "ns");
    ctx.metric("calls_alone", (calls.waits + calls.wakes) as f64 / ALONE as f64, "calls");
}

/// The given number of threads take a lock again and again; each its own if there are enough locks.
fn contend(locks: &[Lock], threads: usize, work: Work, span: Duration) -> Done {
    let (stop, begun) = (AtomicBool::new(false), Instant::now());
    let thread = |lock: &Lock| {
        let (mut done, mut calls, before) = (Done::default(), Calls::default(), Usage::here());
        while !stop.load(Relaxed) {
            lock.hold(&mut calls, || work.section());
            work.between();
            done.taken += 1;
        }
        let switches = (Usage::here() - before).voluntary;
        Done { switches, ..done }
    };
    scope(|scope| {
        let thread = &thread;
        let start = |lock| scope.spawn(move || thread(lock));
        let started: Vec<_> = locks.iter().cycle().take(threads).map(start).collect();
        sleep(span);
        stop.store(true, Relaxed);
        let mut all = Done::default();
        for thread in started {
            let done = thread.join().expect("it does not panic");
            all.taken += done.taken;
            all.switches += done.switches;
        }
        Done { wall: begun.elapsed(), ..all }
    })
}

/// The CPU time of a thread that waits for a lock, as a share of its wait: the holder sleeps.
fn behind_a_sleeper(lock: &Lock) -> f64 {
    let mut calls = Calls::default();
    scope(|scope| {
        let waiter = lock.hold(&mut calls, || {
            let waiter = scope.spawn(|| {
                let (begun, ran) = (Instant::now(), cpu_time());
                lock.hold(&mut Calls::default(), || ());
                (cpu_time() - ran).as_secs_f64() / begun.elapsed().as_secs_f64()
            });
            sleep(ASLEEP);
            waiter
        });
        waiter.join().expect("it does not panic")
    })
}
