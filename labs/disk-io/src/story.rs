//! The lab in one sentence: a record in the page cache, and a record on the disk.

use lab_kit::{Evidence, Gap, Next, ShownBy, Story};

use crate::TIME;
use crate::claims::{NO_SYNC, blocked, group_gain};

pub(crate) const STORY: Story = Story {
    finding,
    reads: &["buffered", "fdatasync", "one-by-one", "group"],
    chart: Some(ShownBy::Chart(&TIME, &["buffered", "fdatasync", "direct", "o-sync"])),
    next: Next { set: NO_SYNC, ask: "Nothing is made durable now: how long does a record take?" },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let median_us = |variant| Ok::<f64, Gap>(e.quantile(variant, "write", 0.5)?.value / 1e3);
    let (buffered, durable) = (median_us("buffered")?, median_us("fdatasync")?);
    Ok(format!(
        "A record of 128 B took {buffered:.1} µs into the page cache and {durable:.0} µs to the \
         disk, {:.0} % of it waiting. 16 writers who shared a sync put {:.1} times as many \
         records.",
        100.0 * blocked(e, "fdatasync")?,
        group_gain(e)?.value,
    ))
}
