//! How a run ends on a terminal: a line for each claim, then the finding, the page, what to try.

use std::fmt::Write as _;
use std::path::Path;

use lab_record::{How, Judgement, Outcome, Summary, as_typed, to_json};
use lab_text::program;

use crate::output::{Format, Paint, Tone, columns, paint, paragraph, print, row};
use crate::table::{self, limits, sentences, short, troubles};

/// The least columns for a sentence: cut shorter, it says nothing.
const LEAST_SAID: usize = 16;
/// The width of a figure's column.
const FIGURE: usize = 10;

/// Prints a summary of the run in `dir` in the given format, for people short or in full.
pub(crate) fn print_as(
    format: Format,
    all: bool,
    summary: &Summary,
    dir: &Path,
) -> anyhow::Result<()> {
    print(&match format {
        Format::Human if !all => render(summary, dir, paint()),
        Format::Human => table::render(summary, paint()),
        Format::Json => format!("{}\n", to_json(summary)?),
        Format::Md => lab_report::summary_markdown(summary),
    })
}

/// The short form of a summary; `dir` is its run.
pub(crate) fn render(summary: &Summary, dir: &Path, paint: Paint) -> String {
    let mut text = String::new();
    claims(&mut text, summary, paint);
    sentences(&mut text, &lab_report::answered_in_short(summary));
    limits(&mut text, summary, paint);
    troubles(&mut text, summary);
    story(&mut text, summary);
    let page = dir.join(lab_report::PAGE);
    if page.is_file() {
        row(&mut text, &format!("open  {}", address(&page)));
    }
    next(&mut text, summary);
    text
}

/// A line for each claim that the chosen variants can judge, with its most telling check.
fn claims(text: &mut String, summary: &Summary, paint: Paint) {
    let all: Vec<&[Judgement]> = summary.claims.chunk_by(|a, b| a.id == b.id).collect();
    // If only some variants were chosen, a claim that is checked by a formula alone is left out.
    let some = summary.claims.iter().any(|check| !check.chosen);
    let chosen = |checks: &&&[Judgement]| {
        checks.iter().any(|check| check.chosen && !(some && check.how == How::ClosedForm))
    };
    let shown: Vec<&&[Judgement]> = all.iter().filter(chosen).collect();
    if shown.is_empty() {
        return;
    }
    let width = shown.iter().map(|checks| checks[0].id.chars().count()).max().unwrap_or(0);
    let head = format!("{:<width$}  {:>FIGURE$} {:>FIGURE$}", "claim", "predicted", "measured");
    row(text, &format!("  {head}  says"));
    for checks in &shown {
        claim(text, most_telling(checks), width, paint);
    }
    let left_out = match all.len() - shown.len() {
        0 => String::new(),
        1 => " 1 more claim needs other variants.".to_owned(),
        several => format!(" {several} more claims need other variants."),
    };
    let judged: Vec<Judgement> = summary.claims.iter().filter(|c| c.chosen).cloned().collect();
    let tally = lab_report::tally(&judged);
    paragraph(text, "", &format!("{tally}.{left_out} All rows: {} show --all", program::name()), 0);
    let checks: Vec<&Judgement> = shown.iter().map(|checks| &checks[0]).collect();
    paragraph(text, "from  ", &sources(&checks), 6);
    text.push('\n');
}

/// What the letters of the ids stand for: `TAS: Dean & Barroso 2013; BRK: Brooker 2021, Brooker 2023`.
fn sources(checks: &[&Judgement]) -> String {
    let mut of: Vec<(&str, Vec<&str>)> = Vec::new();
    for check in checks {
        let letters = check.id.split_once('-').map_or(check.id.as_str(), |(letters, _)| letters);
        let source = check.source.as_str();
        match of.iter_mut().find(|(known, _)| *known == letters) {
            Some((_, sources)) if sources.contains(&source) => {}
            Some((_, sources)) => sources.push(source),
            None => of.push((letters, vec![source])),
        }
    }
    let each = of.iter().map(|(letters, sources)| format!("{letters}: {}", sources.join(", ")));
    each.collect::<Vec<_>>().join("; ")
}

/// The most telling of a claim's checks: a failure first, then a reproduction; among equals, the
/// live one. Checks of variants that were not chosen come last.
fn most_telling(checks: &[Judgement]) -> &Judgement {
    let tells = |outcome| match outcome {
        Outcome::NotReproduced => 4,
        Outcome::Invalid => 3,
        Outcome::Reproduced => 2,
        Outcome::Calibrated => 1,
        // A check with a result says more than one that is unavailable here.
        Outcome::Unavailable => 0,
    };
    let by = |check: &Judgement| match check.how {
        How::Live => 3,
        How::Probe => 2,
        How::Simulated => 1,
        How::ClosedForm => 0,
    };
    let chosen = || checks.iter().filter(|check| check.chosen);
    chosen().max_by_key(|check| (tells(check.outcome), by(check))).unwrap_or(&checks[0])
}

fn claim(text: &mut String, check: &Judgement, width: usize, paint: Paint) {
    let figure = |value: Option<f64>| value.map_or("–".into(), |v| short(v, &check.unit, FIGURE));
    let (predicted, measured) = (figure(check.predicted), figure(check.measured));
    let figures = format!("{predicted:>FIGURE$} {measured:>FIGURE$}");
    let room = columns().saturating_sub(width + 2 * FIGURE + 7);
    let says = if room < LEAST_SAID { String::new() } else { cut(&check.says, room) };
    let (sign, tone) = match check.outcome {
        Outcome::Reproduced => ("✓", Tone::Good),
        Outcome::Calibrated => ("≈", Tone::Faint),
        Outcome::NotReproduced => ("✗", Tone::Bad),
        Outcome::Invalid => ("!", Tone::Doubtful),
        Outcome::Unavailable => ("–", Tone::Faint),
    };
    let (sign, id) = (paint.tone(tone, sign), &check.id);
    row(text, &format!("{sign} {id:<width$}  {figures}  {says}"));
}

/// The beginning of a sentence that fits, cut after a word.
fn cut(says: &str, room: usize) -> String {
    if says.chars().count() <= room {
        return says.to_owned();
    }
    let head: String = says.chars().take(room - 1).collect();
    let end = head.rfind(' ').filter(|end| *end > head.len() / 2).unwrap_or(head.len());
    format!("{} …", head[..end].trim_end_matches([',', ':', ' '])).chars().take(room).collect()
}

fn story(text: &mut String, summary: &Summary) {
    match (&summary.story.finding, summary.story.reason.as_str()) {
        (Some(finding), _) => paragraph(text, "", finding, 0),
        (None, "") => {}
        (None, reason) => paragraph(text, "no finding: ", reason, 2),
    }
}

fn next(text: &mut String, summary: &Summary) {
    let Some(next) = &summary.story.next else { return };
    let command = format!("{} lab {} {}", program::name(), summary.lab, as_typed(&next.set));
    row(text, &format!("try   {command}"));
    paragraph(text, "      ", &next.ask, 6);
}

/// The `file:` address of a file, which terminals and browsers open.
pub(crate) fn address(path: &Path) -> String {
    let mut address = "file://".to_owned();
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                address.push(byte as char);
            }
            other => {
                let _ = write!(address, "%{other:02X}");
            }
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_shows_a_failed_check_first_and_then_the_live_one() {
        let checks = |outcomes: [Outcome; 3]| {
            let hows = [How::ClosedForm, How::Simulated, How::Live];
            let zipped = hows.into_iter().zip(outcomes);
            zipped.map(|(how, outcome)| Judgement::bare("X-1", how, outcome)).collect()
        };
        let shown = |outcomes| {
            let checks: Vec<Judgement> = checks(outcomes);
            let Judgement { how, outcome, .. } = most_telling(&checks).clone();
            (how, outcome)
        };
        use Outcome::{Calibrated, Invalid, NotReproduced, Reproduced, Unavailable};
        assert_eq!(shown([Reproduced; 3]), (How::Live, Reproduced));
        assert_eq!(shown([Reproduced, NotReproduced, Invalid]), (How::Simulated, NotReproduced));
        assert_eq!(shown([Calibrated, Reproduced, Unavailable]), (How::Simulated, Reproduced));
    }

    #[test]
    fn the_letters_of_the_ids_are_explained_by_the_sources_of_their_claims() {
        let of = [("TAS-2", "Dean"), ("BRK-1", "Brooker 2021"), ("TAS-7", "Dean"), ("BRK-2", "Li")];
        let checks = of.map(|(id, source)| Judgement {
            source: source.to_owned(),
            ..Judgement::bare(id, How::Live, Outcome::Reproduced)
        });
        assert_eq!(sources(&checks.each_ref()), "TAS: Dean; BRK: Brooker 2021, Li");
    }

    #[test]
    fn a_sentence_is_cut_after_a_word_and_fits() {
        assert_eq!(cut("short enough", 12), "short enough");
        assert_eq!(cut("of a hundred leaves, one", 20), "of a hundred …");
        for room in 8..40 {
            assert!(cut("of a hundred leaves, one answers late", room).chars().count() <= room);
        }
    }

    #[test]
    fn an_address_is_percent_encoded() {
        assert_eq!(address(Path::new("/a b/ü.html")), "file:///a%20b/%C3%BC.html");
    }
}
