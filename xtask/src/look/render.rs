//! Renders a look for a terminal of eighty columns: what stands out, the USE table, and a table for
//! each command.

use std::collections::BTreeMap;

use lab_record::table::Table;
use lab_record::{Figure, Look, Resource, StandsOut};
use lab_text::program;
use lab_text::terminal::one_line;

use crate::output::{Paint, Tone, paragraph, row};
use crate::quantity::number;
use crate::rows;

/// The width of the resources' names, and of a cell.
const NAME: usize = 9;
const CELL: usize = 25;
const WIDTH: usize = 80;
/// The most rows of a table; the JSON has all.
const ROWS: usize = 10;

/// The whole look; lines are cut to the terminal's width if `cut`.
pub(super) fn look(look: &Look, paint: Paint, cut: bool) -> String {
    let mut text = String::new();
    for StandsOut { says, closer } in &look.stands_out {
        // A program can give itself any name.
        paragraph(&mut text, "", &one_line(says), 2);
        row(&mut text, &format!("  closer: {}", program::as_called(&one_line(closer))));
    }
    if look.stands_out.is_empty() {
        row(&mut text, "Nothing stands out: no resource was near its limit.");
    }
    text.push('\n');
    row(&mut text, &format!("{:NAME$}{:CELL$}{:CELL$}errors", "", "utilisation", "saturation"));
    look.resources.iter().for_each(|resource| cells(&mut text, resource, paint));
    paragraph(
        &mut text,
        "",
        "! stands out, ~ in its worst second alone, – this machine does not report",
        0,
    );
    for table in &look.tables {
        text.push('\n');
        row(&mut text, &paint.tone(Tone::Good, &table.name));
        let shown =
            Table { rows: table.rows.iter().take(ROWS).cloned().collect(), ..table.clone() };
        rows::table(&mut text, &shown, cut.then_some(WIDTH));
        if let Some(more) = table.rows.len().checked_sub(ROWS + 1) {
            row(&mut text, &format!("… and {} more: --format json", more + 1));
        }
    }
    text.push('\n');
    for (reason, what) in unavailable(look) {
        paragraph(&mut text, &format!("– {}: ", what.join(", ")), &reason, 2);
    }
    let cost =
        look.own_cpu_ratio.map(|ratio| format!("; looking took {:.2} % of a CPU", 100.0 * ratio));
    row(&mut text, &format!("looked for {:.1} s{}", look.seconds, cost.unwrap_or_default()));
    text
}

/// What this machine does not report, by reason.
fn unavailable(look: &Look) -> BTreeMap<String, Vec<String>> {
    let mut by_reason: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for resource in &look.resources {
        for figure in resource.figures().filter(|figure| figure.value.is_none()) {
            let what = format!("{} {}", resource.name, named(figure));
            by_reason.entry(figure.reason.clone()).or_default().push(what);
        }
    }
    for (command, reason) in &look.unavailable {
        by_reason.entry(reason.clone()).or_default().push(command.clone());
    }
    by_reason
}

/// A line for the first figures of all cells, one for the second, and so on.
fn cells(text: &mut String, resource: &Resource, paint: Paint) {
    let cells = resource.cells();
    let lines = cells.iter().map(|cell| cell.len()).max().unwrap_or(0);
    for line in 0..lines {
        let name = if line == 0 { resource.name.as_str() } else { "" };
        let cells = cells.map(|cell| cell.get(line).map_or((String::new(), None), figure));
        let padded = cells.map(|(words, tone)| {
            let padded = format!("{words:CELL$}");
            tone.map_or(padded.clone(), |tone| paint.tone(tone, &padded))
        });
        row(text, &format!("{name:NAME$}{}", padded.concat()));
    }
}

/// `vda busy 97.2 % !`
fn figure(figure: &Figure) -> (String, Option<Tone>) {
    let Some(value) = figure.value else { return (format!("{} –", named(figure)), None) };
    let value = if figure.unit == "%" { format!("{value:.1}") } else { number(value) };
    let unit = if figure.unit == "/s" { "/s".into() } else { format!(" {}", figure.unit) };
    let (mark, tone) = match (figure.lit(), figure.lit_for_a_moment()) {
        (true, _) => (" !", Some(Tone::Bad)),
        (_, true) => (" ~", Some(Tone::Doubtful)),
        _ => ("", None),
    };
    (format!("{} {value}{}{mark}", named(figure), unit.trim_end()), tone)
}

fn named(figure: &Figure) -> String {
    format!("{} {}", figure.of, figure.what).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure_of(what: &str, value: Option<f64>, worst: Option<f64>) -> Figure {
        let reason = if value.is_none() { "not reported" } else { "" };
        Figure {
            what: what.into(),
            value,
            worst,
            unit: "%".into(),
            limit: Some(90.0),
            reason: reason.into(),
            ..Figure::default()
        }
    }

    #[test]
    fn a_look_fits_eighty_columns_and_marks_what_stands_out() {
        let resource = Resource {
            name: "CPU".into(),
            utilisation: vec![
                figure_of("busy", Some(97.25), Some(100.0)),
                Figure { of: "cpu1".into(), ..figure_of("busy", Some(50.0), Some(99.0)) },
            ],
            saturation: vec![figure_of("tasks waited", None, None)],
            errors: vec![],
        };
        let stands_out =
            vec![StandsOut { says: "CPU: busy 97 %".into(), closer: "cargo xtask x".into() }];
        let table = Table { name: "vmstat 1".into(), columns: vec![], rows: vec![vec![]; 12] };
        let seen = Look {
            seconds: 3.0,
            stands_out,
            resources: vec![resource],
            tables: vec![table],
            own_cpu_ratio: Some(0.0012),
            ..Look::default()
        };
        let expected = "\
CPU: busy 97 %
  closer: cargo xtask x

         utilisation              saturation               errors
CPU      busy 97.2 % !            tasks waited –
         cpu1 busy 50.0 % ~
! stands out, ~ in its worst second alone, – this machine does not report

vmstat 1











… and 2 more: --format json

– CPU tasks waited: not reported
looked for 3.0 s; looking took 0.12 % of a CPU
";
        assert_eq!(look(&seen, Paint::Plain, true), expected);
        assert!(look(&Look::default(), Paint::Plain, true).starts_with("Nothing stands out"));
    }

    #[test]
    fn the_name_that_a_program_gave_itself_cannot_control_a_terminal() {
        let says = "CPU: \u{1b}[2J\nall is well".to_owned();
        let stands_out = vec![StandsOut { closer: says.clone(), says }];
        let text = look(&Look { stands_out, ..Look::default() }, Paint::Plain, true);
        assert!(!text.contains('\u{1b}') && text.contains(r"\u{1b}[2J\u{a}all"), "{text}");
    }
}
