//! One way to check a claim, with the knobs that take its cause away: a check that cannot fail does
//! not compile.

use anyhow::{Context as _, ensure};
use lab_record::{CheckSpec, How, KnobSpec, KnobValue, Mode, Reads, VariantSpec};

use crate::evidence::Evidence;
use crate::finding::Judged;
use crate::settings::parsed;

/// One way to check a claim, and what takes its cause away: made by [`closed_form`], [`simulated`],
/// [`live`] or [`observed`], and then [`Assertion::without`].
#[derive(Debug, Clone, Copy)]
pub struct Check {
    pub(crate) how: How,
    pub(crate) judge: fn(&Evidence) -> Judged,
    pub(crate) reads: Trials,
    pub(crate) calibrates: bool,
    without: &'static [(&'static str, &'static str)],
}

/// The trials that a check reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trials {
    Of(&'static [&'static str]),
    Observed(&'static [(&'static str, &'static str)]),
}

/// What a check asserts. It becomes a [`Check`] once it names the knobs that take its cause away:
///
/// ```compile_fail
/// # use lab_kit::{Check, Figure, closed_form};
/// const CHECK: Check = closed_form(|e| Figure::exact(e.settings().float("p"), "").near(0.5, 0.0));
/// ```
/// ```
/// # use lab_kit::{Check, Figure, closed_form};
/// const CHECK: Check = closed_form(|e| Figure::exact(e.settings().float("p"), "").near(0.5, 0.0))
///     .without(&[("p", "0.4")]);
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "a check names what takes its cause away"]
pub struct Assertion(Check);

/// Asserts a formula: a function of [`Evidence::settings`] that needs no trial.
pub const fn closed_form(judge: fn(&Evidence) -> Judged) -> Assertion {
    assertion(How::ClosedForm, Trials::Of(&[]), judge)
}

/// Asserts something about the simulated trials of these variants.
pub const fn simulated(of: &'static [&'static str], judge: fn(&Evidence) -> Judged) -> Assertion {
    assertion(How::Simulated, Trials::Of(of), judge)
}

/// Asserts something about the valid live trials of these variants.
pub const fn live(of: &'static [&'static str], judge: fn(&Evidence) -> Judged) -> Assertion {
    assertion(How::Live, Trials::Of(of), judge)
}

/// Asserts something about what eBPF probes saw, for pairs of a variant and its probe. See
/// [`Evidence::observation`].
pub const fn observed(
    of: &'static [(&'static str, &'static str)],
    judge: fn(&Evidence) -> Judged,
) -> Assertion {
    assertion(How::Probe, Trials::Observed(of), judge)
}

const fn assertion(how: How, reads: Trials, judge: fn(&Evidence) -> Judged) -> Assertion {
    Assertion(Check { how, judge, reads, calibrates: false, without: &[] })
}

impl Assertion {
    /// The counter-experiment: knobs, written as after `--set`, with which this must not hold.
    pub const fn without(self, knobs: &'static [(&'static str, &'static str)]) -> Check {
        Check { without: knobs, ..self.0 }
    }
}

impl Check {
    /// Counts the check as calibrated, not as reproduced: it agrees with the source but proves
    /// nothing new (a model fitted to the printed figures, an identity, a sorted table).
    #[must_use]
    pub const fn calibrates(mut self) -> Self {
        self.calibrates = true;
        self
    }

    /// The trials that the check reads.
    pub(crate) fn reads(&self) -> Vec<Reads> {
        let reads = |variant: &str, probe: Option<&str>| Reads {
            variant: variant.into(),
            probe: probe.map(str::to_owned),
        };
        match self.reads {
            Trials::Of(variants) => variants.iter().map(|variant| reads(variant, None)).collect(),
            Trials::Observed(pairs) => pairs.iter().map(|(v, p)| reads(v, Some(p))).collect(),
        }
    }
}

/// The check as data.
///
/// # Errors
/// An error of the lab's author: the check reads trials that the lab does not have, or its
/// counter-experiment changes nothing.
pub(crate) fn check_spec(
    check: &Check,
    knobs: &[KnobSpec],
    variants: &[VariantSpec],
) -> anyhow::Result<CheckSpec> {
    let reads = check.reads();
    for Reads { variant, probe } in &reads {
        let known = variants.iter().find(|known| known.name == *variant);
        let known = known.with_context(|| format!("no variant {variant}"))?;
        let runs = match (check.how, probe) {
            (_, Some(probe)) => known.live.is_some() && known.probes.contains(probe),
            (How::Simulated, None) => known.spans(Mode::Simulated).is_some(),
            (_, None) => known.spans(Mode::Live).is_some(),
        };
        let by = probe.as_deref().unwrap_or(check.how.words());
        ensure!(runs, "{variant} has no trials for a check: {by}");
    }
    let without = parsed(check.without, knobs)?;
    let default = |name: &str| knobs.iter().find(|k| k.name == name).map(|knob| &knob.default);
    // A formula may ask for the settings of any variant.
    let turned = |variant: &VariantSpec| {
        let read = reads.is_empty() || reads.iter().any(|reads| reads.variant == variant.name);
        let differs = |(name, value): (&String, &KnobValue)| {
            variant.set.get(name).or(default(name)) != Some(value)
        };
        read && without.iter().any(differs)
    };
    let changes = variants.iter().any(turned)
        || (reads.is_empty() && without.iter().any(|(name, value)| default(name) != Some(value)));
    ensure!(changes, "a counter-experiment changes nothing: {:?}", check.without);
    Ok(CheckSpec { how: check.how, reads, calibrates: check.calibrates, without })
}
