//! Standard output, for what a verb was asked for; everything else goes to standard error.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _, stdout};

use anyhow::Context as _;
use clap::ValueEnum;

/// Columns of a terminal.
pub(crate) const WIDTH: usize = 80;

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

/// Writes a line, without spaces at its end.
pub(crate) fn row(text: &mut String, line: &str) {
    writeln!(text, "{}", line.trim_end()).expect("a string takes all");
}

/// Writes words behind `head` in lines of the terminal's width; later lines begin at column `hang`.
pub(crate) fn paragraph(text: &mut String, head: &str, words: &str, hang: usize) {
    let mut line = head.to_owned();
    let mut empty = true;
    for word in words.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            row(text, &line);
            line = " ".repeat(hang);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    row(text, &line);
}

/// A table of Markdown. Cells are escaped: they hold any text.
pub(crate) fn markdown_table<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(N));
    for cells in rows {
        row(&mut text, &format!("| {} |", cells.map(|cell| lab_report::escape(&cell)).join(" | ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_hang_below_their_head() {
        let mut text = String::new();
        paragraph(&mut text, "head: ", &"nine-char ".repeat(12), 6);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[0].len()), (2, 75));
        assert!(lines[0].starts_with("head: nine") && lines[1].starts_with("      nine"), "{text}");
    }

    #[test]
    fn a_cell_cannot_end_its_row() {
        let table = markdown_table(["a", "b"], [["x|y\nz".to_owned(), "<b>".to_owned()]]);
        assert_eq!(table, "| a | b |\n|---|---|\n| x\\|y z | &lt;b&gt; |\n");
    }
}
