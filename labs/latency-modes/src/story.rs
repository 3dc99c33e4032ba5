//! The lab in one sentence: how many requests take what they take on average.

use lab_kit::{Evidence, Gap, Next, ShownBy, Story};

use crate::charts::TRAILS;
use crate::claims::TOGETHER;

pub(crate) const STORY: Story = Story {
    finding,
    reads: &["disk"],
    chart: Some(ShownBy::Chart(&TRAILS, &["disk", "cache", "narrow"])),
    next: Next {
        set: TOGETHER,
        ask: "Both modes are at one place now: how many requests take about the mean?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let mean = e.metric("disk", "mean")?.value / 1e6;
    let near = 100.0 * e.metric("disk", "near_mean")?.value;
    Ok(format!(
        "The mean of the disk is {mean:.1} ms, and {near:.1} % of its requests took that, give or \
         take a tenth."
    ))
}
