//! A thread's own bookkeeping of its time: what it did, in which function, and for how long.
//!
//! Time on a CPU and time in a run queue come from the kernel. Time blocked is added up call by
//! call, so that the three can be compared with the wall clock: a wait that no call accounts for
//! shows as a gap.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use lab_kit::Ctx;
use lab_kit::thread::{ThreadClock, ThreadTime, Usage};

use crate::stack::Stack;

/// The states of thread state analysis, without paging, which a machine without swap does not have.
/// *Runnable* has no calls: any thread may become runnable anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum State {
    Executing,
    Runnable,
    /// Waits for a timer, a disk or a peer.
    Sleeping,
    Lock,
    /// Waits for work.
    Idle,
}

/// A thread keeps it of its own time, from [`Diary::begin`] to [`Diary::end`].
pub(crate) struct Diary {
    clock: ThreadClock,
    from: ThreadTime,
    from_usage: Usage,
    last: [ThreadTime; 2],
    pages: HashMap<(State, Stack), Spent>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    time: ThreadTime,
    blocked: Duration,
    times: u64,
}

/// The totals of a thread's time.
#[derive(Debug, Clone)]
pub(crate) struct ThreadTotals {
    pub(crate) thread: String,
    pub(crate) total: ThreadTime,
    pub(crate) usage: Usage,
    pub(crate) entries: Vec<Entry>,
}

/// What was spent in calls from one place.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) state: State,
    pub(crate) stack: Stack,
    pub(crate) time: ThreadTime,
    pub(crate) blocked: Duration,
    pub(crate) times: u64,
}

impl Diary {
    /// # Errors
    /// This machine does not report where a thread's time goes.
    pub(crate) fn begin() -> anyhow::Result<Self> {
        let clock = ThreadClock::here()?;
        let (from, from_usage) = (clock.now(), Usage::here());
        Ok(Self { clock, from, from_usage, last: [from; 2], pages: HashMap::new() })
    }

    /// Makes a call that may block, and notes how long it did.
    #[inline(never)]
    pub(crate) fn block<T>(&mut self, state: State, call: impl FnOnce() -> T) -> T {
        self.note(state, call)
    }

    /// Does some work, and notes what it took.
    #[inline(never)]
    pub(crate) fn work<T>(&mut self, call: impl FnOnce() -> T) -> T {
        self.note(State::Executing, call)
    }

    fn note<T>(&mut self, state: State, call: impl FnOnce() -> T) -> T {
        // Once for each call: it stays the same for as long as the call blocks.
        let stack = Stack::here();
        let from = self.clock.now();
        let returned = call();
        self.last = [from, self.clock.now()];
        let time = self.last[1] - from;
        let page = self.pages.entry((state, stack)).or_default();
        page.time += time;
        page.times += 1;
        // Work that only computes cannot block; were it to, it would be missing from the sum.
        page.blocked += if state == State::Executing { Duration::ZERO } else { time.blocked() };
        returned
    }

    /// What the clocks showed before and after the last call.
    pub(crate) fn last(&self) -> [ThreadTime; 2] {
        self.last
    }

    /// Time spent so far.
    pub(crate) fn so_far(&self) -> ThreadTime {
        self.clock.now() - self.from
    }

    /// Ends the diary and returns the totals.
    ///
    /// # Errors
    /// As [`Diary::begin`].
    pub(crate) fn end(self) -> anyhow::Result<ThreadTotals> {
        let total = self.so_far();
        let usage = Usage::here() - self.from_usage;
        let entry = |((state, stack), spent): ((State, Stack), Spent)| {
            let Spent { time, blocked, times } = spent;
            Entry { state, stack, time, blocked, times }
        };
        Ok(ThreadTotals {
            thread: std::thread::current().name().unwrap_or("unnamed").to_owned(),
            total,
            usage,
            entries: self.pages.into_iter().map(entry).collect(),
        })
    }
}

impl ThreadTotals {
    /// Off the CPU and not in a run queue, as the thread added it up.
    pub(crate) fn blocked(&self) -> Duration {
        self.entries.iter().map(|entry| entry.blocked).sum()
    }

    /// How far running, waiting and blocked together are from the wall clock, as a share of it.
    pub(crate) fn gap(&self) -> f64 {
        let sum = self.total.ran + self.total.waited + self.blocked();
        (sum.as_secs_f64() / self.total.wall.as_secs_f64() - 1.0).abs()
    }

    /// The share of the thread's time in a state.
    pub(crate) fn share(&self, state: State) -> f64 {
        let time = match state {
            State::Executing => self.total.ran,
            State::Runnable => self.total.waited,
            blocked => {
                let of_state = self.entries.iter().filter(|entry| entry.state == blocked);
                of_state.map(|entry| entry.blocked).sum()
            }
        };
        time.as_secs_f64() / self.total.wall.as_secs_f64()
    }

    /// The share of time blocked in functions whose names end in this, of all time except waits for
    /// a CPU, which depend on other programs.
    pub(crate) fn blocked_in(&self, leaf: &str) -> f64 {
        let here = self.entries.iter().filter(|entry| entry.stack.folded().ends_with(leaf));
        let here: Duration = here.map(|entry| entry.blocked).sum();
        here.as_secs_f64() / (self.total.wall - self.total.waited).as_secs_f64()
    }
}

/// Folded stacks in microseconds of off-CPU time: each blocked call, and each wait in a run queue
/// under the function that it interrupted.
pub(crate) fn off_cpu(accounts: &[ThreadTotals]) -> String {
    folded(accounts, |frame| frame != ON_CPU)
}

/// Folded stacks in microseconds of all of the threads' time, on and off the CPU.
pub(crate) fn hot_cold(accounts: &[ThreadTotals]) -> String {
    folded(accounts, |_| true)
}

/// The leaf of what ran.
pub(crate) const ON_CPU: &str = "[on a CPU]";
/// The leaf of what was ready to run.
pub(crate) const RUN_QUEUE: &str = "[run queue]";
/// The leaf of what was neither.
pub(crate) const BLOCKED: &str = "[blocked]";

fn folded(accounts: &[ThreadTotals], wanted: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    let mut line = |thread: &str, stack: &str, leaf: &str, time: Duration| {
        if wanted(leaf) && time.as_micros() > 0 {
            let stack = if stack.is_empty() { String::new() } else { format!("{stack};") };
            writeln!(text, "{thread};{stack}{leaf} {}", time.as_micros())
                .expect("a string takes all");
        }
    };
    for ThreadTotals { thread, total, entries, .. } in accounts {
        let mut noted = ThreadTime::default();
        for entry in entries {
            let stack = entry.stack.folded();
            line(thread, &stack, BLOCKED, entry.blocked);
            line(thread, &stack, RUN_QUEUE, entry.time.waited);
            line(thread, &stack, ON_CPU, entry.time.ran);
            noted += entry.time;
        }
        // Between the calls.
        line(thread, "", RUN_QUEUE, total.waited.saturating_sub(noted.waited));
        line(thread, "", ON_CPU, total.ran.saturating_sub(noted.ran));
    }
    text
}

/// Files the totals of the threads: the worst gap, the widths of the hot/cold graph
/// over the wall clock, and the stacks of both graphs.
///
/// # Errors
/// The trial's directory cannot be written.
pub(crate) fn file(ctx: &mut Ctx, accounts: &[ThreadTotals]) -> anyhow::Result<()> {
    let gap = accounts.iter().map(ThreadTotals::gap).fold(0.0, f64::max);
    ctx.metric("worst_gap", gap, "ratio");
    let hot_cold = hot_cold(accounts);
    let wall: f64 = accounts.iter().map(|account| account.total.wall.as_secs_f64()).sum();
    ctx.metric("widths_over_wall", width_us(&hot_cold) / 1e6 / wall, "ratio");
    ctx.keep("hot-cold.folded", &hot_cold)?;
    ctx.keep("off-cpu.folded", &off_cpu(accounts))
}

fn width_us(folded: &str) -> f64 {
    let counts = folded.lines().filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    counts.sum()
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use lab_kit::thread::{named, run};

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn account(unseen: Duration) -> ThreadTotals {
        let body = move || {
            let mut diary = Diary::begin()?;
            diary.block(State::Sleeping, || sleep(40 * MS));
            sleep(unseen);
            diary.end()
        };
        run(vec![named("sleeper", body)], || ()).unwrap().remove(0)
    }

    #[test]
    fn time_not_in_the_diary_is_a_gap() {
        let whole = account(Duration::ZERO);
        assert!(whole.gap() < 0.1, "{whole:?}");
        assert_eq!(whole.thread, "sleeper");
        assert_eq!((whole.entries.len(), whole.entries[0].times), (1, 1));
        let short = account(40 * MS);
        assert!(short.gap() > 0.2, "{short:?}");
        let widths =
            width_us(&hot_cold(std::slice::from_ref(&whole))) / whole.total.wall.as_micros() as f64;
        assert!((0.9..=1.1).contains(&widths), "{widths}");
        assert!(!off_cpu(&[whole]).contains(ON_CPU));
    }
}
