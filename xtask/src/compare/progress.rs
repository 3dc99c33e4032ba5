//! How far a comparison is: pairs done, estimate and interval of each metric, time left.

use std::io::{IsTerminal as _, stderr};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use lab_verdict::render;
use lab_verdict::scenario::Scenario;

use crate::progress::{style_of, target};
use crate::quantity;

/// One scenario on its way; the bar goes when this does.
pub(super) struct Progress {
    bar: ProgressBar,
    began: Instant,
    /// Trials that it takes at most, unless some are late.
    trials: u64,
    /// Trials that ran before, in a comparison that was interrupted.
    kept: u64,
    ran: u64,
}

impl Progress {
    pub(super) fn start(scenario: &str, trials: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(trials), target());
        bar.set_style(style_of("{prefix} {pos}/{len} trials {wide_msg}"));
        bar.set_prefix(scenario.to_owned());
        if !stderr().is_terminal() {
            eprintln!("{scenario}: at most {} pairs", trials / 2);
        }
        Self { bar, began: Instant::now(), trials, kept: 0, ran: 0 }
    }

    /// A trial runs.
    pub(super) fn tick(&self) {
        self.bar.tick();
    }

    /// A trial has ended.
    pub(super) fn ran(&mut self) {
        self.ran += 1;
        self.bar.inc(1);
    }

    /// A trial need not run again.
    pub(super) fn kept(&mut self) {
        self.kept += 1;
        self.bar.inc(1);
    }

    /// A quad has ended, and this is what the pairs say so far.
    pub(super) fn judged(&self, scenario: &Scenario) {
        let left = self.left().map(|left| format!("; at most {} left", quantity::span(left)));
        let line = format!("{}{}", standing(scenario), left.unwrap_or_default());
        if !stderr().is_terminal() {
            eprintln!("{}: {line}", scenario.name);
        }
        self.bar.set_message(line);
    }

    /// From the trials that ran here; unknown before the first.
    fn left(&self) -> Option<Duration> {
        let left = self.trials.saturating_sub(self.kept + self.ran);
        let each = self.began.elapsed().as_secs_f64() / self.ran as f64;
        (self.ran > 0).then(|| Duration::from_secs((each * left as f64) as u64))
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
            let change = row.change_ratio.map_or_else(|| "-".to_owned(), render::percent);
            format!("{} {change} {}", row.metric, render::interval(row))
        })
        .collect();
    let late = match scenario.late_pairs.len() {
        0 => String::new(),
        late => format!(" ({late} more were late)"),
    };
    format!("{} pairs{late}: {}", scenario.judged_pairs, metrics.join(", "))
}
