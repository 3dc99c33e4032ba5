//! What a lab teaches: a prediction, a short run, and both again without the cause.
//!
//! `cargo xtask learn NAME` leads through a lab's lessons. The trials of a lesson, and the knobs
//! that take its cause away, are those of the claim's own check.

use anyhow::{Context as _, ensure};
use lab_record::{
    Answer as AnswerSpec, CheckSpec, Choice, ClaimSpec, How, LessonFigures, LessonSpec, Run,
    VariantSpec, parse_duration,
};

use crate::evidence::{Evidence, is_planned};
use crate::finding::Gap;

/// A step of `cargo xtask learn`.
#[derive(Debug, Clone, Copy)]
pub struct Lesson {
    /// The claim that it teaches.
    pub claim: &'static str,
    /// Which check: the claim's first of this way of checking, live or simulated.
    pub how: How,
    /// The measured span of a trial, such as `4s`: a lesson takes seconds.
    pub span: &'static str,
    /// What is run, in two or three sentences.
    pub setup: &'static str,
    /// What the learner predicts.
    pub ask: &'static str,
    /// The kind of answer.
    pub answer: Answer,
    /// From the first nudge to nearly the answer.
    pub hints: &'static [&'static str],
    /// What a run measured, and what theory predicts for its knobs.
    pub figures: fn(&Evidence) -> Result<Figures, Gap>,
    /// Why it came out so.
    pub because: &'static str,
    /// What the counter-experiment changes, and the question asked again.
    pub away: &'static str,
    /// The conclusion.
    pub so: &'static str,
}

/// What kind of figure answers a question, and in which unit it is measured.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// From 0 to 1; read and shown in percent.
    Share,
    /// In nanoseconds; read and shown with a unit that fits.
    Time,
    /// How many times as much.
    Times,
    /// A number of the things named here.
    Count(&'static str),
    /// One of a few options. The figure's unit comes first, then each option with its range: it is
    /// right from the first bound to below the second.
    Choice(&'static str, &'static [(&'static str, f64, f64)]),
}

/// The two figures that a prediction is compared with, in the unit of its answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Measured by the run.
    pub measured: f64,
    /// By theory or the source, with the knobs of the run; `None` where neither gives a figure.
    pub predicted: Option<f64>,
}

impl Figures {
    /// A measured figure, and the one that theory predicts.
    ///
    /// # Errors
    /// None; it is what a lesson's function returns.
    pub fn against(measured: f64, predicted: f64) -> Result<Self, Gap> {
        Ok(Self { measured, predicted: Some(predicted) })
    }

    /// A measured figure of which theory says no more than the direction.
    ///
    /// # Errors
    /// None; it is what a lesson's function returns.
    pub fn measured(measured: f64) -> Result<Self, Gap> {
        Ok(Self { measured, predicted: None })
    }
}

impl Lesson {
    /// The lesson as data.
    ///
    /// # Errors
    /// An error of the lab's author: the lab has no such claim, or the claim no such check; the
    /// span is not a duration; a text is empty; choices overlap.
    pub(crate) fn spec(
        &self,
        claims: &[ClaimSpec],
        variants: &[VariantSpec],
    ) -> anyhow::Result<LessonSpec> {
        let check = self.check(claims).with_context(|| format!("the lesson on {}", self.claim))?;
        for reads in &check.reads {
            ensure!(
                variants.iter().any(|variant| variant.name == reads.variant),
                "the lesson on {} reads the variant {}, which the lab lacks",
                self.claim,
                reads.variant,
            );
        }
        let span = parse_duration(self.span)?;
        let texts = [self.setup, self.ask, self.because, self.away, self.so];
        let said = texts.iter().chain(self.hints).all(|text| !text.trim().is_empty());
        ensure!(said && !self.hints.is_empty(), "the lesson on {} lacks a text", self.claim);
        Ok(LessonSpec {
            claim: self.claim.into(),
            how: self.how,
            reads: check.reads.clone(),
            span_ms: span.as_millis() as u64,
            setup: self.setup.into(),
            ask: self.ask.into(),
            answer: self.answer.spec()?,
            hints: self.hints.iter().map(|hint| (*hint).to_owned()).collect(),
            because: self.because.into(),
            without: check.without.clone(),
            away: self.away.into(),
            so: self.so.into(),
        })
    }

    fn check<'a>(&self, claims: &'a [ClaimSpec]) -> anyhow::Result<&'a CheckSpec> {
        let runs = matches!(self.how, How::Live | How::Simulated);
        ensure!(runs, "a lesson runs something: live, or simulated");
        let claim = claims.iter().find(|claim| claim.id == self.claim).context("no such claim")?;
        let check = claim.checks.iter().find(|check| check.how == self.how);
        check.with_context(|| format!("the claim has no check: {}", self.how.words()))
    }
}

impl Answer {
    fn spec(&self) -> anyhow::Result<AnswerSpec> {
        Ok(match *self {
            Self::Share => AnswerSpec::Share,
            Self::Time => AnswerSpec::Time,
            Self::Times => AnswerSpec::Times,
            Self::Count(of) => AnswerSpec::Count { of: of.into() },
            Self::Choice(unit, options) => {
                let apart = options.iter().enumerate().all(|(i, a)| {
                    a.1 < a.2 && options[..i].iter().all(|b| a.2 <= b.1 || b.2 <= a.1)
                });
                ensure!(apart && options.len() > 1, "choices are two ranges or more, and apart");
                let choice = |(says, from, below): &(&str, f64, f64)| Choice {
                    says: (*says).into(),
                    from: *from,
                    below: *below,
                };
                let options = options.iter().map(choice).collect();
                AnswerSpec::Choice { unit: unit.into(), options }
            }
        })
    }
}

/// The figures of each lesson whose trials were planned.
pub(crate) fn figures(lessons: &[Lesson], run: &Run) -> Vec<LessonFigures> {
    let described = &run.plan.description.lessons;
    let lessons = lessons.iter().zip(described);
    let planned = lessons.filter(|(lesson, spec)| is_planned(lesson.how, &spec.reads, run));
    let one = |(lesson, spec): (&Lesson, &LessonSpec)| {
        let mut found = LessonFigures { claim: spec.claim.clone(), ..LessonFigures::default() };
        match (lesson.figures)(&Evidence::new(run, lesson.how, spec.reads.clone())) {
            Ok(figures) if figures.measured.is_finite() => {
                // Not `-0`.
                let measured = figures.measured + 0.0;
                (found.measured, found.predicted) = (Some(measured), figures.predicted);
            }
            Ok(_) => found.reason = "the figure is no number".into(),
            Err(Gap::Unavailable(reason)) => found.reason = reason,
            Err(Gap::Invalid(reason)) => (found.reason, found.invalid) = (reason, true),
        }
        found
    };
    planned.map(one).collect()
}

/// The least relative difference between figures with a cause and without it; closer ones count as
/// the same.
const APART: f64 = 0.1;

/// Whether two figures differ by more than the noise of live trials.
pub(crate) fn are_apart(one: f64, other: f64) -> bool {
    (one - other).abs() > APART * one.abs().max(other.abs())
}

/// Whether a learner sees the cause in both figures.
///
/// # Errors
/// The figures are too close, one option is right for both, or no option is right for one.
pub(crate) fn teaches(lesson: &Lesson, with: f64, without: f64) -> anyhow::Result<()> {
    let says = format!("the lesson on {}: {with} with its cause, {without} without", lesson.claim);
    ensure!(are_apart(with, without), "{says}: alike");
    if let Answer::Choice(..) = lesson.answer {
        let answer = lesson.answer.spec()?;
        let places = [with, without].map(|figure| answer.place_of(figure));
        ensure!(!places.contains(&None), "{says}: outside of the choices");
        ensure!(places[0] != places[1], "{says}: one choice is right for both");
    }
    Ok(())
}
