//! Lines for a terminal of eighty columns.

use std::fmt::Write as _;

/// Columns of a terminal.
pub const WIDTH: usize = 80;

/// Writes a line, without spaces at its end.
pub fn row(text: &mut String, line: &str) {
    writeln!(text, "{}", line.trim_end()).expect("a string takes all");
}

/// Writes words behind `head` in lines of the terminal's width; later lines begin at column `hang`.
pub fn paragraph(text: &mut String, head: &str, words: &str, hang: usize) {
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
}
