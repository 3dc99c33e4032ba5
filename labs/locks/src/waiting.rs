//! A lock whose holder sleeps, and the time until a woken thread runs.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{park, scope, sleep};
use std::time::{Duration, Instant};

use lab_kit::thread::{Usage, meanwhile_on, pin_to};
use lab_kit::{Clock, Ctx};

use crate::cells::two_cpus;

/// Threads that count under a lock and sleep, all at once: once with the lock held, once after it
/// is dropped. Each takes as many sleeps as its metric says.
pub(crate) fn asleep(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (threads, time) = (ctx.int("sleepers"), ctx.duration("sleep"));
    let sleeps = |held: bool| {
        let (count, begun) = (&Mutex::new(0), Instant::now());
        let thread = move || {
            let mut guard = count.lock().unwrap_or_else(PoisonError::into_inner);
            *guard += 1;
            if held {
                sleep(time);
            }
            drop(guard);
            if !held {
                sleep(time);
            }
        };
        scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(thread))));
        begun.elapsed().as_secs_f64() / time.as_secs_f64()
    };
    let (with, without) = (sleeps(ctx.text("guard") == "kept"), sleeps(false));
    ctx.metric("held", with, "sleeps");
    ctx.metric("dropped", without, "sleeps");
    Ok(())
}

/// Time for the waiter to fall asleep again.
const PAUSE: Duration = Duration::from_micros(200);
/// What the bell says at the end.
const END: u64 = u64::MAX;

/// When it was rung, in ns of the trial and never 0; 0 before.
#[derive(Default)]
struct Bell {
    rung: AtomicU64,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Bell {
    fn wait(&self, how: &str) -> u64 {
        let rung = || self.rung.load(SeqCst);
        match how {
            "spinning" => {
                while rung() == 0 {
                    spin_loop();
                }
            }
            "park" => {
                while rung() == 0 {
                    park();
                }
            }
            _ => {
                let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
                drop(self.changed.wait_while(guard, |()| rung() == 0));
            }
        }
        rung()
    }

    fn ring(&self, what: u64, waiter: &std::thread::Thread) {
        {
            let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.rung.store(what, SeqCst);
        }
        self.changed.notify_one();
        waiter.unpark();
    }
}

/// Wakes a thread on another CPU, over and over: the series `wake`, and the waiter's switches.
pub(crate) fn woken(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some([here, there]) = two_cpus(ctx) else { return Ok(()) };
    let (how, bell, clock) = (ctx.text("waiter").to_owned(), Bell::default(), Clock::live());
    let (timeline, mut series) = (ctx.timeline(), ctx.series());
    let (wakes, switches) = scope(|scope| {
        let waiter = scope.spawn(|| {
            pin_to(there);
            let (mut wakes, before) = (0_u64, Usage::here().voluntary);
            loop {
                let rung = bell.wait(&how);
                if rung == END {
                    return (wakes, Usage::here().voluntary - before);
                }
                let (now, rung) = (clock.now(), Duration::from_nanos(rung));
                series.record(rung, now.saturating_sub(rung));
                wakes += 1;
                bell.rung.store(0, SeqCst);
            }
        });
        meanwhile_on(&[here], || {
            while clock.now() < timeline.span() {
                sleep(PAUSE);
                if bell.rung.load(SeqCst) == 0 {
                    bell.ring(clock.now().as_nanos() as u64, waiter.thread());
                }
            }
            while bell.rung.load(SeqCst) != 0 {
                spin_loop();
            }
            bell.ring(END, waiter.thread());
        });
        waiter.join().expect("it does not panic")
    });
    ctx.save("wake", series)?;
    ctx.metric("switches", switches as f64 / wakes.max(1) as f64, "switches");
    Ok(())
}
