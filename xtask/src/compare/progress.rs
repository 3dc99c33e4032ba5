//! The progress of a comparison: pairs done and time left, and on a line below, the estimate and
//! interval of each metric.

use std::io::{IsTerminal as _, stderr};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use lab_text::quantity::percent;
use lab_verdict::render;
use lab_verdict::scenario::Scenario;

use crate::progress::{style_of, target};

/// The progress of one scenario; the bar disappears when this is dropped.
pub(super) struct Progress {
    bar: ProgressBar,
    scenario: String,
    began: Instant,
    /// The most trials that it takes: more if some are disturbed.
    trials: u64,
    disturbed: u64,
    /// Trials that ran before the interruption of a resumed comparison.
    kept: u64,
    ran: u64,
}

impl Progress {
    pub(super) fn start(scenario: &str, trials: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(trials), target());
        bar.set_style(style_of("{spinner} {prefix}\n  {wide_msg}"));
        if !stderr().is_terminal() {
            eprintln!("{scenario}: at most {}", render::count(trials / 2, "pair"));
        }
        let scenario = scenario.to_owned();
        let (began, disturbed, kept, ran) = (Instant::now(), 0, 0, 0);
        let progress = Self { bar, scenario, began, trials, disturbed, kept, ran };
        progress.show();
        progress
    }

    /// A trial is running.
    pub(super) fn tick(&self) {
        self.bar.tick();
    }

    /// A trial has ended.
    pub(super) fn ran(&mut self) {
        self.ran += 1;
        self.show();
    }

    /// A trial need not run again.
    pub(super) fn kept(&mut self) {
        self.kept += 1;
        self.show();
    }

    /// A quad has ended, with this result so far.
    pub(super) fn judged(&mut self, scenario: &Scenario) {
        // Another pair replaces each disturbed one.
        let disturbed = 2 * scenario.disturbed_pairs.len() as u64;
        self.trials += disturbed - self.disturbed;
        self.disturbed = disturbed;
        let line = standing(scenario);
        if !stderr().is_terminal() {
            eprintln!("{}: {line}{}", self.scenario, self.time_left());
        }
        self.bar.set_message(line);
    }

    fn show(&self) {
        let (done, all) = ((self.kept + self.ran) / 2, self.trials / 2);
        let left = self.time_left();
        let all = render::count(all, "pair");
        self.bar.set_prefix(format!("{}: {done} of at most {all}{left}", self.scenario));
    }

    fn time_left(&self) -> String {
        let left =
            self.left().map(|left| format!("; at most {} left", humantime::format_duration(left)));
        left.unwrap_or_default()
    }

    /// The time left, from the trials that ran here; unknown before the first.
    fn left(&self) -> Option<Duration> {
        let left = self.trials.saturating_sub(self.kept + self.ran);
        let each = self.began.elapsed().as_secs_f64() / self.ran as f64;
        (self.ran > 0 && left > 0).then(|| Duration::from_secs((each * left as f64) as u64))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// `8 pairs: p50 +1.2% [-0.4%, +2.9%], p99i …`.
fn standing(scenario: &Scenario) -> String {
    let metrics: Vec<String> = scenario
        .metrics
        .iter()
        .map(|row| {
            let change = row.change_ratio.map_or_else(|| "-".to_owned(), percent);
            format!("{} {change} {}", row.metric, render::interval(row))
        })
        .collect();
    let disturbed = match scenario.disturbed_pairs.len() {
        0 => String::new(),
        more => format!(" ({more} more were disturbed)"),
    };
    let pairs = render::count(scenario.judged_pairs, "pair");
    format!("{pairs}{disturbed}: {}", metrics.join(", "))
}
