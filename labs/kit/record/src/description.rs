//! What `LAB describe` prints: the lab, as data.

use serde::{Deserialize, Serialize};

use crate::claim::How;
use crate::knob::{KnobSpec, Knobs};
use crate::lesson::LessonSpec;
use crate::metrics::End;
use crate::next::Next;
use crate::schema::Schema;
use crate::trial::{Mode, Reads};

/// A lab as data: everything a runner needs to plan, list and draw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Kebab-case; also the folder, the package and the run directory.
    #[serde(deserialize_with = "crate::name::lab")]
    pub name: String,
    /// The lab's question, in one sentence.
    pub question: String,
    /// The papers, articles and programs that it reproduces.
    pub sources: Vec<Source>,
    /// Its parameters.
    pub knobs: Vec<KnobSpec>,
    /// The ways to run it.
    pub variants: Vec<VariantSpec>,
    /// Its claims, and how they are checked.
    pub claims: Vec<ClaimSpec>,
    /// The charts that a report draws.
    #[serde(alias = "pictures")]
    pub charts: Vec<ChartSpec>,
    /// Its finding and the next step; `None` in runs of older labs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub story: Option<StorySpec>,
    /// Its lessons, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lessons: Vec<LessonSpec>,
}

/// Where a newcomer looks first, and what to do next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StorySpec {
    /// The chart that shows the finding: it stands first on the page.
    pub chart: Option<ShownBy>,
    /// What to try after a run.
    pub next: Next,
}

/// A paper, article or program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// A short name: `Dean & Barroso 2013`.
    pub short: String,
    /// Title, venue and year.
    pub title: String,
    /// DOI or address, for people to follow.
    pub link: String,
}

/// One way to run a lab.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariantSpec {
    /// Kebab-case.
    #[serde(deserialize_with = "crate::name::variant")]
    pub name: String,
    /// What it shows, in a few words.
    pub why: String,
    /// Its measured spans in real time; `None` if it only runs in simulated time.
    pub live: Option<Spans>,
    /// Its measured spans in simulated time; `None` if it only runs live.
    pub simulated: Option<Spans>,
    /// Whether a run takes a profile of it, in a trial of its own.
    pub profiled: bool,
    /// Whether a live trial files `response`, from the intended start of each request, and can show
    /// a known slowness in it: what a comparison gates on.
    #[serde(default)]
    pub responds: bool,
    /// Ends of requests that belong to the experiment; any other but completed makes a trial
    /// invalid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expects: Vec<End>,
    /// eBPF probes that observe it, each in a trial of its own, where the machine lets them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<String>,
    /// Whether it is a black box, and a learner is to find what is wrong with it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub asks: bool,
    /// Knobs that this variant sets to other values than the lab's defaults.
    pub set: Knobs,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl VariantSpec {
    /// The measured span in `mode`, if the variant runs in it.
    pub fn spans(&self, mode: Mode) -> Option<Spans> {
        match mode {
            Mode::Live => self.live,
            Mode::Simulated => self.simulated,
        }
    }
}

/// The measured span at three depths, warm-up apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spans {
    /// With `--quick`.
    pub quick_ms: u64,
    /// By default.
    pub default_ms: u64,
    /// With `--full`.
    pub full_ms: u64,
}

/// A claim before it is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimSpec {
    /// Such as `TAS-2`.
    pub id: String,
    /// One sentence, in our own words.
    pub says: String,
    /// [`Source::short`].
    pub source: String,
    /// The ways in which it is checked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckSpec>,
    /// Where it can be seen; empty where no chart shows it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shown_by: Vec<ShownBy>,
}

/// One way in which a claim is checked, and what takes its cause away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckSpec {
    /// By a formula, in simulated time, live, or by a probe.
    pub how: How,
    /// Whose trials it reads; none for a formula.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Reads>,
    /// Whether it only calibrates or illustrates: [`Outcome::Calibrated`](crate::Outcome).
    #[serde(default)]
    pub calibrates: bool,
    /// The knobs that take the cause away.
    pub without: Knobs,
}

/// A chart that shows a claim, and what to look at in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum ShownBy {
    /// One of [`Description::charts`].
    #[serde(alias = "picture")]
    Chart {
        /// The chart's title: no two of a lab are the same.
        title: String,
        /// The variants concerned.
        variants: Vec<String>,
    },
    /// The CPU flame graph of a variant.
    FlameGraph {
        /// A profiled one.
        variant: String,
    },
    /// The flame graph of stacks that a variant's trials keep.
    Stacks {
        /// The variant.
        variant: String,
        /// The name of their file, such as `hot-cold`; `differential` is that of a
        /// `before` and an `after`.
        #[serde(deserialize_with = "crate::name::kind")]
        kind: String,
    },
}

/// A chart that a report draws from the run's histograms, curves, gauges or stacks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
#[expect(missing_docs, reason = "each names the series, curve or gauge that it draws")]
pub enum ChartSpec {
    /// Value against percentile on the HDR scale, one line for each variant.
    Percentiles { title: String, series: String },
    /// Cumulative share against value.
    Ecdf { title: String, series: String },
    /// Latency over time, shade by count.
    HeatMap { title: String, series: String, variant: String },
    /// Curves of these names, measured and theory together.
    Lines { title: String, curves: Vec<String> },
    /// A gauge over time, one line for each trial.
    Gauge { title: String, gauge: String },
    /// Metrics of one unit side by side, each with what the source says: a bar for each variant.
    /// The axis is logarithmic where they lie far apart.
    Bars { title: String, bars: Vec<Bar> },
    /// Gauges of one unit of a variant on top of each other: what adds up to a whole over time.
    Stacked { title: String, gauges: Vec<String>, variant: String },
    /// A [`Grid`](crate::Grid) of a variant as a heat map: named rows over time, servers say.
    Rows { title: String, grid: String, variant: String },
    /// The density of a series, one trail for each variant above the other, cut where nothing was
    /// recorded: single outliers show as grains (Gregg, "Frequency Trails", 2013).
    Trails { title: String, series: String },
}

/// A metric as a bar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// Its label.
    pub name: String,
    /// The metric.
    pub metric: String,
    /// What the source says, in the metric's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<f64>,
}

impl ChartSpec {
    /// The chart's title.
    pub fn title(&self) -> &str {
        match self {
            Self::Percentiles { title, .. }
            | Self::Ecdf { title, .. }
            | Self::HeatMap { title, .. }
            | Self::Lines { title, .. }
            | Self::Gauge { title, .. }
            | Self::Bars { title, .. }
            | Self::Stacked { title, .. }
            | Self::Rows { title, .. }
            | Self::Trails { title, .. } => title,
        }
    }
}

impl Schema for Description {
    const NAME: &'static str = "perf-lab.description";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_of_an_older_minor_is_shown_by_nothing_and_is_written_as_it_was() {
        let old = r#"{"id":"A-1","says":"So.","source":"B"}"#;
        let claim: ClaimSpec = serde_json::from_str(old).unwrap();
        assert_eq!(claim.shown_by, []);
        assert_eq!(serde_json::to_string(&claim).unwrap(), old);
    }
}
