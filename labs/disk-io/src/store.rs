//! A store that many threads put records into. One more thread writes the waiting records: one at a
//! time or all together, before they are acknowledged or after.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread::sleep;
use std::time::Duration;

use lab_kit::seed::{Generator, unit_exponential};
use lab_kit::thread::{Named, named, run as on_threads};
use lab_kit::{Clock, Ctx, Series, scratch};
use rand::RngExt as _;

use crate::log::{Disk, Log, RECORD, Waiting};

/// The most records that wait in memory, if they are acknowledged before they are written.
const BUFFER: usize = 1_000;
/// The purpose of the random numbers.
const THINKING: u64 = 0;

/// When a record is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commit {
    /// After a write and a sync of its own.
    Each,
    /// After a write and a sync that it shares with all that waited.
    Group,
    /// At once; it is written later.
    Behind,
}

impl Commit {
    pub(crate) fn of(ctx: &Ctx) -> Self {
        match ctx.text("commit") {
            "each" => Self::Each,
            "group" => Self::Group,
            _ => Self::Behind,
        }
    }

    /// The most records that are written together.
    pub(crate) fn batch(self) -> usize {
        if self == Self::Each { 1 } else { usize::MAX }
    }
}

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let limit = ctx.int("file-mib") << 20;
    let Some(file) = scratch::file_on_disk(ctx, limit)? else { return Ok(()) };
    let (writers, timeline, clock) = (Writers::of(ctx), ctx.timeline(), Clock::live());
    ctx.began(clock);
    let (store, mut series) = (writers.store(), ctx.series());
    let threads = writers.threads(&store, file, limit, clock, |now| now < timeline.span());
    on_threads(threads, || ())?.iter().for_each(|own| series.merge(own));
    let records = series.facts().count as f64;
    ctx.metric("records", records / timeline.measure.as_secs_f64(), "1/s");
    let State { committed, batches, .. } = *store.state();
    ctx.metric("records_a_batch", committed as f64 / batches.max(1) as f64, "records");
    ctx.save("put", series)
}

#[derive(Debug)]
pub(crate) struct Store {
    commit: Commit,
    state: Mutex<State>,
    asked: Condvar,
    written: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Waiting,
    /// The number of records that are written and, if the log syncs, durable.
    committed: u64,
    batches: u64,
    writers: usize,
    failed: bool,
}

impl Store {
    /// The number of records that are acknowledged, or about to be.
    pub(crate) fn acknowledged(&self) -> u64 {
        let state = self.state();
        match self.commit {
            Commit::Behind => state.waiting.numbered.min(state.committed + BUFFER as u64),
            _ => state.committed,
        }
    }

    /// Puts a record, and returns when it is acknowledged.
    fn put(&self) -> io::Result<()> {
        let mut state = self.state();
        let own = state.waiting.add();
        self.asked.notify_one();
        let waits = |state: &mut State| match self.commit {
            _ if state.failed => false,
            Commit::Behind => state.waiting.count() > BUFFER,
            _ => state.committed < own,
        };
        let state = self.written.wait_while(state, waits).expect("no holder of this lock panics");
        if state.failed { Err(io::Error::other("the log cannot be written")) } else { Ok(()) }
    }

    /// Writes the waiting records, until no writer is left.
    fn write<D: Disk>(&self, mut log: Log<D>) -> io::Result<()> {
        loop {
            let idle = |state: &mut State| state.waiting.count() == 0 && state.writers > 0;
            let state = self.asked.wait_while(self.state(), idle);
            let mut state = state.expect("no holder of this lock panics");
            let batch = state.waiting.take(self.commit.batch());
            drop(state);
            if batch.is_empty() {
                return Ok(());
            }
            let written = log.commit(&batch);
            let mut state = self.state();
            state.failed = written.is_err();
            state.committed += (batch.len() / RECORD) as u64;
            state.batches += 1;
            drop(state);
            self.written.notify_all();
            written?;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

/// The threads that put records, and how they do.
pub(crate) struct Writers {
    commit: Commit,
    syncs: bool,
    think: Duration,
    /// The random numbers of each.
    rngs: Vec<Generator>,
    empty: Series,
}

impl Writers {
    pub(crate) fn of(ctx: &Ctx) -> Self {
        Self {
            commit: Commit::of(ctx),
            syncs: ctx.text("sync") != "no",
            think: ctx.duration("think"),
            rngs: (0..ctx.int("writers")).map(|n| ctx.rng(&[THINKING, n])).collect(),
            empty: ctx.series(),
        }
    }

    /// A store for these writers.
    pub(crate) fn store(&self) -> Store {
        let state = State { writers: self.rngs.len(), ..State::default() };
        let (asked, written) = (Condvar::new(), Condvar::new());
        Store { commit: self.commit, state: Mutex::new(state), asked, written }
    }

    /// A thread for each writer, and one that writes a log of at most `limit` bytes. A writer
    /// continues while `goes_on` returns true.
    pub(crate) fn threads<'a, D: Disk + Send + 'a>(
        &self,
        store: &'a Store,
        disk: D,
        limit: u64,
        clock: Clock,
        goes_on: impl Fn(Duration) -> bool + Copy + Send + 'a,
    ) -> Vec<Named<'a, Series>> {
        let writer = |(n, mut rng): (usize, Generator)| {
            let (think, mut series) = (self.think, self.empty.clone());
            named(format!("writer-{n}"), move || {
                let done = loop {
                    sleep(think.mul_f64(unit_exponential(rng.random())));
                    let begun = clock.now();
                    if !goes_on(begun) {
                        break Ok(series);
                    }
                    if let Err(error) = store.put() {
                        break Err(error.into());
                    }
                    series.record(begun, clock.now() - begun);
                };
                store.state().writers -= 1;
                store.asked.notify_one();
                done
            })
        };
        let (log, none) = (Log::new(disk, self.syncs, limit), self.empty.clone());
        let write = named("log", move || Ok(store.write(log).map(|()| none)?));
        self.rngs.iter().cloned().enumerate().map(writer).chain([write]).collect()
    }
}
