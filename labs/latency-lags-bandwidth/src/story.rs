//! The lab in one sentence: what twice the bandwidth does to a page, and what a shorter way does.

use lab_kit::{Evidence, Gap, Next, ShownBy, Story};

use crate::charts::BANDWIDTHS;
use crate::claims::{per_20_ms, saved};

pub(crate) const STORY: Story = Story {
    finding,
    reads: &["bandwidth", "round-trip"],
    chart: Some(ShownBy::Chart(&BANDWIDTHS, &["bandwidth"])),
    next: Next {
        set: &[("connections", "6")],
        ask: "Six requests at a time now, not two: what does the step from 5 to 10 Mb/s save?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let saved = |from, to| Ok::<_, Gap>(100.0 * saved(e, from, to)?.value);
    Ok(format!(
        "A page took {:.0} % less time at 2 Mb/s than at 1, and {:.0} % less at 10 than at 5; each 20 ms \
         off the round trip took {:.0} ms off the page.",
        saved(1.0, 2.0)?,
        saved(5.0, 10.0)?,
        per_20_ms(e)? / 1e6,
    ))
}
