//! Standard output, for a verb's results; everything else goes to standard error.

use std::io::{ErrorKind, IsTerminal as _, Write as _, stdout};

use anyhow::Context as _;
use clap::ValueEnum;
use lab_text::markdown::{Align, escape, table};
use lab_text::program;
use lab_verdict::render::lines::{self, set_width};
pub(crate) use lab_verdict::render::lines::{Paint, Tone, columns, row};

/// How a verb prints what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For a terminal
    Human,
    /// JSON that stands alone
    Json,
    /// Markdown, for a pull request or a job's summary
    Md,
}

/// Colours on a terminal, unless `NO_COLOR` (no-color.org) says otherwise.
pub(crate) fn paint() -> Paint {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let obeys = stdout().is_terminal() && !is_dumb();
    if obeys && !unwanted { Paint::Colors } else { Paint::Plain }
}

/// Whether the terminal shows escapes instead of interpreting them.
pub(crate) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Sets the width of all that is printed to the terminal's, if there is one.
pub(crate) fn take_width() {
    if let Ok(size) = rustix::termios::tcgetwinsize(stdout()) {
        set_width(usize::from(size.ws_col));
    }
}

/// Prints `text`. A closed pipe (`| head`) is no error.
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

/// Writes words after `head` in lines of the terminal's width; later lines begin at column `hang`.
/// Commands in them are shown as this program was called.
pub(crate) fn paragraph(text: &mut String, head: &str, words: &str, hang: usize) {
    lines::paragraph(text, head, &program::as_called(words), hang);
}

/// A table of Markdown. Cells are escaped, since they may hold any text.
pub(crate) fn markdown_table<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let escaped = rows.into_iter().map(|cells| cells.map(|cell| escape(&cell)));
    table(head.map(|words| (words, Align::Left)), escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_cannot_end_its_row() {
        let table = markdown_table(["a", "b"], [["x|y\nz".to_owned(), "<b>".to_owned()]]);
        assert_eq!(table, "| a | b |\n|---|---|\n| x\\|y z | &lt;b&gt; |\n");
    }
}
