//! A file that is read once, or again and again, for cachestat.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use lab_kit::Ctx;
use lab_kit::proc::Io;
use lab_kit::scratch::{self, PAGE, forget};

/// Bytes that one call reads.
const PART: usize = 64 * PAGE;

const ON_A_DISK: &str = "--out DIR, on a disk";

/// Reads a file that the cache has nothing of, as it was written past the cache.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (pages, passes) = (ctx.int("cache-mib") * (1 << 20) / PAGE as u64, ctx.int("passes"));
    let forgets = ctx.text("forget") == "each";
    let Some(file) = scratch::file(ctx, pages * PAGE as u64)? else { return Ok(()) };
    let direct = match scratch::past_the_cache(&file) {
        Ok(direct) => direct,
        Err(error) => {
            ctx.unavailable(format!("no writes past the page cache: {error}"), ON_A_DISK);
            return Ok(());
        }
    };
    if scratch::device(&file)?.is_none() {
        ctx.unavailable("the run directory lies on no block device", ON_A_DISK);
        return Ok(());
    }
    scratch::fill(&direct, pages as usize * PAGE)?;
    let (account, ()) = Io::of(|| {
        for _ in 0..passes {
            if forgets {
                forget(&file)?;
            }
            read_all(&file)?;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    let fetched = account.fetched_bytes / PAGE as u64;
    ctx.metric("pages", pages as f64, "count");
    ctx.metric("pages_read", (pages * passes) as f64, "count");
    ctx.proportion("hits", (pages * passes).saturating_sub(fetched), pages * passes);
    Ok(())
}

fn read_all(file: &File) -> std::io::Result<()> {
    let (mut part, mut at) = (vec![0; PART], 0);
    loop {
        match file.read_at(&mut part, at)? {
            0 => return Ok(()),
            read => at += read as u64,
        }
    }
}
