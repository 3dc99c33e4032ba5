//! Reading and writing JSON files that say which schema they follow.

use std::fmt;
use std::path::Path;

use anyhow::Context as _;
use lab_text::terminal::plain;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A type that stands alone in a file, under a schema name and major version.
pub trait Schema {
    /// The name before the slash, such as `perf-lab.trial`.
    const NAME: &'static str;
    /// The major version this program reads and writes.
    const MAJOR: u32 = 1;
}

/// A file that this program must not interpret.
#[derive(Debug, PartialEq, Eq)]
pub enum SchemaError {
    /// There is no `schema` member: not one of our files.
    Missing {
        /// What was expected, such as `perf-lab.trial/1`.
        expected: String,
    },
    /// The member names something else, or another major version.
    Foreign {
        /// What was expected.
        expected: String,
        /// What the file says.
        found: String,
    },
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { expected } => {
                write!(f, "no `schema` in the file, expected `{expected}`")
            }
            Self::Foreign { expected, found } => {
                write!(f, "schema `{found}` is not known here, expected `{expected}`")
            }
        }
    }
}

impl std::error::Error for SchemaError {}

/// Reads a file of schema `T`; minor additions are ignored, another major is refused by name. Its
/// text cannot control a terminal: see [`plain`].
///
/// # Errors
/// The file cannot be read, is not JSON, follows another schema, or lacks a member; each names
/// the path.
pub fn read_json<T: Schema + DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = lab_files::read_text(path)?;
    parse_json(&text).with_context(|| format!("parse {}", path.display()))
}

/// As [`read_json`], of text from elsewhere: what a lab prints when it describes itself.
///
/// # Errors
/// The text is not JSON, follows another schema, or lacks a member.
pub fn parse_json<T: Schema + DeserializeOwned>(text: &str) -> anyhow::Result<T> {
    let mut value: Value = serde_json::from_str(text)?;
    check_schema::<T>(&value)?;
    make_plain(&mut value);
    Ok(serde_json::from_value(value)?)
}

/// `value` as JSON text under its schema, as [`write_json`] writes it.
///
/// # Errors
/// A map has keys that are not text.
pub fn to_json<T: Schema + Serialize>(value: &T) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&Stamped { schema: stamp::<T>(), value })?)
}

/// Writes `value` under its schema, whole or not at all.
///
/// # Errors
/// The directory is not writable, or full; the error names the path.
pub fn write_json<T: Schema + Serialize>(path: &Path, value: &T) -> anyhow::Result<()> {
    lab_files::write(path, to_json(value)? + "\n")
}

/// Makes all text in it plain, so that none can control a terminal.
fn make_plain(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(shown) = plain(text) {
                *text = shown;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(make_plain),
        Value::Object(members) => {
            members.values_mut().for_each(make_plain);
            if members.keys().any(|key| plain(key).is_some()) {
                let shown = |key: String| plain(&key).unwrap_or(key);
                let all = std::mem::take(members).into_iter();
                *members = all.map(|(key, value)| (shown(key), value)).collect();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[derive(Serialize)]
struct Stamped<'a, T> {
    schema: String,
    #[serde(flatten)]
    value: &'a T,
}

fn stamp<T: Schema>() -> String {
    format!("{}/{}", T::NAME, T::MAJOR)
}

fn check_schema<T: Schema>(value: &Value) -> Result<(), SchemaError> {
    let expected = stamp::<T>();
    let Some(found) = value.get("schema").and_then(|s| s.as_str()) else {
        return Err(SchemaError::Missing { expected });
    };
    // `perf-lab.trial/1.2` is a later minor of the same major: readable.
    let major = found.split('.').take(2).collect::<Vec<_>>().join(".");
    if major == expected {
        Ok(())
    } else {
        Err(SchemaError::Foreign { expected, found: found.into() })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Note {
        text: String,
    }
    impl Schema for Note {
        const NAME: &'static str = "perf-lab.note";
    }

    fn read_text(text: &str) -> anyhow::Result<Note> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("note.json");
        fs::write(&path, text).unwrap();
        read_json(&path)
    }

    #[test]
    fn what_is_written_is_read_back_under_its_schema() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("note.json");
        let note = Note { text: "µs".into() };
        write_json(&path, &note).unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("\"schema\": \"perf-lab.note/1\""));
        assert_eq!(read_json::<Note>(&path).unwrap(), note);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "the partial file is gone");
    }

    #[test]
    fn control_characters_in_a_file_are_escaped() {
        let escaped = r#"{"schema":"perf-lab.note/1","text":"\u001b]0;owned\u0007"}"#;
        assert_eq!(read_text(escaped).unwrap().text, r"\u{1b}]0;owned\u{7}");
    }

    #[test]
    fn a_later_minor_is_read_and_another_major_is_refused_by_name() {
        assert!(read_text(r#"{"schema":"perf-lab.note/1.4","text":"x","more":1}"#).is_ok());
        let error = read_text(r#"{"schema":"perf-lab.note/2","text":"x"}"#).unwrap_err();
        assert!(format!("{error:#}").contains("perf-lab.note/2"), "{error:#}");
        assert!(format!("{error:#}").contains("note.json"), "{error:#}");
        assert!(read_text(r#"{"schema":"perf-lab.note/10","text":"x"}"#).is_err());
        assert!(read_text(r#"{"text":"x"}"#).is_err());
        assert!(read_text(r#"{"schema":"perf-lab.note/1","te"#).is_err(), "truncated");
    }
}
