//! What a probe saw, for a terminal of eighty columns: histograms in powers of two as bcc prints
//! them, and tables.

use std::collections::BTreeMap;

use lab_record::probe::{PROBES, ProbeHistogram, ProbeRecord, ProbeSpec};
use lab_text::terminal::one_line;

use crate::quantity::{nanoseconds, number, quantity};
use crate::rows::table;

pub(super) const WIDTH: usize = 80;
/// The widest bar.
const BAR: usize = 40;

/// Every probe and its settings.
pub(super) fn list() -> String {
    let mut text = String::new();
    for ProbeSpec { name, shows, settings, .. } in PROBES {
        line(&mut text, &format!("{name:<13} {shows}"));
        for setting in *settings {
            let values = setting.choices();
            line(
                &mut text,
                &format!("{:13} --set {}={values}: {}", "", setting.name, setting.help),
            );
        }
    }
    text
}

/// The whole record, with no line longer than `width`. Rows are left out unless `with_rows`, if
/// they were printed before.
pub(super) fn record(record: &ProbeRecord, width: Option<usize>, with_rows: bool) -> String {
    let mut text = String::new();
    for part in &record.intervals {
        let span = (part.start_s, part.start_s + part.length_s);
        line(&mut text, &format!("{:.1} s to {:.1} s", span.0, span.1));
        part.histograms.iter().for_each(|h| histogram(&mut text, h));
    }
    if !record.intervals.is_empty() {
        line(&mut text, "all of it");
    }
    record.histograms.iter().for_each(|h| histogram(&mut text, h));
    if with_rows {
        for of_events in &record.tables {
            table(&mut text, of_events, width);
            text.push('\n');
        }
    }
    for stacks in &record.folded {
        let total = format!("{} {}", number(stacks.total as f64), stacks.unit);
        let rootless = stacks.rootless * 100.0;
        let words = format!("{}: {total}, {rootless:.1} % without a root", stacks.file);
        line(&mut text, &words);
    }
    wrapped(&mut text, &footer(record), width);
    for note in &record.notes {
        wrapped(&mut text, &format!("note: {note}"), width);
    }
    text
}

/// Losses are always shown: zero is worth knowing.
fn footer(record: &ProbeRecord) -> String {
    let counted = format!("{} events", number(record.cost.events as f64));
    let losses = record.losses;
    let lost = [
        (losses.map_full, "no room in a map"),
        (losses.ring_full, "no room in the ring buffer"),
        (losses.stacks, "no room for a stack"),
        (losses.skipped_runs, "a program was running already"),
        (losses.unfinished, "the kernel did not report the end"),
    ];
    let lost: Vec<String> = lost
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, why)| format!("{} lost: {why}", number(*count as f64)))
        .collect();
    let lost = if lost.is_empty() { "0 lost".to_owned() } else { lost.join(", ") };
    format!("{counted}, {lost}; {}", cost(record))
}

fn cost(record: &ProbeRecord) -> String {
    match (record.cost.runs, record.cost.run_ns) {
        (Some(runs), Some(ns)) => {
            let share = ns as f64 / 1e9 / record.duration_s.max(1e-9) * 100.0;
            format!(
                "cost {} in {} runs, {share:.2} % of a CPU",
                nanoseconds(ns as f64),
                number(runs as f64)
            )
        }
        _ => "cost not available to this user".to_owned(),
    }
}

fn histogram(text: &mut String, histogram: &ProbeHistogram) {
    let ProbeHistogram { name, thread, count, sum, .. } = histogram;
    let of = thread.as_ref().map_or(String::new(), |thread| format!(" of {thread}"));
    if *count == 0 {
        line(text, &format!("{name}{of}: no values"));
        return;
    }
    let (unit, per_unit) = scale(histogram);
    line(text, &format!("{name}{of}"));
    line(text, &format!("{unit:>17}         : count     distribution"));
    let rows = powers_of_two(histogram, per_unit);
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(1);
    for (low, count) in rows {
        let high = (2 * low).max(2) - 1;
        let stars = "*".repeat((count as f64 / most as f64 * BAR as f64).round() as usize);
        line(text, &format!("{low:>10} -> {high:<10} : {count:<9} |{stars:<BAR$}|"));
    }
    let at = |q| match histogram.percentile(q) {
        Some(value) => quantity(value as f64, &histogram.unit),
        None => "–".to_owned(),
    };
    let mean = quantity(*sum as f64 / *count as f64, &histogram.unit);
    let figures = format!("mean {mean}, p50 {}, p90 {}, p99 {}", at(0.5), at(0.9), at(0.99));
    line(text, &format!("{} in all, {figures}", number(*count as f64)));
    text.push('\n');
}

/// The unit of the rows, as a multiple of the histogram's own: microseconds, as in bcc, except for
/// the fastest events.
fn scale(histogram: &ProbeHistogram) -> (&str, u64) {
    match histogram.unit.as_str() {
        "ns" if histogram.quantile(0.5) < Some(2_000) => ("nsecs", 1),
        "ns" => ("usecs", 1_000),
        unit => (unit, 1),
    }
}

/// The lowest value and the count of each power of two, from the lowest that holds anything to the
/// highest.
fn powers_of_two(histogram: &ProbeHistogram, per_unit: u64) -> Vec<(u64, u64)> {
    let mut by_power: BTreeMap<u32, u64> = BTreeMap::new();
    for &(low, high, count) in &histogram.buckets {
        let middle = (low + (high - low) / 2) / per_unit;
        *by_power.entry(middle.max(1).ilog2()).or_default() += count;
    }
    let (Some(&first), Some(&last)) = (by_power.keys().next(), by_power.keys().next_back()) else {
        return Vec::new();
    };
    let row = |power: u32| {
        let low = if power == 0 { 0 } else { 1 << power };
        (low, by_power.get(&power).copied().unwrap_or(0))
    };
    (first..=last).map(row).collect()
}

/// Writes a sentence, broken between words.
fn wrapped(text: &mut String, words: &str, width: Option<usize>) {
    let width = width.unwrap_or(usize::MAX);
    let mut row = String::new();
    for word in words.split(' ') {
        if !row.is_empty() && row.chars().count() + 1 + word.chars().count() > width {
            line(text, &row);
            row = "  ".to_owned();
        } else if !row.is_empty() {
            row.push(' ');
        }
        row.push_str(word);
    }
    line(text, &row);
}

/// Writes a line, made plain, since an observed program can give itself any name.
fn line(text: &mut String, words: &str) {
    text.push_str(&one_line(words.trim_end()));
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use lab_record::probe::{ProbeCost, ProbeLosses};
    use lab_record::table::{Cell, Column, Table};

    use super::*;

    fn sample() -> ProbeHistogram {
        ProbeHistogram {
            name: "runqlat".into(),
            thread: None,
            unit: "ns".into(),
            count: 60,
            sum: 1_000_000,
            buckets: vec![
                (100, 103, 2),
                (2_048, 2_175, 20),
                (3_072, 3_199, 20),
                (17_408, 18_431, 18),
            ],
        }
    }

    fn of(histograms: Vec<ProbeHistogram>, tables: Vec<Table>) -> ProbeRecord {
        ProbeRecord {
            duration_s: 2.0,
            histograms,
            tables,
            losses: ProbeLosses { ring_full: 3, ..ProbeLosses::default() },
            cost: ProbeCost { events: 60, runs: Some(200), run_ns: Some(2_000_000) },
            notes: vec!["mind this".into()],
            ..ProbeRecord::empty("runqlat")
        }
    }

    #[test]
    fn a_histogram_is_printed_as_bcc_does() {
        let expected = "\
runqlat
            usecs         : count     distribution
         0 -> 1          : 2         |**                                      |
         2 -> 3          : 40        |****************************************|
         4 -> 7          : 0         |                                        |
         8 -> 15         : 0         |                                        |
        16 -> 31         : 18        |******************                      |
60 in all, mean 16.7 µs, p50 3.14 µs, p90 –, p99 –

60 events, 3 lost: no room in the ring buffer; cost 2.00 ms in 200 runs, 0.10 %
  of a CPU
note: mind this
";
        assert_eq!(record(&of(vec![sample()], vec![]), Some(WIDTH), true), expected);
    }

    #[test]
    fn a_table_fits_the_terminal_and_hides_control_characters() {
        let column = |name: &str, unit: &str| Column { name: name.into(), unit: unit.into() };
        let row = |n, words: &str| vec![Cell::Count(n), Cell::Text(words.into())];
        let table = Table {
            name: "calls".into(),
            columns: vec![column("TIME", "ns"), column("ARGS", "")],
            rows: vec![row(1_500, "a\u{1b}[31m"), row(7, &"x".repeat(200))],
        };
        let record = of(vec![], vec![table]);
        let text = super::record(&record, None, true);
        assert!(text.contains(&"x".repeat(200)), "into a file all of it goes: {text}");
        let text = super::record(&record, Some(WIDTH), true);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "   TIME  ARGS");
        assert_eq!(lines[1], r"1.50 µs  a\u{1b}[31m");
        assert_eq!(lines[2].chars().count(), 80);
        assert!(lines[2].starts_with("   7 ns  xxx") && lines[2].ends_with('…'));
    }

    #[test]
    fn a_program_that_is_observed_begins_no_line_by_its_name() {
        let named = ProbeHistogram { thread: Some("a\nForged".into()), ..sample() };
        let notes = vec!["of a\nForged".into()];
        let text = record(&ProbeRecord { notes, ..of(vec![named], vec![]) }, None, true);
        assert!(text.contains(r"runqlat of a\u{a}Forged"), "{text}");
        assert!(text.lines().all(|line| !line.starts_with("Forged")), "{text}");
    }

    #[test]
    fn every_probe_is_listed_with_what_it_shows() {
        let text = list();
        assert!(PROBES.iter().all(|spec| text.contains(spec.name) && text.contains(spec.shows)));
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    }
}
