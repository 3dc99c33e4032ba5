//! A file that is read twice: what does the second read measure?

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use lab_kit::proc::Io;
use lab_kit::scratch::{self, forget};
use lab_kit::{Clock, Ctx};

/// Bytes of a read.
const PART: usize = 8 << 10;

/// Until the span is over: drops the file from the page cache, reads it, and reads it again.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let bytes = (ctx.int("read-mib") as usize) << 20;
    let forgets = ctx.text("again") == "forgotten";
    let Some(file) = scratch::file_on_disk(ctx, bytes as u64)? else { return Ok(()) };
    let Some(direct) = scratch::try_past_the_cache(ctx, &file) else { return Ok(()) };
    scratch::fill(&direct, bytes)?;
    let (clock, mut passes) = (Clock::live(), [(Io::default(), Duration::ZERO); 2]);
    while clock.now() < ctx.timeline().span() {
        for (again, (account, took)) in passes.iter_mut().enumerate() {
            if again == 0 || forgets {
                forget(&file)?;
            }
            let begun = Instant::now();
            let (more, ()) = Io::of(|| read_all(&file))?;
            *took += begun.elapsed();
            account.read_bytes += more.read_bytes;
            account.fetched_bytes += more.fetched_bytes;
        }
    }
    for ((account, took), name) in passes.into_iter().zip(["first", "second"]) {
        let (read, fetched) = (account.read_bytes, account.fetched_bytes);
        ctx.proportion(&format!("{name}_from_disk"), fetched.min(read), read);
        ctx.metric(&format!("{name}_rate"), read as f64 / took.as_secs_f64() / 1e6, "MB/s");
    }
    Ok(())
}

fn read_all(file: &File) -> io::Result<()> {
    let (mut part, mut at) = (vec![0; PART], 0);
    loop {
        match file.read_at(&mut part, at)? {
            0 => return Ok(()),
            read => at += read as u64,
        }
    }
}
