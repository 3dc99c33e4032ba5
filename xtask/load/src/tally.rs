//! What the answers were: statuses, errors and waits, beside the ledger.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use hyper::StatusCode;
use lab_kit::{Ctx, Series};

/// The most different errors that are told in words.
const MOST_ERRORS: usize = 5;

/// Counts over the whole trial, warm-up included.
#[derive(Debug)]
pub(crate) struct Tally {
    statuses: RefCell<BTreeMap<u16, u64>>,
    errors: RefCell<BTreeMap<String, u64>>,
    waits: RefCell<Series>,
}

impl Tally {
    pub(crate) fn new(waits: Series) -> Self {
        Self {
            statuses: RefCell::default(),
            errors: RefCell::default(),
            waits: RefCell::new(waits),
        }
    }

    /// An answer had this status.
    pub(crate) fn answered(&self, status: StatusCode) {
        *self.statuses.borrow_mut().entry(status.as_u16()).or_default() += 1;
    }

    /// A request got no answer, because of this.
    pub(crate) fn failed(&self, error: &anyhow::Error) {
        let mut errors = self.errors.borrow_mut();
        let text = format!("{error:#}");
        if errors.len() < MOST_ERRORS || errors.contains_key(&text) {
            *errors.entry(text).or_default() += 1;
        }
    }

    /// The request that was due at `at` waited for a free connection for this long.
    pub(crate) fn waited(&self, at: Duration, wait: Duration) {
        self.waits.borrow_mut().record(at, wait);
    }

    /// Writes everything into the trial.
    ///
    /// # Errors
    /// The trial's directory cannot be written.
    pub(crate) fn file(self, ctx: &mut Ctx) -> anyhow::Result<()> {
        for (status, count) in self.statuses.into_inner() {
            ctx.metric(&format!("status_{status}"), count as f64, "count");
        }
        for (error, count) in self.errors.into_inner() {
            ctx.note(format!("{count} requests got no answer: {error}."));
        }
        ctx.save("connection-wait", self.waits.into_inner())
    }
}
