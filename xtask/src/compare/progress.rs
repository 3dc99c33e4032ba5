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
    /// Trials that it takes at most.
    trials: u64,
    done: u64,
}

impl Progress {
    pub(super) fn start(scenario: &str, pairs: u32) -> Self {
        let trials = 2 * u64::from(pairs);
        let bar = ProgressBar::with_draw_target(Some(trials), target());
        bar.set_style(style_of("{prefix} {pos}/{len} trials {wide_msg}"));
        bar.set_prefix(scenario.to_owned());
        if !stderr().is_terminal() {
            eprintln!("{scenario}: at most {pairs} pairs");
        }
        Self { bar, began: Instant::now(), trials, done: 0 }
    }

    /// A trial runs.
    pub(super) fn tick(&self) {
        self.bar.tick();
    }

    /// A trial has ended.
    pub(super) fn trial(&mut self) {
        self.done += 1;
        self.bar.set_position(self.done);
    }

    /// A quad has ended, and this is what the pairs say so far.
    pub(super) fn judged(&self, scenario: &Scenario) {
        let line = format!("{}; at most {} left", standing(scenario), quantity::span(self.left()));
        if !stderr().is_terminal() {
            eprintln!("{}: {line}", scenario.name);
        }
        self.bar.set_message(line);
    }

    fn left(&self) -> Duration {
        let each = self.began.elapsed().as_secs_f64() / self.done.max(1) as f64;
        Duration::from_secs((each * (self.trials - self.done.min(self.trials)) as f64) as u64)
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
    format!("{} pairs: {}", scenario.judged_pairs, metrics.join(", "))
}
