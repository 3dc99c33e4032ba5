//! A small run inside a lab's tests: planned, run and judged in this process, as a runner would do
//! it from outside.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use lab_record::probe::ProbeRecord;
use lab_record::{
    Claims, Exit, How, Judgement, Knobs, Metric, Metrics, Mode, Outcome, Plan, State, Trial,
    read_json, write_json,
};

use crate::ctx::Ctx;
use crate::lab::Lab;
use crate::observation::directory;
use crate::observer::Observer;
use crate::program::{judge, run};
use crate::settings::parsed;

/// What to rehearse.
#[derive(Debug, Clone, Copy)]
pub struct Rehearsal<'a> {
    /// Live or simulated.
    pub mode: Mode,
    /// The variants to run, one trial each.
    pub variants: &'a [&'a str],
    /// Knobs turned away from their defaults, written as after `--set`.
    pub set: &'a [(&'a str, &'a str)],
    /// The measured span; by default each variant's quick one.
    pub measure: Option<Duration>,
}

/// The lab with another function for some of its variants: for tests of checks with made-up
/// figures.
///
/// # Panics
/// The lab has no such variant.
pub fn stub(lab: &Lab, variants: &[&str], run: fn(&mut Ctx) -> anyhow::Result<()>) -> Lab {
    let mut stubbed = lab.variants.to_vec();
    for name in variants {
        let variant = stubbed.iter_mut().find(|variant| variant.name == *name);
        let variant = variant.unwrap_or_else(|| panic!("no variant {name}"));
        (variant.run, variant.responds) = (run, false);
    }
    // A lab is a constant, and so are its parts: a test may leak them.
    Lab { variants: stubbed.leak(), ..*lab }
}

/// Load before the measured span of a live trial: time to connect.
const WARMUP_MS: u64 = 100;

/// Makes a run in `dir`, an empty directory, and judges the lab's claims from it. The run stays
/// there and can be read like any other.
///
/// # Errors
/// A variant or knob is unknown, a variant does not run in this mode or fails, or the directory
/// cannot be written.
pub fn rehearse(lab: &Lab, dir: &Path, what: Rehearsal<'_>) -> anyhow::Result<Vec<Judgement>> {
    rehearse_plan(lab, dir, &plan(lab, what)?, |_, trial| run(lab, trial))
}

/// As [`rehearse`], with a stub for the probe `probe`, which observes every trial: from a trial's
/// own metrics, `saw` returns what the probe is to have seen; it may leave stacks in
/// `trials/<id>/probe`. So a test can make each check of a probe hold and fail without the rights
/// to load one.
///
/// # Errors
/// As [`rehearse`].
pub fn rehearse_observed(
    lab: &Lab,
    dir: &Path,
    what: Rehearsal<'_>,
    probe: &str,
    saw: impl Fn(&Metrics) -> ProbeRecord,
) -> anyhow::Result<Vec<Judgement>> {
    let mut plan = plan(lab, what)?;
    plan.trials.iter_mut().for_each(|trial| trial.probe = Some(probe.into()));
    rehearse_plan(lab, dir, &plan, |_, trial| {
        run(lab, trial)?;
        fs::create_dir_all(directory(trial))?;
        let record = saw(&read_json(&trial.join("metrics.json"))?);
        write_json(&directory(trial).join(probe).with_extension("json"), &record)
    })
}

/// As [`rehearse`], with real probes: each variant's trial is a process of its own, under the probe
/// at the same index in `probes`.
///
/// # Errors
/// As [`rehearse`]; or the observer fails.
pub fn rehearse_probed(
    lab: &Lab,
    dir: &Path,
    what: Rehearsal<'_>,
    probes: &[&str],
    observer: &Observer,
) -> anyhow::Result<Vec<Judgement>> {
    let mut plan = plan(lab, what)?;
    ensure!(plan.trials.len() == probes.len(), "a probe for each variant");
    for (trial, probe) in plan.trials.iter_mut().zip(probes) {
        trial.probe = Some((*probe).into());
    }
    rehearse_plan(lab, dir, &plan, |planned, trial| {
        observer.observe(planned.probe.as_deref().unwrap_or_default(), trial)
    })
}

/// Has `run_one` run each trial of `plan` in its directory, and judges them.
fn rehearse_plan(
    lab: &Lab,
    dir: &Path,
    plan: &Plan,
    run_one: impl Fn(&Trial, &Path) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Judgement>> {
    write_json(&dir.join("plan.json"), plan)?;
    for trial in &plan.trials {
        let dir = dir.join("trials").join(&trial.id);
        fs::create_dir_all(&dir)?;
        write_json(&dir.join("trial.json"), trial)?;
        run_one(trial, &dir).with_context(|| format!("trial {}", trial.id))?;
        finished(&dir)?;
    }
    judged(lab, dir)
}

/// Judges the lab's claims from made-up figures: each is a variant's metric, its value, and for a
/// proportion its sample size. For tests of the checks themselves, one requirement at a time.
///
/// # Errors
/// A variant is unknown, or does not run in this mode, or `dir` cannot be written.
pub fn judge_figures(
    lab: &Lab,
    dir: &Path,
    mode: Mode,
    figures: &[(&str, &str, f64, Option<u64>)],
) -> anyhow::Result<Vec<Judgement>> {
    let mut variants: Vec<&str> = figures.iter().map(|(variant, ..)| *variant).collect();
    variants.sort_unstable();
    variants.dedup();
    let plan = plan(lab, Rehearsal { mode, variants: &variants, set: &[], measure: None })?;
    write_json(&dir.join("plan.json"), &plan)?;
    for trial in &plan.trials {
        let dir = dir.join("trials").join(&trial.id);
        fs::create_dir_all(&dir)?;
        write_json(&dir.join("trial.json"), trial)?;
        let mut metrics = Metrics::default();
        for (_, name, value, of) in figures.iter().filter(|figure| figure.0 == trial.variant) {
            let of = of.map(|of| ((value * of as f64).round() as u64, of));
            metrics
                .metrics
                .insert((*name).into(), Metric { value: *value, unit: String::new(), of });
        }
        write_json(&dir.join("metrics.json"), &metrics)?;
        finished(&dir)?;
    }
    judged(lab, dir)
}

/// Asserts that a single live check notices a wrong figure: with each of `off` (variant, metric,
/// value) in place of the one in `figures`, the check of `claim` does not hold and shows `shown`,
/// and all others hold.
///
/// # Errors
/// As [`judge_figures`]; or a check says otherwise.
pub fn fails_alone(
    lab: &Lab,
    dir: &Path,
    figures: &[(&str, &str, f64, Option<u64>)],
    off: &[(&str, &str, f64)],
    claim: &str,
    shown: f64,
) -> anyhow::Result<()> {
    let mut figures = figures.to_vec();
    for (variant, metric, value) in off {
        let injected = figures.iter_mut().find(|figure| (figure.0, figure.1) == (variant, metric));
        injected.with_context(|| format!("no figure {variant} {metric}"))?.2 = *value;
    }
    let judged = judge_figures(lab, dir, Mode::Live, &figures)?;
    let live = judged.into_iter().filter(|judged| judged.how == How::Live);
    let (noticing, others): (Vec<_>, Vec<_>) = live.partition(|judged| judged.id == claim);
    ensure!(!noticing.is_empty(), "no live check of {claim}");
    for check in noticing {
        ensure!(check.outcome == Outcome::NotReproduced, "{off:?}: {check:?}");
        let shows = check.measured.is_some_and(|measured| (measured - shown).abs() < 1e-9);
        ensure!(shows, "{off:?} is to show as {shown}: {check:?}");
    }
    for check in others {
        ensure!(check.outcome == Outcome::Reproduced, "{off:?}: {check:?}");
    }
    Ok(())
}

/// Records that the trial in `dir` has finished.
pub(crate) fn finished(dir: &Path) -> anyhow::Result<()> {
    let exit = Exit {
        state: State::Finished,
        code: Some(0),
        signal: None,
        lived_ms: 0,
        others_cpu_ratio: None,
    };
    write_json(&dir.join("exit.json"), &exit)
}

fn judged(lab: &Lab, dir: &Path) -> anyhow::Result<Vec<Judgement>> {
    judge(lab, dir)?;
    Ok(read_json::<Claims>(&dir.join("claims.json"))?.claims)
}

pub(crate) fn plan(lab: &Lab, what: Rehearsal<'_>) -> anyhow::Result<Plan> {
    let mut plan = Plan {
        command: vec!["rehearse".into(), lab.name.into()],
        created: "1970-01-01T00:00:00Z".into(),
        mode: what.mode,
        seed: 1,
        description: lab.describe(),
        set: Knobs::new(),
        trials: Vec::new(),
        without_probes: BTreeMap::new(),
        limits: Vec::new(),
    };
    plan.set = parsed(what.set, &plan.description.knobs)?;
    for name in what.variants {
        let trial = trial(&plan, name, what.mode, what.measure)?;
        plan.trials.push(trial);
    }
    Ok(plan)
}

/// The next trial of a plan, by default with its variant's quick span.
pub(crate) fn trial(
    plan: &Plan,
    name: &str,
    mode: Mode,
    measure: Option<Duration>,
) -> anyhow::Result<Trial> {
    let variants = &plan.description.variants;
    let variant = variants.iter().find(|variant| variant.name == name);
    let variant = variant.with_context(|| format!("no variant `{name}`"))?;
    let spans = variant.spans(mode);
    let spans = spans.with_context(|| format!("`{name}` does not run {mode:?}"))?;
    let measure_ms = measure.map_or(spans.quick_ms, |span| span.as_millis() as u64);
    Ok(Trial {
        id: format!("{:03}-{name}", plan.trials.len() + 1),
        lab: plan.description.name.clone(),
        variant: name.into(),
        label: name.into(),
        mode,
        seed: plan.seed,
        warmup_ms: if mode == Mode::Live { WARMUP_MS } else { 0 },
        measure_ms,
        interval_ms: measure_ms.div_ceil(10),
        deadline_ms: u64::MAX,
        knobs: plan.knobs_of(Some(name)),
        profile: None,
        probe: None,
        inject: None,
    })
}

#[cfg(test)]
mod tests {
    use lab_record::probe::ProbeCost;
    use lab_record::{Inject, Run};

    use super::*;
    use crate::story::{NONE, Story, tell};
    use crate::{Check, Claim, Ctx, Figure, Knob, Source, Variant, observed, simulated};

    const NOBODY: Source = Source { short: "Nobody", title: "", link: "" };
    const CHECK: Check = simulated(&["one"], |e| e.metric("one", "level")?.near(7.0, 0.0))
        .without(&[("level", "6")]);
    const LAB: Lab = Lab {
        name: "level",
        question: "Does a knob arrive?",
        sources: &[&NOBODY],
        knobs: &[Knob::int("level", 7, "", [0, 9], "")],
        variants: &[Variant::new("one", "", note_level).simulated([20, 20, 20])],
        claims: &[Claim {
            id: "L-1",
            says: "It is seven.",
            source: &NOBODY,
            checks: &[CHECK],
            shown_by: &[],
        }],
        charts: &[],
        story: NONE,
        lessons: &[],
        verbs: &[],
    };

    /// A variant that declares that it responds, and settles no ledger.
    const MUTE: Lab = Lab {
        variants: &[Variant::new("one", "", note_level).live([20, 20, 20]).responds()],
        claims: &[],
        ..LAB
    };

    fn note_level(ctx: &mut Ctx) -> anyhow::Result<()> {
        ctx.metric("level", ctx.int("level") as f64, "");
        Ok(())
    }

    fn outcome(set: &[(&str, &str)]) -> anyhow::Result<Outcome> {
        let dir = tempfile::tempdir().unwrap();
        let what = Rehearsal { mode: Mode::Simulated, variants: &["one"], set, measure: None };
        let judged = rehearse(&LAB, dir.path(), what)?;
        assert_eq!(Run::load(dir.path()).unwrap().finished.len(), 1);
        Ok(judged[0].outcome)
    }

    #[test]
    fn a_finding_about_variants_that_were_not_chosen_is_not_told_and_nothing_is_suggested() {
        let dir = tempfile::tempdir().unwrap();
        let what = Rehearsal { mode: Mode::Simulated, variants: &["one"], set: &[], measure: None };
        rehearse(&LAB, dir.path(), what).unwrap();
        let run = Run::load(dir.path()).unwrap();
        let told = |reads| tell(&Story { finding: |_| Ok("Seven.".into()), reads, ..NONE }, &run);
        assert_eq!(told(&["one"]).finding.as_deref(), Some("Seven."));
        let other = told(&["two"]);
        assert_eq!(other.reason, "it is about two, which was not chosen");
        assert_eq!((other.finding, other.next), (None, None));
    }

    /// A lab whose claim is checked by a probe, which has to see as many events as the trial made.
    const SEEN: Lab = Lab {
        variants: &[Variant::new("one", "", note_level).live([20, 20, 20]).probed(&["execsnoop"])],
        claims: &[Claim {
            id: "L-2",
            says: "A probe sees all of them.",
            source: &NOBODY,
            checks: const {
                &[observed(&[("one", "execsnoop")], |e| {
                    let seen = e.observation("one", "execsnoop")?;
                    let events = seen.record.cost.events as f64;
                    Figure::exact(events, "").near(seen.metric("level")?, 0.0)
                })
                .without(&[("level", "6")])]
            },
            shown_by: &[],
        }],
        ..LAB
    };

    fn record(events: u64) -> ProbeRecord {
        let cost = ProbeCost { events, ..ProbeCost::default() };
        ProbeRecord { cost, ..ProbeRecord::empty("execsnoop") }
    }

    #[test]
    fn what_a_probe_saw_is_compared_with_what_the_trial_did() {
        let what = Rehearsal { mode: Mode::Live, variants: &["one"], set: &[], measure: None };
        let saw = |events| {
            let dir = tempfile::tempdir().unwrap();
            let judged =
                rehearse_observed(&SEEN, dir.path(), what, "execsnoop", |_| record(events));
            judged.unwrap()[0].outcome
        };
        assert_eq!([saw(7), saw(6)], [Outcome::Reproduced, Outcome::NotReproduced]);
    }

    #[test]
    fn checks_of_a_probe_that_did_not_run_are_unavailable_with_a_reason() {
        let dir = tempfile::tempdir().unwrap();
        let what = Rehearsal { mode: Mode::Live, variants: &["one"], set: &[], measure: None };
        let judged = rehearse(&SEEN, dir.path(), what).unwrap();
        assert_eq!(judged[0].outcome, Outcome::Unavailable);
        assert_eq!(judged[0].reason, "one has no finished trial that execsnoop observed");
        let mut plan: Plan = read_json(&dir.path().join("plan.json")).unwrap();
        plan.without_probes.insert("execsnoop".into(), "no rights".into());
        write_json(&dir.path().join("plan.json"), &plan).unwrap();
        judge(&SEEN, dir.path()).unwrap();
        let judged = read_json::<Claims>(&dir.path().join("claims.json")).unwrap().claims;
        assert_eq!((judged[0].outcome, &*judged[0].reason), (Outcome::Unavailable, "no rights"));
    }

    #[test]
    #[should_panic(expected = "variant one: no probe execsnop")]
    fn an_unknown_probe_name_panics_in_describe() {
        const MISSPELT: Lab = Lab {
            variants: &[Variant::new("one", "", note_level).live([1, 1, 1]).probed(&["execsnop"])],
            ..LAB
        };
        MISSPELT.describe();
    }

    #[test]
    fn a_variant_that_says_it_responds_settles_a_ledger() {
        let dir = tempfile::tempdir().unwrap();
        let what = Rehearsal { mode: Mode::Live, variants: &["one"], set: &[], measure: None };
        let error = rehearse(&MUTE, dir.path(), what).unwrap_err();
        assert!(format!("{error:#}").contains("if and only if it settles a ledger"), "{error:#}");
    }

    #[test]
    fn an_injected_slowness_without_effect_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let what = Rehearsal { mode: Mode::Simulated, variants: &["one"], set: &[], measure: None };
        let planned = plan(&LAB, what).unwrap().trials.remove(0);
        let inject = Some(Inject { from_quantile: 0.0, ratio: 0.1 });
        write_json(&dir.path().join("trial.json"), &Trial { inject, ..planned }).unwrap();
        let error = run(&LAB, dir.path()).unwrap_err();
        assert!(error.to_string().contains("nothing here can show it"), "{error}");
        assert!(!dir.path().join("metrics.json").exists());
    }

    #[test]
    fn made_up_figures_are_judged_without_a_run() {
        for (level, expected) in [(7.0, Outcome::Reproduced), (6.0, Outcome::NotReproduced)] {
            let dir = tempfile::tempdir().unwrap();
            let figures = [("one", "level", level, None)];
            let judged = judge_figures(&LAB, dir.path(), Mode::Simulated, &figures).unwrap();
            assert_eq!((judged[0].outcome, judged[0].measured), (expected, Some(level)));
        }
    }

    #[test]
    fn a_rehearsal_plans_runs_and_judges() {
        assert_eq!(outcome(&[]).unwrap(), Outcome::Reproduced);
        assert_eq!(outcome(&[("level", "6")]).unwrap(), Outcome::NotReproduced);
        assert!(outcome(&[("level", "10")]).is_err(), "out of bounds");
        assert!(outcome(&[("depth", "1")]).is_err(), "no such knob");
    }
}
