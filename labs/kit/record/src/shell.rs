//! Words quoted for a shell.

/// A command line that a shell splits into `words` again.
pub fn words<'a>(words: impl IntoIterator<Item = &'a String>) -> String {
    let words: Vec<String> = words.into_iter().map(|one| word(one)).collect();
    words.join(" ")
}

/// `word`, quoted if a shell would not take it for one word as it is.
pub fn word(word: &str) -> String {
    let plain = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "/-_.,:=+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
