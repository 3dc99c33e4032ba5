//! The lab in one sentence: what a thread waits where there are more threads than CPUs.

use lab_kit::{Evidence, Gap, Next, ShownBy, Story};

use crate::charts::WAITING_SHARE;
use crate::sweep::{SPINNERS, metric, waiting_share};

pub(crate) const STORY: Story = Story {
    finding,
    reads: &["more-spinners"],
    chart: Some(ShownBy::Chart(&WAITING_SHARE, &["more-spinners"])),
    next: Next {
        set: &[("cpus", "1")],
        ask: "The same threads have one CPU now: what share of its time does each wait?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let most = SPINNERS[SPINNERS.len() - 1];
    let cpus = e.metric("more-spinners", "cpus")?.value;
    let waited = e.metric("more-spinners", &metric(most))?.value;
    Ok(format!(
        "Of {most} threads that want {cpus} CPUs all the time, each waited for a CPU {:.0} % of \
         its time; predicted {:.0} %.",
        100.0 * waited,
        100.0 * waiting_share(cpus, most),
    ))
}
