//! The lab in one sentence: what a sampler in step with its program sees.

use lab_kit::{Evidence, Gap, Next, ShownBy, Story};

use crate::SEEN_BY_RATE;

pub(crate) const STORY: Story = Story {
    finding,
    reads: &["at-99-hz", "at-100-hz"],
    chart: Some(ShownBy::Chart(&SEEN_BY_RATE, &["at-99-hz", "at-100-hz"])),
    next: Next {
        set: &[("period", "7300us")],
        ask: "The program keeps another clock now: how wide is the function at 100 Hz?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let period = e.settings_of("at-100-hz").duration("period");
    let seen = |variant| Ok(100.0 * e.metric(variant, "first_half_ratio")?.value);
    let (in_step, out_of_step): (f64, f64) = (seen("at-100-hz")?, seen("at-99-hz")?);
    Ok(format!(
        "A function that runs for half of every {} ms was {in_step:.0} % of the flame graph when \
         sampled at 100 Hz, and {out_of_step:.0} % at 99 Hz; it is 50 %.",
        period.as_secs_f64() * 1e3,
    ))
}
