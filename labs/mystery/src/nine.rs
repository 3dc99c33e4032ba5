//! MTH-2, disk: small writes, each of which waits until it is on the disk.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use lab_kit::{Ctx, Diagnosis, Figure, scratch};

use crate::account::{end, lit, note, noted};
use crate::claims::shows;
use crate::has_problem;

/// The mean size of a write in bytes.
const SIZE: &str = "size";
/// The size of the file, and of a record.
const BYTES: u64 = 10 << 20;
const RECORD: usize = 8 << 10;
/// Without its problem, the time from one write to the next.
const CALM: Duration = Duration::from_millis(5);

pub(crate) const DIAGNOSIS: Diagnosis = Diagnosis {
    resource: "disk",
    functions: &["append"],
    ask: "`append` waits until each write is on the disk. How many KiB has a write?",
    of: "KiB",
    count: |e| {
        shows(lit(e, "9")?, "disk")?;
        Ok(Figure::exact(noted(e, "9", SIZE)? / 1024.0, "KiB"))
    },
    tolerance: 0.1,
    because: "`append` writes 8 KiB to a file that was opened with O_SYNC, and waits for the disk \
              each time.",
};

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some(file) = scratch::file_on_disk(ctx, BYTES)? else { return Ok(()) };
    let waits = has_problem(ctx);
    let file = if waits { scratch::synced(&file).context("open a file again")? } else { file };
    let until = end(ctx);
    let (mut writes, mut at, record) = (0, 0, vec![5; RECORD]);
    while Instant::now() < until {
        let begun = Instant::now();
        append(&file, &record, at)?;
        writes += 1;
        at = (at + RECORD as u64) % BYTES;
        // Leaves others half of the disk's time.
        sleep(if waits { begun.elapsed() } else { CALM });
    }
    note(ctx, SIZE, if writes > 0 { RECORD as f64 } else { 0.0 });
    Ok(())
}

#[inline(never)]
fn append(file: &File, record: &[u8], at: u64) -> anyhow::Result<()> {
    file.write_all_at(record, at).context("write a record")
}
