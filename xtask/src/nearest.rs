//! "Did you mean …": the known word nearest to one that is not known.

/// The known word that was meant, if any is near enough.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distances = known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        // A word that shares less than half its letters is not what was meant.
        .filter(|(distance, candidate)| {
            *distance > 0 && 2 * distance <= word.len().max(candidate.len())
        });
    distances.min().map(|(_, nearest)| nearest)
}

/// The message for an unknown `word`: what it should have been, and what there is.
pub(crate) fn unknown<'a>(
    what: &str,
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(word, known.iter().copied()) {
        Some(nearest) => format!("no {what} `{word}`: did you mean `{nearest}`?"),
        None if known.is_empty() => format!("no {what} `{word}`: there is none"),
        None => format!("no {what} `{word}`: there are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_suggested_or_all_are_listed() {
        let labs = ["coordinated-omission", "tail-latency"];
        assert_eq!(
            unknown("lab", "tail-latncy", labs),
            "no lab `tail-latncy`: did you mean `tail-latency`?"
        );
        assert_eq!(
            unknown("lab", "x", labs),
            "no lab `x`: there are coordinated-omission, tail-latency"
        );
        assert_eq!(unknown("lab", "x", []), "no lab `x`: there is none");
    }
}
