//! What a learner reads: the question, three figures on a line and as bars, and what follows.

use lab_record::{Answer, Answered, ClaimSpec, Description, LessonSpec, as_typed};
use lab_verdict::render::count;

use super::answer::{example, figure, held_against, letter, prediction, right};
use crate::output::{Paint, Tone, columns, paragraph, row};

/// The greatest width of a line of bars.
const WIDEST: usize = 80;
/// Columns that a prompt leaves for what is typed.
const ROOM_TO_TYPE: usize = 8;

/// What to expect, and how to answer.
pub(super) fn welcome(lab: &Description) -> String {
    let mut text = String::new();
    paragraph(&mut text, &format!("{}: ", lab.name), &lab.question, 2);
    let questions = lab.lessons.len();
    let words = format!(
        "{questions} questions, each asked twice: you predict, the lab runs for some seconds, and you \
         see. Then the cause is taken away, and you predict again. Type ? for a hint. Ctrl-C ends; \
         what you have answered is kept."
    );
    paragraph(&mut text, "", &words, 0);
    text
}

/// The set-up of a lesson.
pub(super) fn setup(lab: &Description, number: usize, lesson: &LessonSpec, paint: Paint) -> String {
    let mut text = "\n".to_owned();
    let source = claim(lab, lesson).map(|claim| claim.source.as_str()).unwrap_or_default();
    let mut head = String::new();
    let words = format!("{number} of {}: {}, after {source}", lab.lessons.len(), lesson.claim);
    paragraph(&mut head, "", &words, 0);
    row(&mut text, &paint.tone(Tone::Good, head.trim_end()));
    paragraph(&mut text, "", &lesson.setup, 0);
    text
}

/// A question, and its options if it has any.
pub(super) fn question(words: &str, answer: &Answer) -> String {
    let mut text = "\n".to_owned();
    paragraph(&mut text, "", words, 0);
    if let Answer::Choice { options, .. } = answer {
        for (place, option) in options.iter().enumerate() {
            paragraph(&mut text, &format!("  {}  ", letter(place)), &option.says, 5);
        }
    }
    text
}

/// `your prediction (a share, such as 20 %): `; on a narrow terminal, the hint is on a line above.
pub(super) fn prompt(answer: &Answer) -> String {
    let how = match answer {
        Answer::Choice { .. } => "? for a hint".into(),
        _ => example(answer),
    };
    let prompt = format!("your prediction ({how}): ");
    if prompt.chars().count() + ROOM_TO_TYPE <= columns() {
        return prompt;
    }
    let mut text = String::new();
    paragraph(&mut text, "", &format!("Write {how}."), 0);
    text + "your prediction: "
}

/// The three figures on a line, and below it as bars.
pub(super) fn result(answered: &Answered, answer: &Answer, paint: Paint) -> String {
    let mut text = "\n".to_owned();
    let Answered { value: mine, predicted, measured, .. } = *answered;
    let mut line = format!("you {}", prediction(mine, answer));
    for (name, value) in [("predicted", predicted), ("measured", measured)] {
        if let Some(value) = value {
            line.push_str(&format!(", {name} {}", figure(value, answer)));
        }
    }
    if let Some(measured) = measured {
        line.push_str(&format!(": {}", held_against(mine, measured, answer)));
    }
    paragraph(&mut text, "", &line, 0);
    let drawn = if let Answer::Choice { .. } = answer { None } else { Some(mine) };
    let bars = [
        ("you", drawn, Tone::Doubtful),
        ("predicted", predicted, Tone::Faint),
        ("measured", measured, Tone::Good),
    ];
    let bars = bars.into_iter().filter_map(|(name, value, tone)| Some((name, value?, tone)));
    if measured.is_some() {
        draw(&mut text, &bars.collect::<Vec<_>>(), answer, paint);
    }
    text
}

fn draw(text: &mut String, bars: &[(&str, f64, Tone)], answer: &Answer, paint: Paint) {
    let most = match answer {
        Answer::Share => 1.0,
        _ => bars.iter().map(|bar| bar.1).fold(0.0, f64::max),
    };
    let figures: Vec<String> = bars.iter().map(|bar| figure(bar.1, answer)).collect();
    let wide = figures.iter().map(|figure| figure.chars().count()).max().unwrap_or(0);
    let room = columns().min(WIDEST).saturating_sub(wide + 14);
    for ((name, value, tone), figure) in bars.iter().zip(&figures) {
        let share = if most > 0.0 { value / most } else { 0.0 };
        let bar = paint.tone(*tone, &bar(share, room));
        row(text, &format!("  {name:<9} {figure:>wide$}  {bar}"));
    }
}

/// A bar of `share` of `room` columns, to an eighth of a column; a share above zero is always
/// visible.
fn bar(share: f64, room: usize) -> String {
    let eighths = (share.clamp(0.0, 1.0) * (8 * room) as f64).round() as usize;
    let eighths = if share > 0.0 { eighths.max(1) } else { eighths };
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    "█".repeat(eighths / 8) + part
}

/// The introduction to the run without its cause.
pub(super) fn away(lesson: &LessonSpec) -> String {
    let mut text = "\n".to_owned();
    paragraph(&mut text, "Without the cause: ", &as_typed(&lesson.without), 2);
    text
}

/// All answers once more, what the sources say, and where to read on.
pub(super) fn ending(lab: &Description, answers: &[Answered], readme: Option<&str>) -> String {
    let mut text = "\n".to_owned();
    let results = answers.iter().filter(|answered| answered.measured.is_some()).count();
    let causes = answers.iter().filter(|a| !a.without.is_empty() && a.measured.is_some()).count();
    let words = format!(
        "{} made, {} seen, {} taken away.",
        count(answers.len(), "prediction"),
        count(results, "result"),
        count(causes, "cause")
    );
    paragraph(&mut text, "", &words, 0);
    table(&mut text, &lab.lessons, answers);
    text.push_str("\nWhat the sources say:\n");
    for lesson in &lab.lessons {
        if let Some(claim) = claim(lab, lesson) {
            let says = format!("{} ({})", claim.says, claim.source);
            paragraph(&mut text, &format!("  {:<8} ", lesson.claim), &says, 11);
        }
    }
    text.push_str("\nRead on:\n");
    let cited = |short: &str| {
        lab.lessons.iter().any(|l| claim(lab, l).is_some_and(|claim| claim.source == short))
    };
    for source in lab.sources.iter().filter(|source| cited(&source.short)) {
        paragraph(&mut text, "  ", &format!("{} {}", source.title, source.link), 4);
    }
    readme.iter().for_each(|readme| row(&mut text, &format!("  {readme}")));
    let program = lab_text::program::name();
    let command = format!("{program} lab {}: all of its claims, and a page", lab.name);
    paragraph(&mut text, "  ", &command, 4);
    text
}

/// A row for each answer: the claim, what was predicted and measured, and the knobs that were set.
fn table(text: &mut String, lessons: &[LessonSpec], answers: &[Answered]) {
    let mut rows = vec![([String::new(), "you".into(), "measured".into()], String::new())];
    for lesson in lessons {
        for answered in answers.iter().filter(|answered| answered.claim == lesson.claim) {
            let mine = prediction(answered.value, &lesson.answer);
            let measured = answered.measured.map_or("–".into(), |m| right(m, &lesson.answer));
            rows.push(([lesson.claim.clone(), mine, measured], as_typed(&answered.without)));
        }
    }
    let wide = [0, 1, 2].map(|column| {
        rows.iter().map(|(cells, _)| cells[column].chars().count()).max().unwrap_or(0)
    });
    for ([claim, mine, measured], set) in &rows {
        let [a, b, c] = wide;
        let figures = format!("  {claim:<a$}  {mine:>b$}  {measured:>c$}  ");
        paragraph(text, &figures, set, 4);
    }
}

fn claim<'a>(lab: &'a Description, lesson: &LessonSpec) -> Option<&'a ClaimSpec> {
    lab.claims.iter().find(|claim| claim.id == lesson.claim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_one_kind_share_a_line_and_a_scale() {
        let answered = Answered {
            value: 0.1,
            predicted: Some(0.634),
            measured: Some(0.65),
            ..Answered::default()
        };
        let text = result(&answered, &Answer::Share, Paint::Plain);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "you 10 %, predicted 63.4 %, measured 65 %: 55 points too low");
        let widths: Vec<usize> = lines[2..].iter().map(|line| line.matches('█').count()).collect();
        assert_eq!(widths, [6, 38, 39], "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn a_small_bar_is_seen_and_a_full_one_fits() {
        assert_eq!([bar(0.0, 10), bar(1e-6, 10), bar(0.55, 10)], ["", "▏", "█████▌"]);
        assert_eq!(bar(1.0, 10).chars().count(), 10);
    }

    #[test]
    fn what_was_not_measured_has_no_bar() {
        let answered = Answered { value: 3.0, ..Answered::default() };
        let text = result(&answered, &Answer::Times, Paint::Plain);
        assert_eq!(text, "\nyou 3×\n");
    }
}
