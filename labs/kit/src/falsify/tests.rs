use super::*;
use crate::{
    Answer, Check, Claim, Ctx, Figures, Gap, Knob, Lesson, Source, Variant, closed_form, live,
    simulated,
};

const NOBODY: Source = Source { short: "Nobody", title: "", link: "" };
const LAB: Lab = Lab {
    name: "lab-kit",
    question: "Does a knob arrive?",
    sources: &[&NOBODY],
    knobs: &[Knob::int("level", 7, "", [0, 9], ""), Knob::int("invalid", 0, "", [0, 1], "")],
    variants: &[Variant::new("one", "", note_level).live([20; 3]).simulated([20; 3])],
    claims: &[],
    charts: &[],
    story: Story {
        finding: |e| Ok(format!("The level is {}.", e.metric("one", "level")?.value)),
        reads: &["one"],
        chart: None,
        next: Next { set: &[("level", "6")], ask: "What is the level now?" },
    },
    lessons: &[],
    verbs: &[],
};

fn note_level(ctx: &mut Ctx) -> Result<()> {
    ctx.metric("level", ctx.int("level") as f64, "");
    if ctx.int("invalid") == 1 {
        ctx.invalid("others had the CPUs");
    }
    Ok(())
}

/// With a claim of these checks, and a lesson by the last.
fn lab(checks: &'static [Check]) -> &'static Lab {
    let claim = Claim { id: "L-1", says: "It is seven.", source: &NOBODY, checks, shown_by: &[] };
    let lesson = Lesson { how: checks[checks.len() - 1].how, ..LESSON };
    let (claims, lessons) = (vec![claim].leak(), vec![lesson].leak());
    Box::leak(Box::new(Lab { claims, lessons, ..LAB }))
}

fn verdicts(checks: &'static [Check]) -> Vec<Verdict> {
    let (found, _) = falsify(lab(checks)).unwrap();
    found.iter().map(|f| Verdict::of(f.with.outcome, f.without.outcome)).collect()
}

const SEVEN: fn(&crate::Evidence) -> crate::Judged = |e| e.metric("one", "level")?.near(7.0, 0.0);
const ANY: fn(&crate::Evidence) -> crate::Judged = |e| e.metric("one", "level")?.at_least(0.0);

#[test]
fn each_way_of_checking_can_fail_without_its_cause() {
    const CHECKS: &[Check] = &[
        closed_form(|e| crate::Figure::exact(e.settings().int("level") as f64, "").near(7.0, 0.0))
            .without(&[("level", "6")]),
        simulated(&["one"], SEVEN).without(&[("level", "6")]),
        live(&["one"], SEVEN).without(&[("level", "5")]),
    ];
    assert_eq!(verdicts(CHECKS), [Verdict::CanFail; 3]);
    check_lab(lab(CHECKS));
}

#[test]
#[should_panic(expected = "L-1 live: CANNOT FAIL: reproduced at 7")]
fn a_check_that_holds_without_its_cause_is_refused() {
    const CHECKS: &[Check] = &[live(&["one"], ANY).without(&[("level", "6")])];
    assert_eq!(verdicts(CHECKS), [Verdict::CannotFail]);
    check_lab(lab(CHECKS));
}

const LESSON: Lesson = Lesson {
    claim: "L-1",
    how: How::Live,
    span: "20ms",
    setup: "A level.",
    ask: "What is it?",
    answer: Answer::Count("levels"),
    hints: &["It is seven."],
    figures: |e| Figures::measured(e.metric("one", "level")?.value),
    because: "It was set so.",
    away: "And now?",
    so: "It was set otherwise.",
};

fn teaching(lesson: Lesson) -> &'static Lab {
    const CHECKS: &[Check] = &[live(&["one"], SEVEN).without(&[("level", "5")])];
    Box::leak(Box::new(Lab { lessons: vec![lesson].leak(), ..*lab(CHECKS) }))
}

#[test]
fn a_lesson_is_seen_with_its_cause_and_without() {
    let (_, Seen { taught, .. }) = falsify(teaching(LESSON)).unwrap();
    let measured = (taught[0].with.measured, taught[0].without.measured);
    assert_eq!(measured, (Some(7.0), Some(5.0)));
    check_lab(teaching(LESSON));
}

#[test]
#[should_panic(expected = "lab-kit: it teaches nothing: no lesson")]
fn a_lab_without_a_lesson_is_refused() {
    const CHECKS: &[Check] = &[live(&["one"], SEVEN).without(&[("level", "5")])];
    check_lab(Box::leak(Box::new(Lab { lessons: &[], ..*lab(CHECKS) })));
}

#[test]
#[should_panic(expected = "7 with its cause, 7 without: alike")]
fn a_lesson_whose_figure_does_not_change_with_its_cause_is_refused() {
    check_lab(teaching(Lesson { figures: |_| Figures::measured(7.0), ..LESSON }));
}

#[test]
#[should_panic(expected = "one choice is right for both")]
fn a_lesson_with_one_answer_to_both_questions_is_refused() {
    const OPTIONS: &[(&str, f64, f64)] = &[("few", 0.0, 10.0), ("many", 10.0, 20.0)];
    check_lab(teaching(Lesson { answer: Answer::Choice("levels", OPTIONS), ..LESSON }));
}

#[test]
#[should_panic(expected = "the claim has no check: simulated")]
fn a_lesson_by_a_check_that_the_claim_lacks_is_refused() {
    teaching(Lesson { how: How::Simulated, ..LESSON }).describe();
}

#[test]
#[should_panic(expected = "its finding does not change with its next step")]
fn a_finding_that_is_fixed_text_is_refused() {
    check_lab(telling(Story { finding: |_| Ok("The level is 7.".into()), ..LAB.story }));
}

#[test]
#[should_panic(expected = "lab-kit has no finding: nothing is told")]
fn a_lab_without_a_finding_is_refused() {
    let finding = |_: &crate::Evidence| Err(Gap::Unavailable("nothing is told".into()));
    check_lab(telling(Story { finding, ..LAB.story }));
}

#[test]
#[should_panic(expected = "its story has no next step")]
fn a_story_that_leaves_nothing_to_try_is_refused() {
    check_lab(telling(Story { next: Next { set: &[], ask: "And now?" }, ..LAB.story }));
}

fn telling(story: Story) -> &'static Lab {
    const CHECKS: &[Check] = &[simulated(&["one"], SEVEN).without(&[("level", "6")])];
    Box::leak(Box::new(Lab { story, ..*lab(CHECKS) }))
}

#[test]
#[should_panic(expected = "which it does not name")]
fn a_check_that_reads_trials_it_does_not_name_is_refused() {
    const CHECKS: &[Check] = &[simulated(&[], SEVEN).without(&[("level", "6")])];
    check_lab(lab(CHECKS));
}

#[test]
fn a_live_check_without_evidence_is_not_tested_and_a_simulated_one_is_refused() {
    const INVALID: &[(&str, &str)] = &[("invalid", "1")];
    const LIVE: &[Check] = &[live(&["one"], SEVEN).without(INVALID)];
    assert_eq!(verdicts(LIVE), [Verdict::NotTested]);
    check_lab(lab(LIVE));
    const SIMULATED: &[Check] = &[simulated(&["one"], SEVEN).without(INVALID)];
    assert!(std::panic::catch_unwind(|| check_lab(lab(SIMULATED))).is_err());
}

#[test]
fn a_calibration_is_not_called_reproduced_and_must_be_able_to_fail_too() {
    const CHECKS: &[Check] = &[simulated(&["one"], SEVEN).without(&[("level", "6")]).calibrates()];
    let (found, _) = falsify(lab(CHECKS)).unwrap();
    assert_eq!(found[0].with.outcome, Outcome::Calibrated);
    assert_eq!(found[0].without.outcome, Outcome::NotReproduced);
}
