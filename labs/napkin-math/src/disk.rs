//! Disk operations: blocks read in order and at random, written, and made durable; and a job of
//! several of these.

use std::fs::File;
use std::hint::black_box;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use lab_kit::Ctx;
use lab_kit::rows::{Row, measure};
use lab_kit::scratch::{self, PAGE, forget, with_aligned};
use lab_kit::stats::splitmix64;
use rustix::fs::{Advice, fadvise};

use crate::loops::digest;

/// Bytes that a turn reads in order; they are in the page cache afterwards.
const PASS: u64 = 16 << 20;
/// Blocks in a turn.
const READS: u64 = 100;
const WRITES: u64 = 500;
const SYNCS: u64 = 10;

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let block = (ctx.int("block") as usize).next_multiple_of(PAGE);
    let bytes = (ctx.int("file-mib") as usize) << 20;
    let Some(file) = scratch::file_on_disk(ctx, 2 * bytes as u64)? else { return Ok(()) };
    let Some(log) = scratch::file_on_disk(ctx, bytes as u64)? else { return Ok(()) };
    let Some(past) = scratch::try_past_the_cache(ctx, &file) else { return Ok(()) };
    let log_past = scratch::past_the_cache(&log)?;
    scratch::fill(&past, bytes)?;
    scratch::fill(&log_past, bytes)?;
    let is = |knob, word| ctx.text(knob) == word;
    let ahead = if is("readahead", "on") { Advice::Normal } else { Advice::Random };
    fadvise(&file, 0, None, ahead)?;
    let blocks = Blocks { block, log: (bytes / block) as u64, durable: is("sync", "yes") };
    let (cached, cold) = (0..PASS, PASS..bytes as u64);
    let asked = if is("cold", "yes") { (&past, cold) } else { (&file, cached.clone()) };
    let write_to = if is("cache", "used") { &log } else { &log_past };
    let pass = PASS / block as u64;
    let rows = vec![
        Row::timed("read_sequential", block, pass, || {
            forget(&file)?;
            blocks.timed(pass, |part, i| file.read_exact_at(part, i * block as u64))
        }),
        blocks.at_random("read_cached", &file, cached),
        blocks.at_random("read_random", asked.0, asked.1.clone()),
        Row::new("write", block, WRITES, || {
            blocks.each(WRITES, |part, i| blocks.write(write_to, part, i))
        }),
        Row::timed("write_synced", block, SYNCS, || {
            log.sync_data()?;
            blocks.timed(SYNCS, |part, i| blocks.put(&log, part, i))
        }),
        Row::timed("job", block, SYNCS, || {
            log.sync_data()?;
            blocks.timed(SYNCS, |part, i| {
                asked.0.read_exact_at(part, blocks.place(i, &asked.1))?;
                black_box(digest(part));
                blocks.put(&log, part, i)
            })
        }),
    ];
    measure(ctx, rows)
}

struct Blocks {
    block: usize,
    /// The number of blocks in the log before it starts over.
    log: u64,
    durable: bool,
}

impl Blocks {
    /// Calls `each` `count` times with a block and its number.
    fn each(
        &self,
        count: u64,
        mut each: impl FnMut(&mut [u8], u64) -> io::Result<()>,
    ) -> io::Result<()> {
        with_aligned(self.block, |part| (0..count).try_for_each(|i| each(part, i)))
    }

    fn timed(
        &self,
        count: u64,
        each: impl FnMut(&mut [u8], u64) -> io::Result<()>,
    ) -> io::Result<Duration> {
        let begun = Instant::now();
        self.each(count, each)?;
        Ok(begun.elapsed())
    }

    /// Reads blocks at random places in a range of a file, different ones in each turn.
    fn at_random<'a>(
        &'a self,
        name: &'static str,
        file: &'a File,
        range: std::ops::Range<u64>,
    ) -> Row<'a> {
        let mut from = 0;
        Row::new(name, self.block, READS, move || {
            from += READS;
            self.each(READS, |part, i| file.read_exact_at(part, self.place(from + i, &range)))
        })
    }

    fn place(&self, number: u64, range: &std::ops::Range<u64>) -> u64 {
        let blocks = (range.end - range.start) / self.block as u64;
        range.start + splitmix64(0, number) % blocks * self.block as u64
    }

    fn write(&self, file: &File, part: &[u8], number: u64) -> io::Result<()> {
        file.write_all_at(part, number % self.log * self.block as u64)
    }

    fn put(&self, file: &File, part: &[u8], number: u64) -> io::Result<()> {
        self.write(file, part, number)?;
        if self.durable { file.sync_data() } else { Ok(()) }
    }
}
