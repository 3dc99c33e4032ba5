//! Threads that each spend most of their time in one state, by which they are recognised.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_kit::thread::{self, allowed_cpus, named, pin_to};
use lab_kit::{Ctx, spin};

use crate::diary::{self, Diary, State, ThreadTotals};

const MS: Duration = Duration::from_millis(1);
/// The number of threads that share one CPU: each of three waits for two thirds of its time.
const SHARERS: u32 = 3;

/// How long the threads live.
#[derive(Clone, Copy)]
struct Life {
    until: Instant,
    /// A sleep in each round that is in no diary.
    unseen: Duration,
}

/// Runs the threads, and counts those whose largest state is the intended one.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let until = Instant::now() + ctx.timeline().measure;
    let life = Life { until, unseen: ctx.duration("unseen") };
    let (lock, (work, inbox)) = (Mutex::new(()), channel());
    let (lock, cpu) = (&lock, allowed_cpus()[0]);
    let mut threads = vec![
        named("executes", move || life.repeat(|diary| diary.work(|| spin::cpu(5 * MS)))),
        named("sleeps", move || {
            life.repeat(|diary| diary.block(State::Sleeping, || sleep(50 * MS)))
        }),
        named("holds", move || life.repeat(|diary| hold_lock(diary, lock))),
        named("locks", move || life.repeat(|diary| contend(diary, lock))),
        named("idles", move || life.repeat(|diary| wait_for_work(diary, &inbox))),
    ];
    threads.extend((1..=SHARERS).map(|sharer| {
        named(format!("shares-{sharer}"), move || {
            pin_to(cpu);
            life.repeat(|diary| diary.work(|| spin::cpu(MS)))
        })
    }));
    let accounts = thread::run(threads, move || hand_out_work(&work, until))?;
    file(ctx, &accounts)
}

impl Life {
    fn repeat(self, mut round: impl FnMut(&mut Diary)) -> anyhow::Result<ThreadTotals> {
        let mut diary = Diary::begin()?;
        while Instant::now() < self.until {
            round(&mut diary);
            if !self.unseen.is_zero() {
                sleep(self.unseen);
            }
        }
        diary.end()
    }
}

/// Four fifths of the time within the lock.
fn hold_lock(diary: &mut Diary, lock: &Mutex<()>) {
    let held = diary.block(State::Lock, || lock.lock());
    diary.block(State::Sleeping, || sleep(40 * MS));
    drop(held);
    diary.block(State::Sleeping, || sleep(10 * MS));
}

/// Asks for the lock soon after its holder has taken it again.
fn contend(diary: &mut Diary, lock: &Mutex<()>) {
    drop(diary.block(State::Lock, || lock.lock()));
    diary.block(State::Sleeping, || sleep(12 * MS));
}

fn wait_for_work(diary: &mut Diary, inbox: &Receiver<()>) {
    // An error means that there will be no more work: the thread's time is over too.
    let _ = diary.block(State::Idle, || inbox.recv());
    diary.work(|| spin::cpu(MS));
}

fn hand_out_work(work: &Sender<()>, until: Instant) {
    while Instant::now() < until {
        sleep(100 * MS);
        // An error means that the receiver has ended.
        let _ = work.send(());
    }
}

fn file(ctx: &mut Ctx, accounts: &[ThreadTotals]) -> anyhow::Result<()> {
    let (mut right, mut of) = (0, 0);
    let mut kept_waiting = 0;
    for account in accounts {
        let state = largest(account);
        ctx.metric(&format!("{}_largest_ratio", account.thread), account.share(state), "ratio");
        let made_for = made_for(&account.thread);
        of += 1;
        right += u64::from(made_for.contains(&state));
        kept_waiting += u64::from(state == State::Runnable && !made_for.contains(&state));
    }
    ctx.proportion("told_apart", right, of);
    ctx.metric("kept_waiting", kept_waiting as f64, "threads");
    diary::file(ctx, accounts)
}

/// The states that a thread may mostly be in. A computing thread may have to wait for a CPU; one
/// that holds a lock sleeps with it.
fn made_for(thread: &str) -> &'static [State] {
    match thread {
        "executes" => &[State::Executing, State::Runnable],
        "sleeps" | "holds" => &[State::Sleeping],
        "locks" => &[State::Lock],
        "idles" => &[State::Idle],
        _shares => &[State::Runnable],
    }
}

fn largest(account: &ThreadTotals) -> State {
    let states = [State::Executing, State::Runnable, State::Sleeping, State::Lock, State::Idle];
    let most = states.into_iter().max_by(|a, b| account.share(*a).total_cmp(&account.share(*b)));
    most.unwrap_or(State::Executing)
}
