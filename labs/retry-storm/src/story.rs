//! The lab in one sentence: what retries turn a short pause into.

use lab_kit::{Evidence, Figure, Gap, Next, ShownBy, Story};

use crate::charts::GOODPUT;
use crate::claims::{afterwards, of_capacity};

pub(crate) const STORY: Story = Story {
    finding,
    reads: &["storm", "no-retries"],
    chart: Some(ShownBy::Chart(&GOODPUT, &["storm", "no-retries", "bucket", "in-time"])),
    next: Next {
        set: &[("load", "0.2")],
        ask: "Four attempts of 20 % are less than all now: what is answered after the pause?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let knobs = e.settings_of("storm");
    let percent = |figure: Figure| 100.0 * figure.value;
    Ok(format!(
        "Long after a pause of {} ms a server at {:.0} % load was busy for {:.0} % and answered {:.0} % of \
         its requests with {} retries, and {:.0} % without.",
        knobs.duration("trigger").as_millis(),
        100.0 * knobs.float("load"),
        percent(of_capacity(e, "storm", "throughput")?),
        percent(afterwards(e, "storm")?),
        knobs.int("retries"),
        percent(afterwards(e, "no-retries")?),
    ))
}
