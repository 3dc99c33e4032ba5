//! The lab in one sentence: what a user misses who looks once a second.

use lab_kit::{Evidence, Gap, Next, Story};

pub(crate) const STORY: Story = Story {
    finding,
    reads: &["short-lived"],
    chart: None,
    next: Next {
        set: &[("poll", "10ms")],
        ask: "Somebody looks 100 times a second now: how many of 100 programs are seen?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let knobs = e.settings_of("short-lived");
    let (started, poll) = (knobs.int("children"), knobs.duration("poll"));
    let seen = e.metric("short-lived", "seen_by_polling")?.value;
    Ok(format!(
        "{started} programs were started and ended: looking at /proc every {} ms saw {:.0} % of \
         them. A tracepoint sees them all.",
        poll.as_millis(),
        100.0 * seen,
    ))
}
