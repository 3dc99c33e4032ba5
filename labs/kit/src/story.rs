//! The story of a lab for a newcomer: the finding in words, the chart that shows it, and what to
//! try.

use anyhow::{Context as _, ensure};
use lab_record::{
    How, KnobSpec, Knobs, Next as NextSpec, Reads, Run, StorySpec, Told, VariantSpec,
};

use crate::chart::ShownBy;
use crate::evidence::{Evidence, is_planned};
use crate::finding::Gap;
use crate::settings::parsed;

/// The story of a lab. Its sentence is computed from what was measured: it changes with the cause.
#[derive(Debug, Clone, Copy)]
pub struct Story {
    /// The finding with its figures, in one sentence: "1 slow leaf in 100 made 64 of 100 requests
    /// slow; predicted 63".
    pub finding: fn(&Evidence) -> Result<String, Gap>,
    /// The variants that it reads.
    pub reads: &'static [&'static str],
    /// The chart that shows the finding, first on the page. `None` if the lab draws none.
    pub chart: Option<ShownBy>,
    /// What to do next.
    pub next: Next,
}

/// One thing to try, after predicting its result.
#[derive(Debug, Clone, Copy)]
pub struct Next {
    /// Knobs that take the cause away or strengthen it, written as after `--set`: the finding must
    /// change with them.
    pub set: &'static [(&'static str, &'static str)],
    /// What the reader is asked to predict.
    pub ask: &'static str,
}

impl Story {
    /// The story as data.
    ///
    /// # Errors
    /// A mistake of the lab's author: the story reads a variant that the lab lacks, or its next
    /// step sets an unknown knob or one outside its bounds.
    pub(crate) fn spec(
        &self,
        chart: Option<lab_record::ShownBy>,
        knobs: &[KnobSpec],
        variants: &[VariantSpec],
    ) -> anyhow::Result<StorySpec> {
        for reads in self.reads {
            let known = variants.iter().any(|variant| variant.name == *reads);
            ensure!(known, "the story reads `{reads}`, which is no variant");
        }
        let set: Knobs = parsed(self.next.set, knobs).context("the next step of the story")?;
        Ok(StorySpec { chart, next: NextSpec { set, ask: self.next.ask.into() } })
    }
}

/// The finding of the run, in words.
pub(crate) fn tell(story: &Story, run: &Run) -> Told {
    let next = run.plan.description.story.as_ref().map(|story| story.next.clone());
    // The finding of a run without live trials is computed from its simulated ones.
    let reads: Vec<Reads> = story
        .reads
        .iter()
        .map(|variant| Reads { variant: (*variant).into(), probe: None })
        .collect();
    let how = if is_planned(How::Live, &reads, run) { How::Live } else { How::Simulated };
    match (story.finding)(&Evidence::of(run, how, story.reads)) {
        Ok(finding) => Told { finding: Some(finding), reason: String::new(), next },
        Err(Gap::Unavailable(reason) | Gap::Invalid(reason)) => {
            Told { finding: None, reason, next }
        }
    }
}

/// A story for tests of everything else.
#[cfg(test)]
pub(crate) const NONE: Story = Story {
    finding: |_| Err(Gap::Unavailable("nothing is told".into())),
    reads: &[],
    chart: None,
    next: Next { set: &[], ask: "" },
};
