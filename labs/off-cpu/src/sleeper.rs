//! Two of Gregg's exercises, re-made from what they do: one thread that sleeps a second and spins a
//! hundredth of it, and one that waits for a connection which never comes.

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_kit::thread::{self, named};
use lab_kit::{Ctx, spin};

use crate::diary::{self, Diary, State, ThreadTotals};

/// As published; a short trial sleeps for a fifth of its span instead.
const SLEEP: Duration = Duration::from_secs(1);

/// Sleeps, and spins for a share of it.
pub(crate) fn sleeper(ctx: &mut Ctx) -> anyhow::Result<()> {
    let span = ctx.timeline().measure;
    let nap = SLEEP.min(span / 5);
    let (spins, until) = (nap.mul_f64(ctx.float("spin")), Instant::now() + span);
    let accounts =
        thread::run(vec![named("sleeper", || sleep_and_spin(nap, spins, until))], || ())?;
    ctx.metric("wall", accounts[0].total.wall.as_nanos() as f64, "ns");
    let total = &accounts[0].total;
    // Of its time but what it waited for a CPU: others' work makes that longer, not this.
    let on_cpu = total.ran.as_secs_f64() / (total.wall - total.waited).as_secs_f64();
    ctx.metric("on_cpu", on_cpu, "ratio");
    ctx.metric("in_one_stack", accounts[0].blocked_in("fall_asleep"), "ratio");
    diary::file(ctx, &accounts)
}

fn sleep_and_spin(nap: Duration, spins: Duration, until: Instant) -> anyhow::Result<ThreadTotals> {
    let mut diary = Diary::begin()?;
    while Instant::now() < until {
        fall_asleep(&mut diary, nap);
        diary.work(|| spin::cpu(spins));
    }
    diary.end()
}

#[inline(never)]
fn fall_asleep(diary: &mut Diary, nap: Duration) {
    diary.block(State::Sleeping, || sleep(nap));
    // What follows a call keeps it from becoming a jump, which would leave no frame.
    std::hint::black_box(());
}

/// Waits in accept(), or asks again and again.
pub(crate) fn accept(ctx: &mut Ctx) -> anyhow::Result<()> {
    // Any free port: the published one may be taken.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let polls = ctx.text("accept") == "polling";
    listener.set_nonblocking(polls)?;
    let (address, span, over) =
        (listener.local_addr()?, ctx.timeline().measure, AtomicBool::new(false));
    let threads = vec![named("accepts", || accept_until(&listener, &over))];
    let accounts = thread::run(threads, || {
        sleep(span);
        over.store(true, Relaxed);
        // Ends the wait. If it is refused, the listener is gone and no thread waits.
        let _ = TcpStream::connect(address);
    })?;
    let account = &accounts[0];
    ctx.metric("in_accept", account.blocked_in("wait_for_a_connection"), "ratio");
    ctx.metric("on_cpu", account.share(State::Executing), "ratio");
    diary::file(ctx, &accounts)
}

fn accept_until(listener: &TcpListener, over: &AtomicBool) -> anyhow::Result<ThreadTotals> {
    let mut diary = Diary::begin()?;
    while !over.load(Relaxed) {
        wait_for_a_connection(&mut diary, listener);
    }
    diary.end()
}

#[inline(never)]
fn wait_for_a_connection(diary: &mut Diary, listener: &TcpListener) {
    // An error is the answer of a listener that does not wait.
    let _ = diary.block(State::Idle, || listener.accept());
}
