//! Pair differences as points on a line, with the floor behind them and the interval below.

use lab_text::quantity::percent;
use lab_verdict::scenario::MetricResult;
use maud::{Markup, html};

const WIDTH: f64 = 760.0;
/// Room for the rows' names, which a phone shows larger.
const MARGIN: f64 = 124.0;
/// Rows of points: base first, new first. What the order does would show as a gap between them.
const ROWS: [(bool, f64, &str); 2] = [(true, 22.0, "base first"), (false, 44.0, "new first")];
const RANGE_Y: f64 = 68.0;

/// The chart of one metric; `pairs` are (difference as a ratio, whether the base ran first).
pub(crate) fn strip(row: &MetricResult, pairs: &[(f64, bool)]) -> Markup {
    let ends = [row.low_ratio, row.high_ratio, row.change_ratio, Some(row.floor_ratio)];
    let all = pairs.iter().map(|(difference, _)| *difference).chain(ends.into_iter().flatten());
    let reach = all.filter(|value| value.is_finite()).map(f64::abs).fold(0.01, f64::max) * 1.08;
    let x = |ratio: f64| format!("{:.1}", WIDTH / 2.0 + ratio / reach * (WIDTH / 2.0 - MARGIN));
    let floor = 2.0 * row.floor_ratio / reach * (WIDTH / 2.0 - MARGIN);
    html! {
        svg.strip viewBox=(format!("0 0 {WIDTH} 104")) role="img" aria-label=(spoken(row, pairs)) {
            rect.floor x=(x(-row.floor_ratio)) width=(format!("{floor:.1}")) y="6" height="74" {}
            @for tick in [-reach / 1.08, 0.0, reach / 1.08] {
                line class=(if tick == 0.0 { "zero" } else { "tick" }) x1=(x(tick)) x2=(x(tick)) y1="6" y2="80" {}
                text x=(x(tick)) y="98" text-anchor="middle" { @if tick == 0.0 { "0" } @else { (percent(tick)) } }
            }
            @for (first, y, words) in ROWS {
                text x="2" y=(y + 4.0) { (words) }
                @for (difference, _) in pairs.iter().filter(|(_, base_first)| *base_first == first) {
                    circle.pair cx=(x(*difference)) cy=(y) r="5" { title { (percent(*difference)) } }
                }
            }
            @if let (Some(low), Some(high)) = (row.low_ratio, row.high_ratio) {
                line.range x1=(x(low)) x2=(x(high)) y1=(RANGE_Y) y2=(RANGE_Y) { title { "interval" } }
            }
            @if let Some(change) = row.change_ratio {
                g transform=(format!("translate({} {RANGE_Y})", x(change))) {
                    path.estimate d="M-7 0L0 -7L7 0L0 7Z" { title { (percent(change)) } }
                }
            }
        }
    }
}

/// The chart in words.
fn spoken(row: &MetricResult, pairs: &[(f64, bool)]) -> String {
    let slower = pairs.iter().filter(|(difference, _)| *difference > 0.0).count();
    let change = row.change_ratio.map_or("unknown".into(), percent);
    format!(
        "{} of {} pairs slower; estimate {change}, interval {}, floor {}",
        slower,
        pairs.len(),
        lab_verdict::render::interval(row),
        percent(row.floor_ratio)
    )
}
