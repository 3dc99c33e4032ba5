//! The lab in one sentence: what the last tenth of utilisation costs.

use lab_kit::{Evidence, Gap, Next, ShownBy, Story};

use crate::charts::HOCKEY_STICK;
use crate::claims::at;
use crate::staircase::MEAN;

pub(crate) const STORY: Story = Story {
    finding,
    reads: &["one-server"],
    chart: Some(ShownBy::Chart(&HOCKEY_STICK, &["one-server", "equal-work", "two-servers"])),
    next: Next {
        set: &[("arrivals", "even")],
        ask: "Requests come at equal distances now: how many service times does one take at 90 %?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let half = at(e, "one-server", MEAN, 0.5)?.value;
    let top = at(e, "one-server", MEAN, 0.9)?.value;
    let knobs = e.settings_of("one-server");
    let utilisation = |step: f64| step * knobs.float("load") / knobs.float("speed");
    Ok(format!(
        "A server that was busy for {:.0} % of the time took {half:.1} times its service time over \
         a request, one that was busy for {:.0} % {top:.1} times; predicted {:.1} and {:.1}.",
        100.0 * utilisation(0.5),
        100.0 * utilisation(0.9),
        1.0 / (1.0 - utilisation(0.5)),
        1.0 / (1.0 - utilisation(0.9)),
    ))
}
