//! Lines for a terminal, of eighty columns if its width is unknown.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use anstyle::{AnsiColor, Style};
use textwrap::{Options, WordSplitter};

/// The default width in columns, for which tables are made.
pub const WIDTH: usize = 80;

/// The terminal's width in columns, once it is known.
static COLUMNS: AtomicUsize = AtomicUsize::new(WIDTH);

/// The least width: a narrower line has no room for a few words.
const NARROWEST: usize = 40;

/// Breaks paragraphs at `columns` columns from now on, but at no less than 40; 0 means that the
/// terminal does not know its width.
pub fn set_width(columns: usize) {
    if columns > 0 {
        COLUMNS.store(columns.max(NARROWEST), Ordering::Relaxed);
    }
}

/// The terminal's columns.
pub fn columns() -> usize {
    COLUMNS.load(Ordering::Relaxed)
}

/// Whether words are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Without colours: the output is no terminal, or the user wants none.
    Plain,
    /// With colours.
    Colors,
}

/// The kind of a word, shown by its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// What was expected: green.
    Good,
    /// What was not expected: red.
    Bad,
    /// What cannot be relied on: yellow.
    Doubtful,
    /// What matters less: dimmed.
    Faint,
}

impl Paint {
    /// `words` in the colour of their tone, by ANSI's eight, which every terminal has in its own
    /// shades.
    pub fn tone(self, tone: Tone, words: &str) -> String {
        let style = match (self, tone) {
            (Self::Plain, _) => Style::new(),
            (Self::Colors, Tone::Good) => AnsiColor::Green.on_default(),
            (Self::Colors, Tone::Bad) => AnsiColor::Red.on_default(),
            (Self::Colors, Tone::Doubtful) => AnsiColor::Yellow.on_default(),
            (Self::Colors, Tone::Faint) => Style::new().dimmed(),
        };
        format!("{style}{words}{style:#}")
    }
}

/// Writes a line, without trailing spaces. A line break in a name is made visible.
pub fn row(text: &mut String, line: &str) {
    let line = line.trim_end().replace('\n', r"\u{a}");
    writeln!(text, "{line}").expect("a string takes all");
}

/// Writes words after `head` in lines of the terminal's width; later lines begin at column `hang`.
pub fn paragraph(text: &mut String, head: &str, words: &str, hang: usize) {
    broken(text, (head, hang), words, columns());
}

fn broken(text: &mut String, (head, hang): (&str, usize), words: &str, columns: usize) {
    let words: Vec<&str> = words.split_whitespace().collect();
    if words.is_empty() {
        // Without words, textwrap would drop the indent.
        return row(text, head);
    }
    let indent = " ".repeat(hang);
    let options = Options::new(columns)
        .initial_indent(head)
        .subsequent_indent(&indent)
        // An address or a command is not broken, so that it can be copied.
        .break_words(false)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(&words.join(" "), options).iter().for_each(|line| row(text, line));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_without_words_is_a_line() {
        let mut text = String::new();
        paragraph(&mut text, "claims: ", "", 2);
        assert_eq!(text, "claims:\n");
    }

    #[test]
    fn wrapped_lines_are_indented_below_their_head() {
        let mut text = String::new();
        paragraph(&mut text, "head: ", &"nine-char ".repeat(12), 6);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[0].len()), (2, 75));
        assert!(lines[0].starts_with("head: nine") && lines[1].starts_with("      nine"), "{text}");
    }

    #[test]
    fn lines_are_as_wide_as_the_terminal() {
        for columns in [40, 80, 200] {
            let mut text = String::new();
            broken(&mut text, ("head: ", 6), &"word ".repeat(100), columns);
            let widest = text.lines().map(str::len).max();
            assert!(
                widest.is_some_and(|widest| widest <= columns && widest > columns - 5),
                "{text}"
            );
        }
    }
}
