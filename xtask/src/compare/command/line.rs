//! A command line, split into words if it needs no shell, so that its figures include no start of a
//! shell.

use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// Characters with a meaning to a shell, outside quotes.
const MEANT_FOR_A_SHELL: &str = "|&;<>()$`*?[]{}\n";
/// Words that a shell itself executes.
const BUILT_IN: [&str; 34] = [
    "!", ".", ":", "alias", "break", "case", "cd", "command", "continue", "do", "done", "eval",
    "exec", "exit", "export", "fi", "for", "getopts", "hash", "if", "read", "readonly", "return",
    "set", "shift", "source", "then", "times", "trap", "type", "ulimit", "umask", "until", "while",
];

/// What a side runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::compare) struct Program {
    /// The program and its arguments; for a shell, `sh -c LINE`.
    pub(in crate::compare) words: Vec<String>,
    pub(in crate::compare) is_shell: bool,
}

impl Program {
    /// The program that runs a line: a shell only if the line needs one or the user wants it.
    ///
    /// # Errors
    /// The line has no words.
    pub(in crate::compare) fn of_line(line: &str, with_shell: bool) -> Result<Self, String> {
        if line.trim().is_empty() {
            return Err("the command is empty".to_owned());
        }
        match words(line).filter(|_| !with_shell) {
            Some(words) => Ok(Self { words, is_shell: false }),
            None => Ok(Self::shell(line)),
        }
    }

    /// A line that a shell runs.
    pub(in crate::compare) fn shell(line: &str) -> Self {
        Self { words: ["sh", "-c", line].map(str::to_owned).to_vec(), is_shell: true }
    }

    /// The command, to be run in `dir`.
    pub(in crate::compare) fn command(&self, dir: Option<&Path>) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]);
        dir.map(|dir| command.current_dir(dir));
        command
    }

    /// The command as a shell would take it.
    pub(in crate::compare) fn shown(&self) -> String {
        if self.is_shell {
            return self.words[2].clone();
        }
        let quoted = |word: &String| match words(word) {
            Some(same) if same == [word.clone()] => word.clone(),
            _ => format!("'{}'", word.replace('\'', r"'\''")),
        };
        self.words.iter().map(quoted).collect::<Vec<_>>().join(" ")
    }
}

/// The words of a line; `None` if only a shell can split it, or would do more than run a program.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.trim().chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => {
                let (quoted, after) = rest.as_str().split_once('\'')?;
                word.get_or_insert_default().push_str(quoted);
                rest = after.chars();
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next()? {
                        '"' => break,
                        '$' | '`' => return None,
                        '\\' => match rest.next()? {
                            escaped @ ('"' | '\\' | '$' | '`') => word.push(escaped),
                            other => word.extend(['\\', other]),
                        },
                        other => word.push(other),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(rest.next()?),
            '~' | '#' if word.is_none() => return None,
            c if MEANT_FOR_A_SHELL.contains(c) => return None,
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    let first = words.first()?;
    let assigns = first.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    });
    (!assigns && !first.is_empty() && !BUILT_IN.contains(&first.as_str())).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_plain_words_needs_no_shell() {
        for (line, expected) in [
            ("sort -u big", &["sort", "-u", "big"][..]),
            ("  grep  'a b'  x ", &["grep", "a b", "x"]),
            (r#"printf "%s\n" "a \"b\"" \$x"#, &["printf", r"%s\n", "a \"b\"", "$x"]),
            ("a '' b", &["a", "", "b"]),
            ("a b=c x~ y#", &["a", "b=c", "x~", "y#"]),
        ] {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn what_a_shell_would_do_something_with_goes_to_a_shell() {
        for line in [
            "sort big | uniq",
            "a > b",
            "a; b",
            "a && b",
            "ls *.c",
            "echo $HOME",
            "echo \"$HOME\"",
            "echo `date`",
            "X=1 a",
            "cd /",
            "! a",
            "a ~/b",
            "a # b",
            "for i in 1; do a; done",
            "a 'unclosed",
            "a \"unclosed",
            "a\nb",
            "a {1,2}",
            "exec a",
        ] {
            let program = Program::of_line(line, false).unwrap();
            assert!(program.is_shell, "{line}");
            assert_eq!(program.shown(), line);
        }
        assert!(Program::of_line("sort big", true).unwrap().is_shell, "where it is wanted");
        assert!(Program::of_line(" ", false).is_err());
    }

    #[test]
    fn words_are_shown_as_a_shell_takes_them() {
        let shown = |words: &[&str]| {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            Program { words, is_shell: false }.shown()
        };
        assert_eq!(shown(&["a", "b c", "$d", "it's", ""]), r"a 'b c' '$d' 'it'\''s' ''");
    }
}
