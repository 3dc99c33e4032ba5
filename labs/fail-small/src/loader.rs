//! A proxy's loader: it has memory for a fixed number of features, and a file may list more.

use std::panic::{catch_unwind, resume_unwind};

use lab_kit::Settings;

/// A file lists more features than there is memory for.
#[derive(Debug)]
struct TooLarge;

/// The features of a file, in memory that is reserved once.
fn load(file: &str, cap: usize) -> Result<Vec<u64>, TooLarge> {
    let mut features = Vec::with_capacity(cap);
    for row in file.lines() {
        if features.len() == cap {
            return Err(TooLarge);
        }
        features.push(row.bytes().map(u64::from).sum());
    }
    Ok(features)
}

/// As the source's `unwrap`, but for the message, which may take the time to collect a backtrace.
fn expect(file: &str, cap: usize) -> Vec<u64> {
    load(file, cap).unwrap_or_else(|too_large| resume_unwind(Box::new(too_large)))
}

/// A file that lists each of `rows` features this many times.
pub(crate) fn file(rows: u64, copies: u64) -> String {
    (0..rows * copies).map(|row| format!("feature_{}\n", row / copies)).collect()
}

/// What a proxy does with a file that it cannot load.
#[derive(Debug, Clone, Copy)]
enum OnBad {
    Panic,
    Keep,
    Zero,
}

/// A proxy that scores requests by the features of the latest file.
#[derive(Debug)]
pub(crate) struct Proxy {
    on_bad: OnBad,
    cap: usize,
    /// None after a panic: then there is no score, and each request fails.
    features: Option<Vec<u64>>,
}

impl Proxy {
    pub(crate) fn of(knobs: &Settings) -> Self {
        let on_bad = match knobs.text("on-bad") {
            "panic" => OnBad::Panic,
            "keep" => OnBad::Keep,
            _ => OnBad::Zero,
        };
        Self { on_bad, cap: knobs.int("cap") as usize, features: None }
    }

    /// Loads a new file.
    pub(crate) fn reload(&mut self, file: &str) {
        let cap = self.cap;
        match (self.on_bad, load(file, cap)) {
            (OnBad::Panic, _) => self.features = catch_unwind(|| expect(file, cap)).ok(),
            (OnBad::Keep, Err(_)) => {}
            (OnBad::Zero, Err(_)) => self.features = Some(Vec::new()),
            (_, Ok(features)) => self.features = Some(features),
        }
    }

    /// How much a request looks like one of a bot: at least 1 with features, 0 without.
    pub(crate) fn score(&self, request: usize) -> Option<u64> {
        let features = self.features.as_ref()?;
        let sum: u64 = features.iter().map(|feature| feature ^ request as u64).sum();
        Some(if features.is_empty() { 0 } else { 1 + sum % 99 })
    }
}
