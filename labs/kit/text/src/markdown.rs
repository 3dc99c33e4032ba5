//! GitHub's Markdown, safe for any names.

/// Whether a column's cells stand to the left or, as figures do, to the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Figures.
    Right,
}

/// A table, with a line's end after each row. Cells are Markdown already: see [`escape`].
pub fn table<const N: usize>(
    head: [(&str, Align); N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let line = |cells: [&str; N]| format!("| {} |\n", cells.join(" | "));
    let rule = head.map(|(_, align)| if align == Align::Left { "---" } else { "--:" });
    let mut text = line(head.map(|(words, _)| words));
    text += &format!("|{}|\n", rule.join("|"));
    for row in rows {
        text += &line(row.each_ref().map(String::as_str));
    }
    text
}

/// Makes any text literal, on one line, in a table's cell too.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '@' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Text in code quotes, also where it has backticks; not for a table's cell, where a `|` ends it.
pub fn code(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if longest == 0 { format!("`{text}`") } else { format!("{fence} {text} {fence}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_names_stays_text() {
        assert_eq!(escape("<b>|`x`\n@me"), "&lt;b&gt;\\|\\`x\\` \\@me");
        assert_eq!(code("a ``b`` c"), "``` a ``b`` c ```");
        assert_eq!(code("plain"), "`plain`");
    }

    #[test]
    fn figures_stand_to_the_right_and_a_cell_cannot_end_its_row() {
        let head = [("a", Align::Left), ("b", Align::Right)];
        let table = table(head, [[escape("x|y\nz"), escape("<b>")]]);
        assert_eq!(table, "| a | b |\n|---|--:|\n| x\\|y z | &lt;b&gt; |\n");
    }
}
