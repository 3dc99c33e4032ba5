//! The lab in one sentence: how far a bad file and a bad change reach.

use lab_kit::{Evidence, Gap, Next, ShownBy, Story};

use crate::charts::ROLLOUT;

pub(crate) const STORY: Story = Story {
    finding,
    reads: &["panics", "keeps", "global", "staged"],
    chart: Some(ShownBy::Chart(&ROLLOUT, &["global", "blind", "staged"])),
    next: Next {
        set: &[("detect", "5m")],
        ask: "The gate decides five times as fast: what does each rollout cost?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let failed = |of| Ok::<_, Gap>(100.0 * e.metric(of, "failed_after")?.value);
    let lost = |of| Ok::<_, Gap>(e.metric(of, "lost")?.value);
    Ok(format!(
        "A bad file failed {:.0} % of the requests to proxies that panicked, and {:.0} % to those \
         that kept the last good one. A bad change failed as many requests as come in {:.0} s when \
         it went to all servers at once, and in {:.1} s in stages.",
        failed("panics")?,
        failed("keeps")?,
        lost("global")?,
        lost("staged")?,
    ))
}
