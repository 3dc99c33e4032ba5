//! Names that become names of files: checked once, when a file of a run is read.
//!
//! A run may come from another user. A variant `../../../x` in its plan would have its graphs
//! written outside of it, so no reader gets to see such a name.

use std::collections::BTreeMap;

use lab_text::terminal::plain;
use serde::de::{Deserialize, Deserializer, Error as _};

/// Longer ones would not fit a file name beside what is added to it.
const MOST_BYTES: usize = 120;

/// Checks a name that becomes part of a file's: letters, digits and `-_.@+`, and no dot first.
///
/// # Errors
/// The name is not allowed; the error says which characters are.
pub fn check_name(what: &str, name: &str) -> anyhow::Result<()> {
    let plain = |c: char| c.is_alphanumeric() || "-_.@+".contains(c);
    let starts = name.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    if starts && name.len() <= MOST_BYTES && name.chars().all(plain) {
        return Ok(());
    }
    anyhow::bail!(
        "{what} `{}` is no name: it takes letters, digits and any of -_.@+, begins with a letter, \
         a digit or _, and has {MOST_BYTES} bytes at most",
        cut(name)
    )
}

/// Checks the path of a file of a run, relative to it: it must not lead out.
///
/// # Errors
/// The path leads out of the run.
pub fn check_path(what: &str, path: &str) -> anyhow::Result<()> {
    let within = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(char::is_control);
    if path.split('/').all(within) {
        return Ok(());
    }
    anyhow::bail!("{what} `{}` is no path within the run", cut(path))
}

/// The beginning of a name, without control characters, which a terminal would obey.
fn cut(name: &str) -> String {
    const ROOM: usize = 60;
    let shown: String = name.chars().take(ROOM).collect();
    let more = if shown.len() < name.len() { "…" } else { "" };
    format!("{}{more}", plain(&shown).unwrap_or(shown))
}

/// Functions for `#[serde(deserialize_with)]`, one for each key, so that an error names it.
macro_rules! keys {
    ($($key:ident),*) => { $(
        pub(crate) fn $key<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
            let name = String::deserialize(from)?;
            check_name(stringify!($key), &name).map_err(D::Error::custom)?;
            Ok(name)
        }
    )* };
}

keys!(id, lab, variant, kind, file, name);

pub(crate) fn probe<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let probe = Option::<String>::deserialize(from)?;
    probe.iter().try_for_each(|name| check_name("probe", name)).map_err(D::Error::custom)?;
    Ok(probe)
}

/// The keys of a map are series, each a file of its own.
pub(crate) fn series<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    let series = BTreeMap::<String, T>::deserialize(from)?;
    series.keys().try_for_each(|name| check_name("series", name)).map_err(D::Error::custom)?;
    Ok(series)
}

pub(crate) fn path<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let path = String::deserialize(from)?;
    check_path("the path", &path).map_err(D::Error::custom)?;
    Ok(path)
}

pub(crate) fn paths<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let paths = Vec::<String>::deserialize(from)?;
    paths.iter().try_for_each(|path| check_path("the path", path)).map_err(D::Error::custom)?;
    Ok(paths)
}

pub(crate) fn some_path<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let path = Option::<String>::deserialize(from)?;
    path.iter().try_for_each(|path| check_path("the path", path)).map_err(D::Error::custom)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_lead_out_of_its_directory_or_command_a_terminal() {
        for good in ["fan-out", "fan-out@simulated", "001-a", "p99.9", "größer", "_x"] {
            check_name("variant", good).unwrap();
        }
        let long = "x".repeat(121);
        for bad in
            ["", ".", "..", "../x", "/x", "a/b", "-x", ".x", "a b", "a\0", "\u{1b}[2J", &long]
        {
            let error = check_name("variant", bad).unwrap_err().to_string();
            assert!(error.starts_with("variant `") && !error.contains('\u{1b}'), "{error}");
        }
    }

    #[test]
    fn a_path_stays_within_the_run() {
        check_path("svg", "flame/fan-out-cpu.svg").unwrap();
        for bad in ["", "/etc/passwd", "../x", "flame/../../x", "a//b", "./a", "a/\u{1b}"] {
            assert!(check_path("svg", bad).is_err(), "{bad:?}");
        }
    }
}
