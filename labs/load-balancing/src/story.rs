//! The lab in one sentence: what old information does to the best choice.

use lab_kit::{Evidence, Gap, Next, ShownBy, Story};

use crate::charts::{HERD, OF_TEN};
use crate::claims::at_part;

pub(crate) const STORY: Story = Story {
    finding,
    reads: &["post"],
    chart: Some(ShownBy::Chart(&HERD, &["herd"])),
    next: Next {
        set: &[("refresh", "10s")],
        ask: "The queues are looked at ten times as often. Who is best now?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let knobs = e.settings_of("post");
    let seconds = |services: f64| services * knobs.duration("service").as_secs_f64();
    let [any, two, _, least] = at_part(e, "post", OF_TEN, 40)?.map(|mean| seconds(mean.value));
    let [.., now] = at_part(e, "post", OF_TEN, 0)?.map(|mean| seconds(mean.value));
    let age = 0.4 * knobs.duration("refresh").as_secs_f64();
    Ok(format!(
        "By queues as they were up to {age:.0} s ago the least loaded of {} servers took {least:.0} s for a \
         request, the better of two {two:.0} s, and any server {any:.0} s; by those of the moment the least \
         loaded took {now:.0} s.",
        knobs.int("servers"),
    ))
}
