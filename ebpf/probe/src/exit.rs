//! How an observed command ended, and how to pass that on.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use rustix::process::{Resource, Rlimit, setrlimit};
use serde::Serialize;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Exit {
    /// By itself, with this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// The end of a command, from its exit status.
    pub(crate) fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or(0)),
        }
    }

    /// Ends this process in the same way, so that its parent cannot tell it from the command.
    /// Returns an exit code; for a signal that does not end this process, 128 + the signal, as in a
    /// shell.
    pub(crate) fn pass_on(self) -> ExitCode {
        match self {
            Self::Code(code) => ExitCode::from(code as u8),
            Self::Signal(signal) => {
                // One core file is enough, and it is the command's.
                let none = Rlimit { current: Some(0), maximum: Some(0) };
                let _ = setrlimit(Resource::Core, none);
                // Signals that we listen to need their default action back; those unknown to
                // signal-hook still have it.
                let _ = signal_hook::low_level::emulate_default_handler(signal)
                    .or_else(|_| signal_hook::low_level::raise(signal));
                ExitCode::from(128 + signal as u8)
            }
        }
    }
}
