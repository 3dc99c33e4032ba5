//! Writes, each made safe on its disk, for fsyncsnoop.

use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use lab_kit::{Ctx, scratch};

/// Writes a byte and waits for it, again and again: by fsync and fdatasync in turn.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (count, waits) = (ctx.int("syncs"), ctx.text("safe") == "yes");
    let Some(file) = scratch::file(ctx, count)? else { return Ok(()) };
    let (timeline, mut series, mut all) = (ctx.timeline(), ctx.series(), Duration::ZERO);
    for turn in 0..count {
        file.write_all_at(b"x", turn)?;
        let begun = Instant::now();
        match (waits, turn % 2) {
            (false, _) => {}
            (true, 0) => file.sync_all()?,
            (true, _) => file.sync_data()?,
        }
        let took = begun.elapsed();
        series.record(timeline.warmup, took);
        all += took;
    }
    ctx.save("sync", series)?;
    ctx.metric("syncs", count as f64, "count");
    ctx.metric("sync_time", all.as_nanos() as f64, "ns");
    Ok(())
}
