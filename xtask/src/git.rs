//! The one place that runs git: for the repository of a directory, never for one that the
//! environment names.
//!
//! Git sets `GIT_DIR`, `GIT_INDEX_FILE` and more for its hooks. A git started from a hook would
//! work on the repository that they name, with its index, in any directory. So none of them is
//! inherited, and no hooks are run.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::exit::usage;

/// Variables that say how git reaches and shows things, not which repository it works on.
const KEPT: [&str; 6] = [
    "GIT_CEILING_DIRECTORIES",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_EXEC_PATH",
];
/// Settings of every command of ours: no hook, no collection of garbage in the user's repository.
const SETTINGS: [&str; 3] = ["core.hooksPath=/dev/null", "gc.auto=0", "maintenance.auto=false"];

/// The output of git in `dir`, without the last line break.
///
/// # Errors
/// There is no git, or it fails: the error has its own message.
pub(crate) fn said(dir: &Path, args: &[&str]) -> anyhow::Result<String> {
    said_by(&mut command(dir, args), args)
}

/// As [`said`], with an index of our own.
pub(crate) fn with_index(dir: &Path, index: &Path, args: &[&str]) -> anyhow::Result<String> {
    said_by(command(dir, args).env("GIT_INDEX_FILE", index), args)
}

/// Refuses a directory without a repository that git accepts: the error has git's message and a
/// fix.
///
/// # Errors
/// There is no git, no repository, or one that git does not trust.
pub(crate) fn check_repository(dir: &Path) -> anyhow::Result<()> {
    said(dir, &["rev-parse", "--git-dir"]).map(drop).map_err(|error| {
        let said = format!("{error:#}");
        let fix = fix(&said);
        usage(format!("{said}\nto fix it: {fix}"))
    })
}

/// The fix for an error message of git.
pub(crate) fn fix(said: &str) -> String {
    match said {
        // Git's own message names the command.
        said if said.contains("safe.directory") => {
            let line = said.lines().map(str::trim).find(|line| line.starts_with("git config"));
            line.unwrap_or("git config --global --add safe.directory DIRECTORY").to_owned()
        }
        said if said.contains("not a git repository") => {
            "a checkout by `git clone`; runs of two copies compare as `compare RUN RUN`".to_owned()
        }
        _ => "install git, such as by: apt-get install git".to_owned(),
    }
}

/// Removes from the environment of `command` the variables that git sets for hooks.
pub(crate) fn forget_repository(command: &mut Command) -> &mut Command {
    let named = env::vars_os().map(|(name, _)| name).filter(|name| {
        name.to_str().is_some_and(|name| name.starts_with("GIT_") && !KEPT.contains(&name))
    });
    named.fold(command, |command, name| command.env_remove(name))
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    // Without this, git would write the index that it only reads.
    forget_repository(&mut command).env("GIT_OPTIONAL_LOCKS", "0");
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    command.args(args).current_dir(dir);
    command
}

fn said_by(command: &mut Command, args: &[&str]) -> anyhow::Result<String> {
    let output = command.output().context("git cannot be run")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git {}: {}", args.join(" "), error.trim());
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}
