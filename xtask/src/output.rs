//! Standard output, for what a verb was asked for; everything else goes to standard error.

use std::io::{ErrorKind, Write as _, stdout};

use anyhow::Context as _;

/// Prints `text`. A reader that has seen enough (`| head`) is no error.
///
/// # Errors
/// Standard output cannot take it, as on a full disk.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.context("write to standard output"),
    }
}
