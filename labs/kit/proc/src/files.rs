//! Files of one line, or of lines `name: value`.

use std::fs;
use std::io::{self, Error, ErrorKind};

/// The first line of a file; `None` if there is none, or it is empty.
pub fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}

/// The value of `key` in the first CPU's part of `/proc/cpuinfo`.
pub fn cpuinfo(key: &str) -> Option<String> {
    field(&fs::read_to_string("/proc/cpuinfo").ok()?, key).map(str::to_owned)
}

/// The selected word of a file in `/sys`: `madvise` of `always [madvise] never`.
pub fn selected(choices: &str) -> Option<&str> {
    let (_, rest) = choices.split_once('[')?;
    rest.split_once(']').map(|(chosen, _)| chosen)
}

/// The value of a line `name : value`, with any space around either.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

/// The whole text of a file; the error names it.
pub(crate) fn text(path: &str) -> io::Result<String> {
    fs::read_to_string(path).map_err(|error| Error::new(error.kind(), format!("{path}: {error}")))
}

/// The error for `what` that `path` lacks.
pub(crate) fn lacks(path: &str, what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("{path} has no {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bracketed_choice_is_selected() {
        assert_eq!(selected("always [madvise] never"), Some("madvise"));
        assert_eq!(selected("never"), None);
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "model\t\t: 17\nmodel name\t: AMD EPYC: 7B13\nMemTotal:  24 kB\n";
        assert_eq!(field(text, "model name"), Some("AMD EPYC: 7B13"));
        assert_eq!(field(text, "model"), Some("17"));
        assert_eq!(field(text, "name"), None);
    }

    #[test]
    fn the_files_that_every_linux_has_are_read() {
        assert!(cpuinfo("processor").is_some());
        let error = text("/proc/no-such-file").unwrap_err();
        assert!(error.kind() == ErrorKind::NotFound && error.to_string().contains("no-such-file"));
    }
}
