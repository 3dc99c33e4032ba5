//! The lab in one sentence: what the slowest of a hundred leaves does to a request.

use lab_kit::{Evidence, Gap, Next, ShownBy, Story};

use crate::charts::RESPONSE_SHARE;
use crate::theory::fanout;

pub(crate) const STORY: Story = Story {
    finding,
    reads: &["fan-out"],
    chart: Some(ShownBy::Chart(&RESPONSE_SHARE, &["single", "fan-out"])),
    next: Next {
        set: &[("slow-fraction", "0.001")],
        ask: "slow-fraction is how often a leaf is slow: once in 1,000 answers now. How many of 100 \
              requests are slow? And with slow-fraction=0?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let knobs = e.settings_of("fan-out");
    let (slow, leaves) = (knobs.float("slow-fraction"), knobs.int("leaves") as u32);
    let (measured, _) = e.proportion("fan-out", "slow_roots_ratio")?;
    let predicted = fanout::slow_root_probability(slow, leaves);
    Ok(format!(
        "Each leaf was slow {}, and that made {:.0} of 100 requests to {leaves} leaves slow; \
         predicted {:.0}.",
        how_often(slow),
        100.0 * measured.value,
        100.0 * predicted,
    ))
}

/// `once in 100 answers`.
fn how_often(share: f64) -> String {
    let of = 1.0 / share;
    if share == 0.0 {
        "in no answer".into()
    } else if (of - of.round()).abs() < 1e-6 * of {
        format!("once in {of:.0} answers")
    } else {
        format!("in {} of 100 answers", 100.0 * share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_written_as_once_in_a_number() {
        let told = [0.01, 0.0001, 0.0, 0.015].map(how_often);
        let expected = [
            "once in 100 answers",
            "once in 10000 answers",
            "in no answer",
            "in 1.5 of 100 answers",
        ];
        assert_eq!(told, expected);
    }
}
