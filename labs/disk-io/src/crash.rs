//! A disk that crashes: what was synced is kept, and the rest is dropped.

use std::io;

use lab_kit::{Ctx, seed::Generator};
use rand::RngExt as _;

use crate::log::{Disk, Log, RECORD, Waiting, recovered};
use crate::store::Commit;

/// The bytes that a disk writes atomically.
const SECTOR: usize = 512;
/// The number of writes and syncs up to the crash. By the third, a record is acknowledged.
const STEPS: std::ops::RangeInclusive<u32> = 3..=200;

/// A disk that keeps what was synced. A crash in a sync keeps a random part of the sectors that it
/// was to write.
#[derive(Debug)]
struct Volatile {
    synced: Vec<u8>,
    written: Vec<(Vec<u8>, usize)>,
    steps_left: u32,
    rng: Generator,
}

impl Volatile {
    fn step(&mut self) -> io::Result<()> {
        self.steps_left -= 1;
        if self.steps_left == 0 { Err(io::Error::other("the power is gone")) } else { Ok(()) }
    }

    fn keep(&mut self, bytes: &[u8], at: usize) {
        let end = at + bytes.len();
        self.synced.resize(self.synced.len().max(end), 0);
        self.synced[at..end].copy_from_slice(bytes);
    }
}

impl Disk for Volatile {
    fn write(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.step()?;
        self.written.push((bytes.to_vec(), at as usize));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let whole = self.step();
        for (bytes, at) in std::mem::take(&mut self.written) {
            for (sector, at) in bytes.chunks(SECTOR).zip((at..).step_by(SECTOR)) {
                if whole.is_ok() || self.rng.random() {
                    self.keep(sector, at);
                }
            }
        }
        whole
    }
}

/// A store that crashed: how many records it had acknowledged, and how many it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crash {
    pub(crate) acknowledged: u64,
    pub(crate) found: u64,
}

fn crash(mut rng: Generator, commit: Commit, syncs: bool, writers: u64) -> Crash {
    let steps_left = rng.random_range(STEPS);
    let disk = Volatile { synced: vec![], written: vec![], steps_left, rng: rng.clone() };
    let mut log = Log::new(disk, syncs, u64::MAX);
    let (mut waiting, mut acknowledged) = (Waiting::default(), 0);
    waiting.add();
    loop {
        let batch = waiting.take(commit.batch());
        // More records come while the batch is written.
        for _ in 0..rng.random_range(1..=writers) {
            waiting.add();
        }
        if commit == Commit::Behind {
            acknowledged = waiting.numbered;
        }
        if log.commit(&batch).is_err() {
            return Crash { acknowledged, found: recovered(&log.disk.synced) };
        }
        if commit != Commit::Behind {
            acknowledged += (batch.len() / RECORD) as u64;
        }
    }
}

/// Simulates crashes at random moments, each of a store that began empty.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (commit, syncs, writers) = (Commit::of(ctx), ctx.text("sync") != "no", ctx.int("writers"));
    let one = |n| crash(ctx.rng(&[n]), commit, syncs, writers);
    let crashes: Vec<Crash> = (0..ctx.int("crashes")).map(one).collect();
    report(ctx, &crashes);
    Ok(())
}

/// Records the share of crashes with missing acknowledged records, and the mean numbers of missing
/// and of acknowledged records.
pub(crate) fn report(ctx: &mut Ctx, crashes: &[Crash]) {
    let missing = |crash: &Crash| crash.acknowledged.saturating_sub(crash.found);
    let lossy = crashes.iter().filter(|crash| missing(crash) > 0).count() as u64;
    let all = crashes.len() as u64;
    ctx.proportion("lossy_crashes", lossy, all);
    ctx.metric("missing", crashes.iter().map(missing).sum::<u64>() as f64 / all as f64, "records");
    let acknowledged: u64 = crashes.iter().map(|crash| crash.acknowledged).sum();
    ctx.metric("acknowledged", acknowledged as f64 / all as f64, "records");
}

#[cfg(test)]
mod tests {
    use lab_kit::seed;

    use super::*;

    fn lossy(commit: Commit, syncs: bool) -> usize {
        let crashes = (0..1_000).map(|n| crash(seed::rng(1, &[n]), commit, syncs, 16));
        crashes.filter(|crash| crash.found < crash.acknowledged).count()
    }

    #[test]
    fn a_crash_drops_what_was_not_synced_and_nothing_else() {
        for commit in [Commit::Each, Commit::Group] {
            assert_eq!(lossy(commit, true), 0, "{commit:?}");
            assert_eq!(lossy(commit, false), 1_000, "{commit:?}, never synced");
        }
        assert_eq!(lossy(Commit::Behind, true), 1_000, "acknowledged before");
    }

    #[test]
    fn some_crashes_leave_a_torn_batch_behind_the_acknowledged_records() {
        let one = |n| crash(seed::rng(1, &[n]), Commit::Group, true, 16);
        let torn = (0..1_000).map(one).filter(|crash| crash.found > crash.acknowledged);
        assert!(torn.count() > 100);
    }
}
