//! LAB-4: a process for each of many small works.

use std::collections::BTreeSet;
use std::fs::File;
use std::hint::black_box;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::process;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::scope;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use lab_kit::proc::{Stat, processes};
use lab_kit::{Ctx, Diagnosis, Figure, Gap, scratch};

use crate::account::{end, note, noted};
use crate::{has_problem, part};

/// Processes that were started.
pub(crate) const STARTED: &str = "started";
/// The share of them that a snapshot saw.
pub(crate) const SEEN: &str = "seen";
/// The size of the file.
const BYTES: usize = 10 << 20;
/// Bytes that are read at a time.
const BLOCK: usize = 256 << 10;
/// From one snapshot of all processes to the next.
const SNAPSHOT: Duration = Duration::from_millis(250);

pub(crate) const DIAGNOSIS: Diagnosis = Diagnosis {
    resource: "cpu",
    functions: &["verify", "checksum"],
    ask: "`verify` starts a process for each `checksum`. How many a second?",
    of: "processes",
    count: |e| {
        let started = noted(e, "7", STARTED)?;
        if started < 2.0 {
            return Err(Gap::Invalid("it started no process".into()));
        }
        Ok(Figure::exact(started / e.metric("7", "wall")?.value, "/s"))
    },
    tolerance: 0.25,
    because: "`verify` starts a short process for each `checksum`. The CPU time is in the account \
              of children that have ended (cutime), and in no list of processes.",
};

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some(file) = scratch::file(ctx, BYTES as u64)? else { return Ok(()) };
    file.write_all_at(&vec![9; BYTES], 0).context("write a file to verify")?;
    let (until, starts) = (end(ctx), has_problem(ctx));
    let (over, told) = channel::<()>();
    let (started, seen) = scope(|scope| {
        let seen = scope.spawn(move || watch(&told));
        let started = verify_all(&file, until, starts);
        drop(over);
        (started, seen.join().expect("a reader of /proc does not panic"))
    });
    let started = started?;
    note(ctx, STARTED, started);
    note(ctx, SEEN, seen / started.max(1.0));
    Ok(())
}

/// The number of processes that it started.
fn verify_all(file: &File, until: Instant, starts: bool) -> anyhow::Result<f64> {
    let mut started = 0.0;
    while Instant::now() < until {
        verify(file, starts)?;
        started += f64::from(u8::from(starts));
    }
    Ok(started)
}

#[inline(never)]
fn verify(file: &File, starts: bool) -> anyhow::Result<()> {
    if !starts {
        black_box(checksum(file)?);
        return Ok(());
    }
    let ended = part::run_on("7", "a", file)?;
    ensure!(ended.success(), "a process of program 7 {ended}");
    Ok(())
}

/// One of the processes: the file is its standard input.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn part() -> anyhow::Result<()> {
    let file = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    black_box(checksum(&file)?);
    Ok(())
}

#[inline(never)]
fn checksum(file: &File) -> anyhow::Result<u64> {
    let (mut sum, mut block) = (1_u64, vec![0; BLOCK]);
    for at in (0..BYTES).step_by(BLOCK) {
        file.read_exact_at(&mut block, at as u64).context("read a file to verify")?;
        for word in block.as_chunks::<8>().0 {
            sum = black_box(sum.rotate_left(5) ^ u64::from_le_bytes(*word));
        }
    }
    Ok(sum)
}

/// The number of children that snapshots saw, one each period until the sender is gone.
fn watch(over: &Receiver<()>) -> f64 {
    let mut seen = BTreeSet::new();
    let is_ours = |pid: &u32| Stat::of(*pid).is_ok_and(|stat| stat.parent == process::id());
    while over.recv_timeout(SNAPSHOT) == Err(RecvTimeoutError::Timeout) {
        seen.extend(processes().filter(is_ours));
    }
    seen.len() as f64
}
