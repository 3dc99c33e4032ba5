//! The lab in one sentence: the answers in time with an unbounded queue and with a short one.

use lab_kit::{Evidence, Gap, Next, ShownBy, Story};

use crate::charts::IN_TIME;

pub(crate) const STORY: Story = Story {
    finding,
    reads: &["queue-all", "queue-few"],
    chart: Some(ShownBy::Chart(&IN_TIME, &["queue-all", "queue-few"])),
    next: Next {
        set: &[("load", "0.9")],
        ask: "Nobody asks for more than the server can now: what does the short queue gain?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let percent = |variant| Ok::<_, Gap>(100.0 * e.metric(variant, "goodput")?.value);
    let (all, few) = (percent("queue-all")?, percent("queue-few")?);
    Ok(format!(
        "Asked for {} times what it can, a server that queues everybody answered {all:.0} % of its \
         capacity in time, one that refuses all but a few {few:.0} %.",
        e.settings_of("queue-all").float("load"),
    ))
}
