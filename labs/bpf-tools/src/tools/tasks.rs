//! execsnoop, opensnoop, syscount, pagefaults, runqlat and profile.

use lab_kit::{Evidence, Figure, Gap, Judged};

use super::{TIMED, count, seen};
use crate::rows::Rows;
use crate::rows::Says::{First, Only};
use crate::search_path::NOWHERE;

/// Every child that starts a program, and no other.
pub(crate) fn execsnoop(e: &Evidence) -> Judged {
    let seen = seen(e, "short-lived", "execsnoop")?;
    let parent = seen.metric("parent")?.to_string();
    let rows = Rows::of(&seen, "programs")?.with(&[("PPID", Only(&parent))])?;
    count(rows.len()).near(seen.metric("children")?, 0.0)?.because("children seen")
}

/// Every failed open, with its error.
pub(crate) fn opensnoop(e: &Evidence) -> Judged {
    let seen = seen(e, "search-path", "opensnoop")?;
    let files = Rows::of(&seen, "files")?;
    let in_vain = files.with(&[("PATH", First(NOWHERE)), ("ERR", Only("2"))])?.len();
    count(in_vain).near(seen.metric("planned")?, 0.0)?.because("opens with error 2")
}

/// Every read of zero bytes.
pub(crate) fn syscount(e: &Evidence) -> Judged {
    let seen = seen(e, "zero-reads", "syscount")?;
    let table = Rows::of(&seen, "system calls")?;
    let reads = table.with(&[("SYSCALL", Only("readv"))])?;
    Figure::exact(table.sum(&reads, "COUNT")?, "count")
        .near(seen.metric("empty")?, 0.0)?
        .because("calls of readv; of them brought nothing")
}

/// Every first touch of a page, at the place of the code that touches.
pub(crate) fn pagefaults(e: &Evidence) -> Judged {
    let seen = seen(e, "first-touch", "pagefaults")?;
    let (pages, lost) = (seen.metric("pages")?, seen.record.losses.stacks as f64);
    if lost > pages * TIMED {
        return Err(Gap::Invalid(format!("pagefaults lost {lost} stacks")));
    }
    let folded = seen.folded("page-faults")?;
    let touching = folded.lines().filter(|line| line.contains("touch_each"));
    let faults = touching.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum();
    Figure::exact(faults, "count").near(pages, lost)?.because("faults in touch_each")
}

/// Waiting for a CPU, as the scheduler accounts it.
pub(super) fn runqlat(e: &Evidence) -> Judged {
    let seen = seen(e, "spinners", "runqlat")?;
    let (waited, before) = (seen.metric("waited")?, seen.metric("waited_before")?);
    // Two threads on a CPU wait as long as they run. Their waits while they end are in no sum: next
    // to nothing, unless other programs want the CPUs too.
    let times = waited / (seen.metric("cpu_time")? * 1e9);
    if times > 1.5 {
        return Err(Gap::Invalid(format!("others had the CPUs: {times:.1} waited for each run")));
    }
    Figure::exact(seen.histogram("runqlat")?.sum as f64, "ns")
        .near(waited, TIMED * waited + before)?
        .because("waits together")
}

/// 49 samples for each second of CPU time, bcc's default.
pub(super) fn profile(e: &Evidence) -> Judged {
    let seen = seen(e, "spinners", "profile")?;
    let expected = 49.0 * seen.metric("cpu_time")?;
    let samples = seen.record.folded.iter().map(|stacks| stacks.total).sum::<u64>();
    // Three standard errors of a count.
    Figure::exact(samples as f64, "samples").near_relative(expected, 3.0 / expected.sqrt())
}
