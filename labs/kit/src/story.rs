//! The story of a lab for a newcomer: the finding in words, the chart that shows it, and what to
//! try.

use anyhow::{Context as _, ensure};
use lab_record::{
    How, KnobSpec, Knobs, Next as NextSpec, Reads, Run, StorySpec, Told, VariantSpec,
};

use crate::chart::ShownBy;
use crate::evidence::{Evidence, is_planned};
use crate::finding::Gap;
use crate::lesson::are_apart;
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

/// The finding of the run, in words: of its live trials, or of its simulated ones where it has no
/// live ones.
pub(crate) fn tell(story: &Story, run: &Run) -> Told {
    let told = [How::Live, How::Simulated].into_iter().find_map(|how| tell_as(how, story, run));
    told.unwrap_or_else(|| {
        let reason = match story.reads {
            [one] => format!("it is about {one}, which was not chosen"),
            all => format!("it is about {}, and not all of these were chosen", all.join(", ")),
        };
        Told { finding: None, reason, next: None }
    })
}

/// The finding of these trials of the run; `None` if not all that it reads were planned.
pub(crate) fn tell_as(how: How, story: &Story, run: &Run) -> Option<Told> {
    let reads: Vec<Reads> = story
        .reads
        .iter()
        .map(|variant| Reads { variant: (*variant).into(), probe: None })
        .collect();
    if !is_planned(how, &reads, run) {
        return None;
    }
    let (finding, reason) = match (story.finding)(&Evidence::of(run, how, story.reads)) {
        Ok(finding) => (Some(finding), String::new()),
        Err(Gap::Unavailable(reason) | Gap::Invalid(reason)) => (None, reason),
    };
    // A program that is no lab has none.
    let next = run.plan.description.story.as_ref().map(|story| story.next.clone());
    let next = next.filter(|next| !next.ask.is_empty());
    Some(Told { finding, reason, next })
}

/// Whether two findings say different things: in their words, or in a figure that differs by more
/// than the noise of live trials.
pub(crate) fn say_different_things(one: &str, other: &str) -> bool {
    let ((words, figures), (other_words, other_figures)) = (parts(one), parts(other));
    let mut pairs = figures.into_iter().zip(other_figures);
    words != other_words || pairs.any(|(one, other)| are_apart(one, other))
}

/// A sentence without its figures, and those: `it took # ms`, 1234.5.
fn parts(sentence: &str) -> (String, Vec<f64>) {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',');
    let (mut words, mut figures, mut rest) = (String::new(), Vec::new(), sentence);
    while let Some(from) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = rest.split_at(from);
        let digits = number.find(|c| !is_part(c)).unwrap_or(number.len());
        let figure = number[..digits].trim_end_matches(['.', ',']);
        words += before;
        words.push('#');
        figures.push(figure.replace(',', "").parse().unwrap_or(f64::NAN));
        rest = &number[figure.len()..];
    }
    (words + rest, figures)
}

/// A story for tests of everything else.
#[cfg(test)]
pub(crate) const NONE: Story = Story {
    finding: |_| Err(Gap::Unavailable("nothing is told".into())),
    reads: &[],
    chart: None,
    next: Next { set: &[], ask: "" },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_differ_by_their_words_or_by_a_figure_beyond_noise() {
        let one = "1 slow leaf in 100 made 64 of 100 requests slow, 1,204.5 ms each.";
        for other in [one, "1 slow leaf in 100 made 63 of 100 requests slow, 1,190 ms each."] {
            assert!(!say_different_things(one, other), "{other}");
        }
        for other in [
            "1 slow leaf in 100 made 34 of 100 requests slow, 1,204.5 ms each.",
            "1 slow leaf in 100 made 64 of 100 requests slow, 1,204.5 µs each.",
            "No leaf is slow.",
        ] {
            assert!(say_different_things(one, other), "{other}");
        }
    }
}
