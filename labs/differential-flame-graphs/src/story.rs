//! The lab in one sentence: a small regression, found by its significance.

use lab_kit::{Evidence, Gap, Next, ShownBy, Story};

pub(crate) const STORY: Story = Story {
    finding,
    reads: &["one-slower"],
    chart: Some(ShownBy::Stacks("one-slower", "differential")),
    next: Next {
        set: &[("injection", "0.01")],
        ask: "The regression is a fifth of that now: is it still the first of twenty?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let injected = 100.0 * e.settings_of("one-slower").float("injection");
    let metric = |name| Ok(e.metric("one-slower", name)?.value);
    let (rank, growth): (f64, f64) = (metric("rank_of_slower")?, metric("growth_of_slower")?);
    Ok(format!(
        "One of twenty functions was given {injected} % of all work more: by growth it came \
         {rank:.0} of 20, {growth:.1} standard errors beyond chance.",
    ))
}
