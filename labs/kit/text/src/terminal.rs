//! Text that somebody else wrote, as a terminal may get it.

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

fn obeyed(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && !matches!(c, '\n' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_nothing_to_obey() {
        assert_eq!(plain("µs\tand\nlines"), None);
        let shown = plain("\u{1b}]0;x\u{7}\u{9b}m\u{202e}").unwrap();
        assert_eq!(shown, r"\u{1b}]0;x\u{7}\u{9b}m\u{202e}");
    }
}
