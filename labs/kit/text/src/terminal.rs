//! Text from elsewhere, made safe for a terminal.

/// `text` without characters that a terminal obeys, where it has any: escapes and other controls
/// become visible as `\u{1b}`, as do marks that turn the direction of writing. Lines and tabs stay.
pub fn plain(text: &str) -> Option<String> {
    if !text.contains(obeyed) {
        return None;
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if obeyed(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    Some(shown)
}

/// `text` as a part of one line: as [`plain`], and ends of lines and tabs become visible, too. A name
/// from elsewhere begins no line of its own, which could say anything.
pub fn one_line(text: &str) -> String {
    let shown = plain(text).unwrap_or_else(|| text.to_owned());
    shown.replace('\n', r"\u{a}").replace('\t', r"\u{9}")
}

fn obeyed(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && !matches!(c, '\n' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_control_characters() {
        assert_eq!(plain("µs\tand\nlines"), None);
        let shown = plain("\u{1b}]0;x\u{7}\u{9b}m\u{202e}").unwrap();
        assert_eq!(shown, r"\u{1b}]0;x\u{7}\u{9b}m\u{202e}");
        assert_eq!(one_line("a\nb\tc\r\u{85}"), r"a\u{a}b\u{9}c\u{d}\u{85}");
        assert_eq!(one_line("µs of a"), "µs of a");
    }
}
