//! The lab in one sentence: how many of the printed figures hold here.

use lab_kit::{Evidence, Gap, Next, ShownBy, Story};

use crate::TIMES;
use crate::printed::{RATES, TIMES as PRINTED};

const READS: &[&str] = &["memory", "threads", "compute", "encode", "kernel", "network", "disk"];

pub(crate) const STORY: Story = Story {
    finding,
    reads: READS,
    chart: Some(ShownBy::Chart(&TIMES, &[])),
    next: Next {
        set: &[("memory-kib", "32")],
        ask: "The memory is small enough for the fastest cache now: how long does a line take, if \
              each waits for the last?",
    },
};

/// The factor by which a measured figure is off the printed one.
fn off(e: &Evidence, metric: &str, source: f64) -> Option<f64> {
    let found = READS.iter().find_map(|variant| e.metric(variant, metric).ok())?;
    Some((found.value / source).max(source / found.value))
}

fn finding(e: &Evidence) -> Result<String, Gap> {
    let dependent = e.metric("memory", "dependent")?.value;
    let printed = PRINTED.iter().chain(RATES).filter_map(|bar| Some((bar, bar.source?)));
    let found = printed.filter_map(|(bar, source)| Some((bar, off(e, bar.metric, source)?)));
    let found: Vec<_> = found.collect();
    let within = |times| found.iter().filter(|(_, off)| *off <= times).count();
    let furthest = found.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    let Some((furthest, times)) = furthest else {
        return Err(Gap::Unavailable("no row was measured".into()));
    };
    Ok(format!(
        "Of {} printed figures {} hold here within a factor of 3 and {} within 10; furthest off is \
         that of {}, by {times:.0}. Memory that is read one line after the other takes \
         {dependent:.0} ns for each.",
        found.len(),
        within(3.0),
        within(10.0),
        furthest.name,
    ))
}
