//! The lab in one sentence: what the slowest of a hundred leaves does to a request.

use lab_kit::{Evidence, Gap, Next, ShownBy, Story};

use crate::charts::RESPONSE_SHARE;
use crate::theory::fanout;

pub const STORY: Story = Story {
    finding,
    reads: &["fan-out"],
    chart: Some(ShownBy::Chart(&RESPONSE_SHARE, &["single", "fan-out"])),
    next: Next {
        set: &[("slow-fraction", "0.001")],
        ask: "One answer of a leaf in 1,000 is slow now: how many of 100 requests are?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let knobs = e.settings_of("fan-out");
    let (slow, leaves) = (knobs.float("slow-fraction"), knobs.int("leaves") as u32);
    let (measured, _) = e.proportion("fan-out", "slow_roots_ratio")?;
    let predicted = fanout::slow_root_probability(slow, leaves);
    Ok(format!(
        "{} in 1,000 answers of a leaf were slow, and that made {:.0} of 100 requests to {leaves} \
         leaves slow; predicted {:.0}.",
        1_000.0 * slow,
        100.0 * measured.value,
        100.0 * predicted,
    ))
}
