//! A thread's own list of its waits in a run queue: what a probe would see from outside.
//!
//! The kernel adds up for each thread how long it was ready and had no CPU, and how often it was
//! then given one. Read before and after, the difference is a wait, exact to the nanosecond.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use lab_kit::thread::{ThreadClock, ThreadTime};
use lab_kit::{Clock, Ctx, Series, Timeline};

/// Kept by a thread of itself, from [`Waits::begin`] to [`Waits::end`].
pub(crate) struct Waits {
    clock: ThreadClock,
    trial: Clock,
    series: Series,
    /// Since the thread began.
    seen: Total,
    from: Option<ThreadTime>,
    warmup: Duration,
    began: Duration,
}

/// Waits of a thread, or of several: how long together, and how many.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Total {
    pub(crate) waited: Duration,
    pub(crate) times: u64,
}

/// What a thread waited, and when.
pub(crate) struct Account {
    /// Of the measured span.
    pub(crate) time: ThreadTime,
    /// Each wait of that span.
    pub(crate) series: Series,
    /// Since the thread began.
    pub(crate) total: Total,
    /// How long it lived.
    pub(crate) lived: Duration,
}

impl Waits {
    /// # Errors
    /// This kernel keeps no run-queue waits.
    pub(crate) fn begin(timeline: Timeline, trial: Clock) -> anyhow::Result<Self> {
        Ok(Self {
            clock: ThreadClock::here()?,
            trial,
            series: Series::new(timeline),
            seen: Total::default(),
            from: None,
            warmup: timeline.warmup,
            began: trial.now(),
        })
    }

    /// Records what the thread has waited since the last note. Several waits between two notes are
    /// recorded as so many of their mean: their number and their sum stay exact.
    pub(crate) fn note(&mut self) {
        let now = self.trial.now();
        let (waited, times) = self.clock.run_queue();
        let more = times - self.seen.times;
        if more > 0 {
            let each = (waited - self.seen.waited) / more as u32;
            (0..more).for_each(|_| self.series.record(now, each));
            self.seen = Total { waited, times };
        }
        if self.from.is_none() && now >= self.warmup {
            self.from = Some(self.clock.now());
        }
    }

    /// Settles the account.
    pub(crate) fn end(mut self) -> Account {
        self.note();
        let now = self.clock.now();
        Account {
            time: now - self.from.unwrap_or(now),
            series: self.series,
            total: self.seen,
            lived: self.trial.now() - self.began,
        }
    }
}

impl Account {
    /// What it waited, of the span.
    pub(crate) fn waiting_share(&self) -> f64 {
        self.time.waited.as_secs_f64() / self.time.wall.as_secs_f64()
    }
}

impl Total {
    /// Of the threads of this process that are alive now: the main thread's, and the kit's.
    fn of_the_living() -> anyhow::Result<Self> {
        let path = "/proc/self/task";
        let mut sum = Self::default();
        for thread in fs::read_dir(path).context(path)? {
            // A thread may end while its directory is read.
            let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            let mut fields = text.split_whitespace().skip(1).map_while(|field| field.parse().ok());
            let [waited_ns, times] = [fields.next(), fields.next()].map(Option::unwrap_or_default);
            sum = [sum, Self { waited: Duration::from_nanos(waited_ns), times }].into_iter().sum();
        }
        Ok(sum)
    }
}

/// All waits of this process, for a probe that observes it.
pub(crate) struct Whole {
    /// What the main thread had waited before: as another program, most of it.
    from: Total,
}

impl Whole {
    /// The first thing that a variant does.
    ///
    /// # Errors
    /// This kernel keeps no run-queue waits.
    pub(crate) fn begin() -> anyhow::Result<Self> {
        Ok(Self { from: Total::of_the_living()? })
    }

    /// Files what all threads have waited, given those that have ended: what a probe must find. The
    /// last thing that a variant does.
    ///
    /// # Errors
    /// As [`Whole::begin`].
    pub(crate) fn file(self, ctx: &mut Ctx, ended: Total) -> anyhow::Result<()> {
        let living = Total::of_the_living()?;
        // A test's process has threads of others that end meanwhile.
        let living_s = living.waited.saturating_sub(self.from.waited).as_secs_f64();
        let living_times = living.times.saturating_sub(self.from.times);
        ctx.metric("waited_by_living", living_s, "s");
        ctx.metric("waited_by_ended", ended.waited.as_secs_f64(), "s");
        ctx.metric("waits", (living_times + ended.times) as f64, "count");
        Ok(())
    }
}

impl std::iter::Sum for Total {
    fn sum<I: Iterator<Item = Self>>(totals: I) -> Self {
        totals.fold(Self::default(), |sum, more| Self {
            waited: sum.waited + more.waited,
            times: sum.times + more.times,
        })
    }
}
