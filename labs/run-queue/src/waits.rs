//! A thread's own list of its waits in a run queue: what a probe would see from outside.
//!
//! The kernel adds up for each thread how long it was ready and had no CPU, and how often it was
//! then given one. Read before and after, the difference is a wait, exact to the nanosecond.

use std::time::Duration;

use lab_kit::proc::{RunQueue, run_queue_of_living};
use lab_kit::thread::{ThreadClock, ThreadTime};
use lab_kit::{Clock, Ctx, Series, Timeline};

/// A thread keeps it of itself, from [`WaitRecorder::begin`] to [`WaitRecorder::end`].
pub(crate) struct WaitRecorder {
    clock: ThreadClock,
    trial: Clock,
    series: Series,
    /// Since the thread began.
    seen: RunQueue,
    from: Option<ThreadTime>,
    warmup: Duration,
    began: Duration,
}

/// The waits of one thread.
pub(crate) struct ThreadWaits {
    /// Of the measured span.
    pub(crate) time: ThreadTime,
    /// Each wait of that span.
    pub(crate) series: Series,
    /// Since the thread began.
    pub(crate) total: RunQueue,
    /// How long it lived.
    pub(crate) lived: Duration,
}

impl WaitRecorder {
    /// # Errors
    /// This kernel keeps no run-queue waits.
    pub(crate) fn begin(timeline: Timeline, trial: Clock) -> anyhow::Result<Self> {
        Ok(Self {
            clock: ThreadClock::here()?,
            trial,
            series: Series::new(timeline),
            seen: RunQueue::default(),
            from: None,
            warmup: timeline.warmup,
            began: trial.now(),
        })
    }

    /// Records what the thread has waited since the last note. Several waits between two notes are
    /// recorded as the same number of their mean: their number and their sum stay exact.
    pub(crate) fn note(&mut self) {
        let now = self.trial.now();
        let waits = self.clock.run_queue();
        let more = waits - self.seen;
        if more.times > 0 {
            let each = more.waited / more.times as u32;
            (0..more.times).for_each(|_| self.series.record(now, each));
            self.seen = waits;
        }
        if self.from.is_none() && now >= self.warmup {
            self.from = Some(self.clock.now());
        }
    }

    /// Ends the recording.
    pub(crate) fn end(mut self) -> ThreadWaits {
        self.note();
        let now = self.clock.now();
        ThreadWaits {
            time: now - self.from.unwrap_or(now),
            series: self.series,
            total: self.seen,
            lived: self.trial.now() - self.began,
        }
    }
}

impl ThreadWaits {
    /// The share of the measured span that it waited.
    pub(crate) fn waiting_share(&self) -> f64 {
        self.time.waited.as_secs_f64() / self.time.wall.as_secs_f64()
    }
}

/// All waits of this process, for a probe that observes it.
pub(crate) struct ProcessWaits {
    /// What the main thread had waited before, mostly before exec.
    from: RunQueue,
}

impl ProcessWaits {
    /// The first thing that a variant does.
    ///
    /// # Errors
    /// This kernel keeps no run-queue waits.
    pub(crate) fn begin() -> anyhow::Result<Self> {
        Ok(Self { from: run_queue_of_living()? })
    }

    /// Files what all threads have waited, given those that have ended: what a probe must find. The
    /// last thing that a variant does.
    ///
    /// # Errors
    /// As [`ProcessWaits::begin`].
    pub(crate) fn file(self, ctx: &mut Ctx, ended: RunQueue) -> anyhow::Result<()> {
        let living = run_queue_of_living()? - self.from;
        ctx.metric("waited_by_living", living.waited.as_secs_f64(), "s");
        ctx.metric("waited_by_ended", ended.waited.as_secs_f64(), "s");
        ctx.metric("waits", (living.times + ended.times) as f64, "count");
        Ok(())
    }
}
