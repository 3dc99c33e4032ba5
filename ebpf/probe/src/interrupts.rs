//! Ctrl-C and other signals that ask to end.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How often, and how urgently, this process was asked to end.
#[derive(Clone, Default)]
pub(crate) struct Interrupts(Arc<AtomicUsize>);

impl Interrupts {
    /// Counts signals from now on.
    pub(crate) fn listen() -> Result<Self> {
        let interrupts = Self::default();
        for (signal, urgency) in [(SIGINT, 1), (SIGTERM, 2), (SIGHUP, 2)] {
            let count = Arc::clone(&interrupts.0);
            let add = move || {
                let _ = count.fetch_add(urgency, Ordering::Relaxed);
            };
            // SAFETY: an atomic addition neither allocates, locks nor unwinds.
            unsafe { signal_hook::low_level::register(signal, add) }
                .context("listen for signals")?;
        }
        Ok(interrupts)
    }

    /// Whether Ctrl-C was pressed, or this process was told to end.
    pub(crate) fn raised(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// Whether Ctrl-C was pressed a second time, or this process was told to end at once.
    pub(crate) fn urgent(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 1
    }
}

/// Whether Ctrl-C also reaches the processes that we started: a terminal sends it to its foreground
/// processes.
pub(crate) fn terminal_tells_all() -> bool {
    let foreground = || rustix::termios::tcgetpgrp(File::open("/dev/tty").ok()?).ok();
    foreground() == Some(rustix::process::getpgrp())
}
