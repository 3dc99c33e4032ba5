//! A sleeper on a CPU that others want too: how much of its off-CPU time was it blocked?

use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_kit::thread::{self, allowed_cpus, named, pin_to};
use lab_kit::{Ctx, cpus, spin};
use rustix::process::setpriority_process;

use crate::diary::{self, Diary, State, ThreadTotals};

/// How long the sleeper asks to sleep.
const NAP: Duration = Duration::from_millis(10);
const MS: Duration = Duration::from_millis(1);
/// The sleeper has the lowest priority, as background tasks have.
const NICE: i32 = 19;

/// Runs the sleeper among its spinners, all on one CPU.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let until = Instant::now() + ctx.timeline().measure;
    let (cpu, preempted) = (allowed_cpus()[0], ctx.text("give-up") == "preempted");
    let mut threads = vec![named("sleeper", move || {
        pin_to(cpu);
        sleeper(until)
    })];
    threads.extend((1..=ctx.int("spinners")).map(|spinner| {
        named(format!("spinner-{spinner}"), move || {
            pin_to(cpu);
            spinner_until(until, preempted)
        })
    }));
    let watch = cpus::Watch::begin(&[cpu])?;
    let accounts = thread::run(threads, || ())?;
    ctx.metric("others", watch.shares()?.others, "ratio");
    let (sleeper, spinners) = accounts.split_first().expect("the sleeper is the first");
    file_sleeper(ctx, sleeper);
    file_spinners(ctx, spinners);
    diary::file(ctx, &accounts)
}

fn sleeper(until: Instant) -> anyhow::Result<ThreadTotals> {
    let mut diary = Diary::begin()?;
    // Of this thread alone. Without it the sleeper waits less, which its figures show.
    let _ = setpriority_process(Some(rustix::thread::gettid()), NICE);
    while Instant::now() < until {
        fall_asleep(&mut diary);
        diary.work(|| spin::cpu(MS / 10));
    }
    diary.end()
}

#[inline(never)]
fn fall_asleep(diary: &mut Diary) {
    diary.block(State::Sleeping, || sleep(NAP));
    // What follows a call keeps it from becoming a jump, which would leave no frame.
    std::hint::black_box(());
}

/// Spins without end; or sleeps half of the time.
fn spinner_until(until: Instant, preempted: bool) -> anyhow::Result<ThreadTotals> {
    let mut diary = Diary::begin()?;
    while Instant::now() < until {
        diary.work(|| spin::cpu(MS));
        if !preempted {
            diary.block(State::Sleeping, || sleep(MS));
        }
    }
    diary.end()
}

fn file_sleeper(ctx: &mut Ctx, sleeper: &ThreadTotals) {
    let Some(slept) = sleeper.entries.iter().find(|entry| entry.state == State::Sleeping) else {
        return;
    };
    let mean_ns = |time: Duration| time.as_nanos() as f64 / slept.times as f64;
    ctx.metric("off_cpu_mean", mean_ns(slept.time.wall - slept.time.ran), "ns");
    ctx.metric("run_queue_mean", mean_ns(slept.time.waited), "ns");
    ctx.metric("blocked_mean", mean_ns(slept.blocked), "ns");
}

fn file_spinners(ctx: &mut Ctx, spinners: &[ThreadTotals]) {
    let all = spinners.iter().map(|spinner| spinner.usage);
    let (involuntary, all) = all.fold((0, 0), |(involuntary, all), usage| {
        let (left, preempted) = (usage.voluntary, usage.involuntary);
        (involuntary + preempted, all + left + preempted)
    });
    ctx.proportion("involuntary", involuntary, all);
    let sum = |time: fn(&ThreadTotals) -> Duration| spinners.iter().map(time).sum::<Duration>();
    let off = sum(|spinner| spinner.total.wall - spinner.total.ran);
    let left = sum(|spinner| spinner.total.blocked());
    if !off.is_zero() {
        ctx.metric("left_by_the_filter", left.as_secs_f64() / off.as_secs_f64(), "ratio");
    }
}
