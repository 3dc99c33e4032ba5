//! The lab in one sentence: what a quorum does about a slow replica.

use lab_kit::{Evidence, Gap, Next, ShownBy, Story};

use crate::charts::TAIL;

pub(crate) const STORY: Story = Story {
    finding,
    reads: &["one", "majority", "together"],
    chart: Some(ShownBy::Chart(&TAIL, &["one", "majority", "together", "all"])),
    next: Next {
        set: &[("shared", "1")],
        ask: "Replicas are slow together now: how many of 100,000 writes are late?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let late = |variant| Ok::<_, Gap>(1e5 * e.metric(variant, "late")?.value);
    let shared = 100.0 * e.settings_of("together").float("shared");
    Ok(format!(
        "Of 100,000 operations on one replica {:.0} were late, of those that waited for two of three \
         {:.0}, and where {shared:.0} % of the slowness was shared {:.0}.",
        late("one")?,
        late("majority")?,
        late("together")?,
    ))
}
