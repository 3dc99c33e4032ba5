//! The lab in one sentence: what helps small requests beside a large one.

use lab_kit::{Evidence, Gap, Next, ShownBy, Story};

use crate::charts::SMALL;

pub(crate) const STORY: Story = Story {
    finding,
    reads: &["whole", "first", "sliced-first"],
    chart: Some(ShownBy::Chart(&SMALL, &["whole", "first", "sliced", "sliced-first"])),
    next: Next {
        set: &[("large", "10ms")],
        ask: "Large requests take 10 ms, and there are ten times as many. What is the p99 of small ones?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let p99 = |of| Ok::<_, Gap>(e.quantile(of, "small", 0.99)?.value / 1e6);
    let knobs = e.settings_of("whole");
    Ok(format!(
        "Beside requests of {:.0} ms, which kept the server busy for {:.0} % of its time, the p99 of small \
         ones was {:.0} ms; {:.0} ms where they went first, and {:.1} ms where they went first and large \
         ones ran in slices.",
        knobs.duration("large").as_secs_f64() * 1e3,
        100.0 * knobs.float("large-load"),
        p99("whole")?,
        p99("first")?,
        p99("sliced-first")?,
    ))
}
