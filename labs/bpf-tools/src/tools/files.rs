//! ext4slower and fsyncsnoop.

use lab_kit::{Evidence, Figure, Gap, Judged, Observation};
use lab_record::table::Cell;

use super::{TIMED, count, had_a_cpu, seen};
use crate::rows::Rows;
use crate::rows::Says::First;

/// How the names of the lab's files begin (`lab_kit::scratch`).
const NAME: &str = "bpf-tools-";

/// Every call that the caller's own clock finds slow, and how slow.
pub(crate) fn ext4slower(e: &Evidence) -> Judged {
    let counted = slow_calls(e)?;
    if counted.holds { counted.and(slow_time(e)) } else { Ok(counted) }
}

/// Every call that the caller's own clock finds slow.
pub(super) fn slow_calls(e: &Evidence) -> Judged {
    let seen = seen(e, "slow-reads", "ext4slower")?;
    let (slow, wanted) = (seen.metric("slow_calls")?, seen.metric("wanted")?);
    count(ours(&seen)?.1.len())
        .near(slow, seen.metric("doubtful")?)?
        .because("slow calls")?
        .and(Figure::exact(slow, "count").at_least(wanted)?.because("by the caller's clock"))
}

fn slow_time(e: &Evidence) -> Judged {
    let seen = seen(e, "slow-reads", "ext4slower")?;
    let (time, cpu_time) = (seen.metric("slow_time")?, seen.metric("slow_cpu_time")?);
    if time > 0.0 {
        had_a_cpu(time - cpu_time, time)?;
    }
    took(&seen)?.near_relative(time, TIMED)?.because("their time")
}

/// The calls on the workload's own file.
fn ours<'a>(seen: &'a Observation<'_>) -> Result<(Rows<'a>, Vec<&'a [Cell]>), Gap> {
    let table = Rows::of(seen, "calls")?;
    Ok((table, table.with(&[("FILE", First(NAME))])?))
}

/// How long they took together.
fn took(seen: &Observation<'_>) -> Result<Figure, Gap> {
    let (table, ours) = ours(seen)?;
    Ok(Figure::exact(table.sum(&ours, "TOOK")?, "ns"))
}

/// Every wait for the disk, and how long.
pub(crate) fn fsyncsnoop(e: &Evidence) -> Judged {
    let seen = seen(e, "syncs", "fsyncsnoop")?;
    count(ours(&seen)?.1.len())
        .near(seen.metric("syncs")?, 0.0)?
        .because("syncs seen")?
        .and(took(&seen)?.near_relative(seen.metric("sync_time")?, TIMED)?.because("their time"))
}
