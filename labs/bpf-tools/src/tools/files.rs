//! ext4slower and fsyncsnoop.

use lab_kit::{Evidence, Figure, Gap, Judged};

use super::{TIMED, count, had_a_cpu, seen};
use crate::rows::Rows;
use crate::rows::Says::First;
use crate::scratch::NAME;

/// Every call that the caller's own clock finds slow, and how slow.
pub(crate) fn ext4slower(e: &Evidence) -> Judged {
    let seen = seen(e, "slow-reads", "ext4slower")?;
    needs_ext4(seen.metric("on_ext4")?)?;
    let table = Rows::of(&seen, "calls")?;
    let ours = table.with(&[("FILE", First(NAME))])?;
    let (slow, wanted) = (seen.metric("slow_calls")?, seen.metric("wanted")?);
    let (time, cpu_time) = (seen.metric("slow_time")?, seen.metric("slow_cpu_time")?);
    if slow >= wanted {
        had_a_cpu(time - cpu_time, time)?;
    }
    let took = Figure::exact(table.sum(&ours, "TOOK")?, "ns");
    count(ours.len())
        .near(slow, seen.metric("doubtful")?)?
        .because("slow calls")?
        .and(Figure::exact(slow, "count").at_least(wanted)?.because("by the caller's clock"))?
        .and(took.near_relative(time, TIMED)?.because("their time"))
}

/// Unavailable where the workload's file was not on ext4.
pub(crate) fn needs_ext4(on_ext4: f64) -> Result<(), Gap> {
    if on_ext4 == 0.0 {
        return Err(Gap::Unavailable("this program does not lie on ext4".into()));
    }
    Ok(())
}

/// Every wait for the disk, and how long.
pub(crate) fn fsyncsnoop(e: &Evidence) -> Judged {
    let seen = seen(e, "syncs", "fsyncsnoop")?;
    let table = Rows::of(&seen, "calls")?;
    let ours = table.with(&[("FILE", First(NAME))])?;
    let took = Figure::exact(table.sum(&ours, "TOOK")?, "ns");
    count(ours.len())
        .near(seen.metric("syncs")?, 0.0)?
        .because("syncs seen")?
        .and(took.near_relative(seen.metric("sync_time")?, TIMED)?.because("their time"))
}
