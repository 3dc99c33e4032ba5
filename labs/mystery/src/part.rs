//! A process of a program: this lab's own binary, as a verb that `--help` does not list.

use std::env;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::Context as _;

/// The verb: `mystery part N WHAT`.
pub(crate) const VERB: &str = "part";

/// Runs a part to its end.
///
/// # Errors
/// It cannot be started.
pub(crate) fn run(program: &str, what: &str, input: Stdio) -> anyhow::Result<ExitStatus> {
    let path = binary()?;
    let mut command = Command::new(&path);
    command.args([VERB, program, what]);
    command.stdin(input).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().with_context(|| format!("start {}", path.display()))
}

/// As [`run`], with a file as its standard input.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_on(program: &str, what: &str, file: &File) -> anyhow::Result<ExitStatus> {
    run(program, what, file.try_clone().context("one more descriptor of a file")?.into())
}

/// The lab's program. A test lies in `target/<profile>/deps`, and the program beside that folder.
fn binary() -> anyhow::Result<PathBuf> {
    let here = env::current_exe().context("find this program")?;
    let folder = here.parent().filter(|folder| folder.ends_with("deps"));
    let beside = folder.and_then(|folder| folder.parent());
    Ok(beside.map_or(here.clone(), |folder| folder.join(env!("CARGO_PKG_NAME"))))
}
