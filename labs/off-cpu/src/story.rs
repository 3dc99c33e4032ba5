//! The lab in one sentence: a CPU profile shows the time on a CPU alone.

use lab_kit::{Evidence, Gap, Next, ShownBy, Story};

pub(crate) const STORY: Story = Story {
    finding,
    reads: &["sleeper"],
    chart: Some(ShownBy::Stacks("sleeper", "hot-cold")),
    next: Next {
        set: &[("spin", "1")],
        ask: "It spins for as long as it sleeps now: how much of its time does a CPU profile miss?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let spin = e.settings_of("sleeper").float("spin");
    let blocked = e.metric("sleeper", "in_one_stack")?.value;
    Ok(format!(
        "A program that spins {spin} s for each second that it sleeps was blocked in one stack for \
         {:.1} % of its time: no CPU profile shows that; predicted {:.1} %.",
        100.0 * blocked,
        100.0 / (1.0 + spin),
    ))
}
