//! Progress on standard error: bars on a terminal, plain lines elsewhere.

use std::io::{IsTerminal as _, stderr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use lab_record::{Mode, Trial};

use crate::output::is_dumb;
use crate::quantity;

/// The trials of a run, some of them at the same time.
pub(crate) struct Trials {
    bars: MultiProgress,
    total: usize,
    started: AtomicUsize,
}

/// A running trial; its bar disappears when this is dropped.
pub(crate) struct Running {
    bar: ProgressBar,
}

impl Trials {
    pub(crate) fn new(total: usize) -> Self {
        let bars = MultiProgress::with_draw_target(target());
        Self { bars, total, started: AtomicUsize::new(0) }
    }

    /// Shows that a trial has started.
    pub(crate) fn start(&self, trial: &Trial) -> Running {
        let number = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        let span = Duration::from_millis(trial.warmup_ms + trial.measure_ms);
        let (what, style) = match trial.mode {
            Mode::Live => (format!("live, {}", quantity::span(span)), "{wide_bar} {msg}"),
            Mode::Simulated => ("simulated".into(), "{spinner} {elapsed}"),
        };
        let head = format!("[{number}/{}] {} ({what})", self.total, trial.id);
        if !has_bars() {
            eprintln!("{head}");
        }
        let bar = self.bars.add(ProgressBar::new(span.as_millis() as u64));
        bar.set_style(style_of(&format!("{{prefix}} {style}")));
        bar.set_prefix(head);
        Running { bar }
    }
}

impl Running {
    /// Shows how long the trial has lasted.
    pub(crate) fn tick(&self, elapsed: Duration) {
        let elapsed_ms = elapsed.as_millis() as u64;
        let late = elapsed_ms > self.bar.length().unwrap_or(0);
        self.bar.set_message(if late { "draining" } else { "" });
        self.bar.set_position(elapsed_ms);
        self.bar.tick();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A spinner for something that takes a while, with a closing message.
pub(crate) fn spinner(what: &str) -> ProgressBar {
    if !has_bars() {
        eprintln!("{what}");
    }
    let bar = ProgressBar::with_draw_target(None, target());
    bar.set_style(style_of("{spinner} {prefix} {elapsed} {wide_msg}"));
    bar.set_prefix(what.to_owned());
    bar
}

/// Whether standard error is a terminal that bars can be drawn on.
fn has_bars() -> bool {
    stderr().is_terminal() && !is_dumb()
}

pub(crate) fn target() -> ProgressDrawTarget {
    if has_bars() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}

pub(crate) fn style_of(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("our own templates are well formed")
}
