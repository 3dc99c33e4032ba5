//! The account of a program: the same figures for each, such as `look` and `top` show, too.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use lab_kit::proc::{CpuTicks, Stat, of_cpus, page_bytes, tick};
use lab_kit::thread::allowed_cpus;
use lab_kit::{Ctx, CurveKind, Evidence, Gap};
use lab_look::Moment;

/// The time from one point of a chart to the next.
const STEP: Duration = Duration::from_millis(100);
/// The largest share of the CPUs that a trial leaves to other programs.
const MOST_TIME_OF_OTHERS: f64 = 0.2;
/// The cells of the USE table, by resource, and their metrics.
pub(crate) const RESOURCES: [(&str, &str); 4] = [
    ("CPU", "cells_of_cpu"),
    ("memory", "cells_of_memory"),
    ("disk", "cells_of_disk"),
    ("network", "cells_of_network"),
];
/// Cells that stood out before the program began.
const BEFORE: &str = "cells_before";

/// Runs a program for the measured span, and files its account. The warm-up passes first, in which
/// nothing runs: what stands out then is the work of others.
pub(crate) fn keep(ctx: &mut Ctx, run: fn(&mut Ctx) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let first = Moment::now();
    sleep(ctx.timeline().warmup);
    let before = Moment::now();
    ctx.metric(BEFORE, cells(&first, &before).iter().sum::<f64>(), "count");
    let (from, begun) = (Account::now()?, Instant::now());
    let (over, told) = channel::<()>();
    let (ran, points) = scope(|scope| {
        let points = scope.spawn(move || draw(&told));
        let ran = run(ctx);
        drop(over);
        (ran, points.join().expect("a reader of /proc does not panic"))
    });
    ran?;
    let wall = begun.elapsed();
    let account = Account::now()?.since(&from);
    for ((_, name), lit) in RESOURCES.iter().zip(cells(&before, &Moment::now())) {
        ctx.metric(name, lit, "count");
    }
    account.file(ctx, wall);
    let others = account.others();
    if others > MOST_TIME_OF_OTHERS {
        let percent = 100.0 * others;
        ctx.invalid(format!("others had {percent:.0} % of the CPUs: run it on a quiet machine"));
    }
    let [cpus, resident] = points?;
    ctx.gauge("cpus", "", cpus);
    ctx.gauge("resident", "MiB", resident);
    Ok(())
}

/// When a program that begins now has to end.
pub(crate) fn end(ctx: &Ctx) -> Instant {
    Instant::now() + ctx.timeline().measure
}

/// Files a figure for the checks alone: no chart or table shows it.
pub(crate) fn note(ctx: &mut Ctx, name: &str, value: f64) {
    ctx.curve(name, CurveKind::Measured, ["", ""], vec![(0.0, value)]);
}

/// A figure that a program filed by [`note`]: the mean over its trials.
///
/// # Errors
/// The program did not run, or its trials are invalid.
pub(crate) fn noted(e: &Evidence, program: &str, name: &str) -> Result<f64, Gap> {
    let points = e.curve(program, name)?;
    let value = points.first().map(|(_, figure)| figure.value);
    value.ok_or_else(|| Gap::Unavailable("nothing was noted".into()))
}

/// How many cells of the USE table stand out, by resource in the order of [`RESOURCES`].
///
/// # Errors
/// As [`noted`]; or others kept a resource busy before the program began.
pub(crate) fn lit(e: &Evidence, program: &str) -> Result<[f64; 4], Gap> {
    if e.metric(program, BEFORE)?.value > 0.0 {
        return Err(Gap::Invalid("something else was short before it began".into()));
    }
    let mut lit = [0.0; 4];
    for (lit, (_, name)) in lit.iter_mut().zip(RESOURCES) {
        *lit = e.metric(program, name)?.value;
    }
    Ok(lit)
}

/// The cells that stand out between two moments, by resource.
fn cells(from: &Moment, to: &Moment) -> [f64; 4] {
    let look = lab_look::between(from, to);
    RESOURCES.map(|(name, _)| {
        let cells = look.resources.iter().filter(|found| found.name == name);
        let cells = cells.flat_map(|resource| resource.cells());
        cells.filter(|cell| cell.iter().any(|figure| figure.lit())).count() as f64
    })
}

/// What the kernel counts for this process, for its children that have ended, and for all CPUs.
#[derive(Clone)]
struct Account {
    own: libc::rusage,
    children: libc::rusage,
    ticks: CpuTicks,
    calls: [u64; 4],
}

/// Of /proc/self/io.
const CALLS: [&str; 4] = ["syscr", "rchar", "syscw", "wchar"];

impl Account {
    fn now() -> io::Result<Self> {
        Ok(Self {
            own: usage(libc::RUSAGE_SELF),
            children: usage(libc::RUSAGE_CHILDREN),
            ticks: of_cpus(&allowed_cpus())?,
            calls: calls().unwrap_or_default(),
        })
    }

    fn since(&self, from: &Self) -> Passed {
        let ticks = self.ticks - from.ticks;
        let mut calls = [0.0; 4];
        for (passed, (now, before)) in calls.iter_mut().zip(self.calls.iter().zip(from.calls)) {
            *passed = now.saturating_sub(before) as f64;
        }
        Passed {
            own: since(&self.own, &from.own),
            children: since(&self.children, &from.children),
            all_s: seconds(ticks.total()),
            busy_s: seconds(ticks.busy()),
            calls,
        }
    }
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 * tick().as_secs_f64()
}

/// The difference of two accounts.
struct Passed {
    own: [f64; 6],
    children: [f64; 6],
    all_s: f64,
    busy_s: f64,
    calls: [f64; 4],
}

/// User time and system time in seconds, minor and major faults, switches and preemptions.
fn since(now: &libc::rusage, from: &libc::rusage) -> [f64; 6] {
    let of = |usage: &libc::rusage| {
        let time = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        let counts = [usage.ru_minflt, usage.ru_majflt, usage.ru_nvcsw, usage.ru_nivcsw];
        let [minor, major, switches, preemptions] = counts.map(|count| count as f64);
        [time(usage.ru_utime), time(usage.ru_stime), minor, major, switches, preemptions]
    };
    let (now, from) = (of(now), of(from));
    std::array::from_fn(|at| now[at] - from[at])
}

impl Passed {
    /// The share of the CPUs that neither idled nor ran this program.
    fn others(&self) -> f64 {
        let ours: f64 = [self.own, self.children].iter().map(|usage| usage[0] + usage[1]).sum();
        ((self.busy_s - ours) / self.all_s.max(f64::EPSILON)).clamp(0.0, 1.0)
    }

    fn file(&self, ctx: &mut Ctx, wall: Duration) {
        let [user, system, minor, major, switches, preemptions] = self.own;
        let [children_user, children_system, ..] = self.children;
        let [reads, read, writes, written] = self.calls;
        for (name, value, unit) in [
            ("wall", wall.as_secs_f64(), "s"),
            ("utime", user, "s"),
            ("stime", system, "s"),
            ("cutime", children_user, "s"),
            ("cstime", children_system, "s"),
            ("minor_faults", minor, "count"),
            ("major_faults", major, "count"),
            ("voluntary_switches", switches, "count"),
            ("involuntary_switches", preemptions, "count"),
            ("read_calls", reads, "count"),
            ("read_bytes", read, "bytes"),
            ("write_calls", writes, "count"),
            ("written_bytes", written, "bytes"),
            ("others", self.others(), "ratio"),
        ] {
            ctx.metric(name, value, unit);
        }
    }
}

/// The kernel's account of this process, or of its children that have ended.
pub(crate) fn usage(whose: libc::c_int) -> libc::rusage {
    // SAFETY: the structure is made of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the structure lives until the call returns.
    let done = unsafe { libc::getrusage(whose, &raw mut usage) };
    assert!(done == 0, "getrusage knows no other error than a wrong argument");
    usage
}

/// The calls that read and write, and their bytes; `None` if this kernel does not count them.
fn calls() -> Option<[u64; 4]> {
    let text = std::fs::read_to_string("/proc/self/io").ok()?;
    let value = |name: &str| {
        let mut fields = text.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(key, _)| *key == name)?.1.parse().ok()
    };
    let mut calls = [0; 4];
    for (call, name) in calls.iter_mut().zip(CALLS) {
        *call = value(name)?;
    }
    Some(calls)
}

/// Points of a chart: seconds, and the value then.
type Points = Vec<(f64, f64)>;

/// Until the sender is gone: how many CPUs the program and its children had in each step, and the
/// MiB that were resident at its end.
fn draw(over: &std::sync::mpsc::Receiver<()>) -> io::Result<[Points; 2]> {
    let begun = Instant::now();
    let used = || -> f64 {
        let time = |whose| since(&usage(whose), &NOTHING)[..2].iter().sum::<f64>();
        time(libc::RUSAGE_SELF) + time(libc::RUSAGE_CHILDREN)
    };
    let (mut at, mut before) = (0.0, used());
    let [mut cpus, mut resident] = [Points::new(), Points::new()];
    while over.recv_timeout(STEP) == Err(RecvTimeoutError::Timeout) {
        let (now, ran) = (begun.elapsed().as_secs_f64(), used());
        cpus.push((at, (ran - before) / (now - at)));
        let pages = Stat::of(std::process::id())?.resident_pages;
        resident.push((at, (pages * page_bytes()) as f64 / f64::from(1 << 20)));
        (at, before) = (now, ran);
    }
    Ok([cpus, resident])
}

// SAFETY: the structure is made of integers.
const NOTHING: libc::rusage = unsafe { std::mem::zeroed() };
