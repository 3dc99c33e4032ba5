//! Reads past the page cache, each of which is one request to a block device, for biolatency and
//! biosnoop.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use lab_kit::Ctx;
use lab_kit::proc::Io;
use lab_kit::scratch::{self, PAGE, with_aligned};
use lab_kit::thread::{self, named};

/// The name of the thread that reads.
pub(crate) const READER: &str = "reader";

const ON_A_DISK: &str = "CARGO_TARGET_DIR=DIR cargo xtask lab …, on a disk";

/// Reads pages of this program's file, which is on a disk without preparation.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let reads = ctx.int("reads") * ctx.int("times");
    let path = std::env::current_exe().context("find this program")?;
    let opened = match ctx.text("cache") {
        "used" => File::open(&path),
        _ => scratch::open_past_the_cache(&path),
    };
    let file = match opened {
        Ok(file) => file,
        Err(error) => {
            let reason = format!("no reads of {} past the page cache: {error}", path.display());
            ctx.unavailable(reason, ON_A_DISK);
            return Ok(());
        }
    };
    let Some(device) = scratch::device(&file)? else {
        ctx.unavailable(format!("{} lies on no block device", path.display()), ON_A_DISK);
        return Ok(());
    };
    let pages = scratch::pages_on_disk(&file)?;
    ensure!(!pages.is_empty(), "this program is shorter than a page");
    let (timeline, mut series, mut all) = (ctx.timeline(), ctx.series(), Duration::ZERO);
    let read = |page: &mut [u8], at| file.read_exact_at(page, at).context("read a page");
    // On a thread of its own: the process's other reads, such as of its program, have another name.
    let reader = named(READER, || {
        // The first finds out where on the disk the file lies, for which the disk may be asked as
        // well.
        with_aligned(PAGE, |page| read(page, pages[0]))?;
        let before = device.read()?.reads.count;
        let (account, ()) = Io::of(|| {
            with_aligned(PAGE, |page| {
                for at in pages.iter().cycle().take(reads as usize) {
                    let begun = Instant::now();
                    read(page, *at)?;
                    let took = begun.elapsed();
                    series.record(timeline.warmup, took);
                    all += took;
                }
                Ok::<_, anyhow::Error>(())
            })
        })?;
        Ok((account, device.read()?.reads.count - before))
    });
    let (account, of_the_device) = thread::run(vec![reader], || ())?.remove(0);
    ctx.save("read", series)?;
    ctx.metric("reads", reads as f64, "count");
    ctx.metric("requests", (reads + 1) as f64, "count");
    ctx.metric("fetched_pages", account.fetched_bytes as f64 / PAGE as f64, "count");
    ctx.metric("reads_of_the_device", of_the_device as f64, "count");
    ctx.metric("read_time", all.as_nanos() as f64, "ns");
    Ok(())
}
