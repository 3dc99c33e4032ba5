//! A differential as one HTML page that fetches nothing and runs nothing but its own script.

use std::fmt::Write as _;

use super::svg::{self, Escaped, Root, SCRIPT, STYLE, View};
use super::table::{Measure, cells, footnote, prefix, top, totals};
use super::{Diff, Mark};

/// The digest of `SCRIPT`, which alone the page's policy allows to run. A test keeps it true.
pub const SCRIPT_SHA256: &str = "OsivfpEy0Qz3h0hbn2S+uDw/Ndi3GUEkyyfsIWsYG+g=";

const PAGE_STYLE: &str = include_str!("page.css");

/// The three graphs, in the order of [`View::ALL`].
pub fn graphs(diff: &Diff, before: &str, after: &str, root: Root) -> [String; 3] {
    View::ALL.map(|view| svg::draw(diff, view, root, &title(view, before, after)))
}

/// The page: what was compared, the `most` frames that changed most, and the [`graphs`].
pub fn page(diff: &Diff, before: &str, after: &str, graphs: &[String; 3], most: usize) -> String {
    let mut html = head(diff, before, after);
    for measure in Measure::ALL {
        table(&mut html, diff, measure, most);
    }
    let _ = writeln!(html, "<p>{}</p>", Escaped(footnote(diff)));
    for (view, graph) in View::ALL.into_iter().zip(graphs) {
        let (name, links) = (view.name(), links(view));
        let _ = writeln!(
            html,
            "<section id=\"{name}\">{links}<div class=\"wide\">\n{graph}</div></section>"
        );
    }
    let _ = writeln!(html, "<script>{SCRIPT}</script>\n</body></html>");
    html
}

fn title(view: View, before: &str, after: &str) -> String {
    match view {
        View::Before => format!("Before: {before}"),
        View::After => format!("After: {after}"),
        View::Elided => "Elided: before, but not after".to_string(),
    }
}

fn head(diff: &Diff, before: &str, after: &str) -> String {
    let counted = |side: usize| {
        let trials = diff.trials[side];
        let s = if trials == 1 { "" } else { "s" };
        format!("{} {} in {trials} trial{s}", diff.totals[side], diff.count_name)
    };
    let notes: String = diff.notes().iter().map(|note| format!(" Note: {note}.")).collect();
    let marked = |mark| diff.paths.iter().filter(|path| path.mark == mark).count();
    let colour = if diff.replicated() {
        "Red costs more, blue less, grey is not significant; the deeper, the less likely by chance."
    } else {
        "Red costs more, blue less, the deeper the more; a change within its error is palest."
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{SCRIPT_SHA256}'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{before} \u{2192} {after}: differential flame graph</title>\n\
         <style>{PAGE_STYLE}{STYLE}</style></head><body>\n\
         <h1>{before} \u{2192} {after}</h1>\n\
         <p>{totals}.{notes}</p>\n\
         <p>Before: {}. After: {}. Weights are {}. {colour}\n\
         Boxes with long dashes and a + are new ({}), with dots and a \u{2212} vanished ({}).\n\
         Click or Enter zooms, arrows walk, Esc resets.</p>\n",
        counted(0),
        counted(1),
        Escaped(&diff.unit()),
        marked(Mark::New),
        marked(Mark::Vanished),
        totals = Escaped(&totals(diff)),
        notes = Escaped(&notes),
        before = Escaped(before),
        after = Escaped(after),
    )
}

fn table(html: &mut String, diff: &Diff, measure: Measure, most: usize) {
    let _ = writeln!(
        html,
        "<div class=\"wide\"><table><caption>{}, {}</caption>",
        measure.title(),
        Escaped(&diff.unit())
    );
    *html += "<tr><th>frame<th>before<th>after<th>change<th>95 %<th>real</tr>\n";
    for name in top(diff, measure, most) {
        let _ = write!(html, "<tr><td>{}{}", prefix(name.mark), Escaped(&name.frame));
        for cell in cells(diff, measure, name) {
            let _ = write!(html, "<td>{}", Escaped(&cell));
        }
        *html += "</tr>\n";
    }
    *html += "</table></div>\n";
}

fn links(here: View) -> String {
    let mut nav = String::from("<nav>");
    for view in View::ALL {
        let name = view.name();
        let current = if view == here { " aria-current=\"true\"" } else { "" };
        let _ = write!(
            nav,
            "<a href=\"#{name}\"{current}>{name}</a> (<a href=\"{name}.svg\">svg</a>) "
        );
    }
    nav + "</nav>"
}
