//! The lab in one sentence: one stall, as two clients report it.

use std::time::Duration;

use lab_kit::{Evidence, Gap, Next, ShownBy, Story};

use crate::charts::REPORTED;

pub(crate) const STORY: Story = Story {
    finding,
    reads: &["open-loop", "closed-loop"],
    chart: Some(ShownBy::Chart(&REPORTED, &["open-loop", "closed-loop"])),
    next: Next {
        set: &[("stall", "0s")],
        ask: "Nothing stands still now: how far apart are the two figures?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let stall = e.settings_of("open-loop").duration("stall");
    let p99 = |variant| Ok(e.quantile(variant, "response", 0.99)?.value);
    let (open, closed): (f64, f64) = (p99("open-loop")?, p99("closed-loop")?);
    Ok(format!(
        "The server stood still for {}: a client that waits for replies reports a p99 of {:.1} ms, \
         one that keeps its schedule {:.1} ms, {:.0} times as much.",
        in_seconds(stall),
        closed / 1e6,
        open / 1e6,
        open / closed,
    ))
}

fn in_seconds(stall: Duration) -> String {
    format!("{} s", stall.as_secs_f64())
}
