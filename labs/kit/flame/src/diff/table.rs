//! The frames that changed most, for a terminal of 80 columns.

use std::fmt::Write as _;

use lab_text::markdown;
use lab_text::markdown::Align::{Left, Right};
use lab_text::quantity::percent;

use super::{Change, Diff, Mark, Name, Normalise};

const FRAME_WIDTH: usize = 31;

/// A frame with all it calls, or the frame alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The frame and everything above it.
    Inclusive,
    /// Only where the frame itself was on top.
    Own,
}

impl Measure {
    /// Both, in the order in which they are shown.
    pub const ALL: [Measure; 2] = [Measure::Inclusive, Measure::Own];

    /// The change that it measures.
    pub fn of(self, name: &Name) -> &Change {
        match self {
            Measure::Inclusive => &name.inclusive,
            Measure::Own => &name.own,
        }
    }

    /// As a heading.
    pub fn title(self) -> &'static str {
        match self {
            Measure::Inclusive => "Inclusive",
            Measure::Own => "Self",
        }
    }
}

/// The `most` frames that changed most: the significant ones first, then by [`Change::surprise`].
pub fn top(diff: &Diff, measure: Measure, most: usize) -> Vec<&Name> {
    let mut names: Vec<&Name> =
        diff.names.iter().filter(|name| measure.of(name).delta() != 0.0).collect();
    names.sort_by(|a, b| {
        let (a, b) = (measure.of(a), measure.of(b));
        b.significant().cmp(&a.significant()).then(b.surprise().total_cmp(&a.surprise()))
    });
    names.truncate(most);
    names
}

/// The totals of both sides, which shares do not show: `10.0 MB before, 100 MB after, +900 %`.
pub(super) fn totals(diff: &Diff) -> String {
    let [before, after] = [0, 1].map(|side| diff.totals[side] as f64 / diff.trials[side] as f64);
    let a_trial = if diff.trials == [1, 1] { "" } else { ", a trial" };
    let change = match (diff.normalise, diff.paths[0].inclusive.relative()) {
        (Normalise::Samples, _) | (_, None) => String::new(),
        (Normalise::Nothing, Some(relative)) => format!(", {}", percent(relative)),
        (Normalise::Requests, Some(relative)) => format!("; {} a request", percent(relative)),
    };
    let [before, after] = [before, after].map(|total| amount(total, &diff.count_name));
    format!("Total: {before} before, {after} after{a_trial}{change}")
}

/// A number with its unit: bytes and microseconds in units that a reader can take in.
fn amount(value: f64, unit: &str) -> String {
    let steps: &[(f64, &str)] = match unit {
        "bytes" => &[(1e9, "GB"), (1e6, "MB"), (1e3, "kB")],
        "us" => &[(1e6, "s"), (1e3, "ms")],
        _ => &[],
    };
    match steps.iter().find(|(step, _)| value >= *step) {
        Some((step, unit)) => format!("{} {unit}", weight(value / step)),
        None => format!("{} {unit}", weight(value)),
    }
}

/// Both tables, self and inclusive apart, at most 80 columns wide.
pub fn table(diff: &Diff, most: usize) -> String {
    let mut text = totals(diff) + "\n\n";
    for measure in Measure::ALL {
        let _ = writeln!(text, "{}, {}", measure.title(), diff.unit());
        let _ = writeln!(
            text,
            "{:FRAME_WIDTH$} {:>8} {:>8} {:>8} {:>16} {:>4}",
            "frame", "before", "after", "change", "95 %", "real"
        );
        let rows = top(diff, measure, most);
        if rows.is_empty() {
            text += "  nothing changed\n";
        }
        for name in rows {
            let [before, after, change, interval, real] = cells(diff, measure, name);
            let mark = prefix(name.mark);
            let frame = mark.to_string() + &short(&name.frame, FRAME_WIDTH - mark.chars().count());
            let _ = writeln!(
                text,
                "{frame:FRAME_WIDTH$} {before:>8} {after:>8} {change:>8} {interval:>16} {real:>4}"
            );
        }
        text.push('\n');
    }
    text += footnote(diff);
    text
}

/// Both tables as Markdown, for a pull request.
pub fn markdown(diff: &Diff, most: usize) -> String {
    let mut text = totals(diff) + "\n\n";
    for measure in Measure::ALL {
        let _ = writeln!(text, "**{}**, {}\n", measure.title(), diff.unit());
        let head = [
            ("frame", Left),
            ("before", Right),
            ("after", Right),
            ("change", Right),
            ("95 %", Left),
            ("real", Left),
        ];
        let cells = |name: &Name| {
            let [before, after, change, interval, real] = cells(diff, measure, name);
            let frame = format!("{}{}", prefix(name.mark), code(&name.frame));
            [frame, before, after, change, interval, real]
        };
        text += &markdown::table(head, top(diff, measure, most).into_iter().map(cells));
        text.push('\n');
    }
    text + footnote(diff)
}

/// A name in code quotes, in a cell.
fn code(name: &str) -> String {
    format!("`{}`", name.replace('`', "'").replace('|', "\\|"))
}

/// What stands before a frame that is not on both sides.
pub(super) fn prefix(mark: Mark) -> &'static str {
    match mark {
        Mark::Both => "",
        Mark::New => "+ ",
        Mark::Vanished => "\u{2212} ",
    }
}

/// Before, after, change, interval, and whether it is real.
pub(super) fn cells(diff: &Diff, measure: Measure, name: &Name) -> [String; 5] {
    let change = measure.of(name);
    let interval = change.verdict.as_ref().and_then(|verdict| verdict.interval);
    [
        weight(change.before),
        weight(change.after),
        change.relative().map_or("new".into(), percent),
        interval
            .map_or(String::new(), |(low, high)| format!("{}..{}", percent(low), percent(high))),
        match &change.verdict {
            Some(verdict) if diff.replicated() => {
                if verdict.significant {
                    "yes"
                } else {
                    "no"
                }
            }
            _ => "-",
        }
        .into(),
    ]
}

/// What the last column means, and what a single trial cannot say.
pub(super) fn footnote(diff: &Diff) -> &'static str {
    if diff.replicated() {
        "real: of comparisons of a build with itself at most 5 % show any frame as real,\n\
         and it moved by 10 %; `-`: under 1 % of both sides. + new, \u{2212} vanished.\n"
    } else if diff.trials.iter().all(|&trials| trials >= 2) {
        "The intervals are by the variance between trials. With under four on each side\n\
         nothing is beyond chance: record more. + new, \u{2212} vanished.\n"
    } else {
        "One trial on a side: the intervals hold the error of sampling alone, and two\n\
         runs of one build differ by more. Record several. + new, \u{2212} vanished.\n"
    }
}

fn weight(value: f64) -> String {
    match value {
        0.0 => "0".into(),
        0.1..100.0 => format!("{value:.2}"),
        100.0..10_000.0 => format!("{value:.1}"),
        10_000.0..10_000_000.0 => format!("{value:.0}"),
        _ => format!("{value:.1e}"),
    }
}

/// A name that fits: without what its angle brackets hold, and then its end, which in
/// `crate::module::function` says most.
fn short(name: &str, width: usize) -> String {
    if name.chars().count() <= width {
        return name.to_string();
    }
    let plain = without_generics(name);
    let length = plain.chars().count();
    if length <= width {
        return plain;
    }
    let end: String = plain.chars().skip(length - width + 1).collect();
    format!("\u{2026}{end}")
}

/// `poll<a::B<C>, D>` as `poll<…>`.
fn without_generics(name: &str) -> String {
    let mut plain = String::new();
    let mut depth = 0_usize;
    let mut last = ' ';
    for c in name.chars() {
        // The arrow of `fn() -> T` closes nothing.
        let closes = c == '>' && last != '-';
        depth = if closes { depth.saturating_sub(1) } else { depth };
        if depth == 0 {
            plain.push(c);
        }
        if c == '<' {
            plain.push_str(if depth == 0 { "\u{2026}" } else { "" });
            depth += 1;
        }
        last = c;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_to_its_most_telling_part() {
        let name =
            "poll<tail_latency::actor::run_leaf::{async_fn_env#0}, alloc::sync::Arc<Shared>>";
        assert_eq!(short(name, 31), "poll<\u{2026}>");
        assert_eq!(short("<alloc::vec::Vec<u8> as core::fmt::Debug>::fmt", 31), "<\u{2026}>::fmt");
        assert_eq!(
            short("call<fn(u8) -> alloc::string::String, ()>::once", 31),
            "call<\u{2026}>::once"
        );
        assert_eq!(short("some::module::with::a::function", 10), "\u{2026}:function");
        assert_eq!(short("a<b>", 31), "a<b>");
    }
}
