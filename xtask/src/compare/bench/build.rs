//! The bench programs of a revision: built once by `cargo bench --no-run`, and asked to list their
//! benchmarks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{bail, ensure};
use serde::Deserialize;

use crate::compare::command::trial::{as_the_user, last};
use crate::exit::usage;
use crate::process::{Captured, Ended, Interrupt, capture};
use crate::progress;

/// A build that takes longer hangs.
const BUILD_DEADLINE: Duration = Duration::from_secs(60 * 60);
/// A program lists its benchmarks without running any.
const LIST_DEADLINE: Duration = Duration::from_secs(60);

/// A bench program, and the benchmarks that it has.
#[derive(Debug, Clone)]
pub(super) struct Program {
    executable: PathBuf,
    /// The folder of its package, where cargo would run it.
    folder: PathBuf,
    /// Its name in `Cargo.toml`.
    pub(super) target: String,
    /// The path of its source in the repository, by which the sides' programs are matched.
    pub(super) source: PathBuf,
    pub(super) benchmarks: Vec<String>,
}

#[derive(Deserialize)]
struct Artifact {
    target: Target,
    manifest_path: PathBuf,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    src_path: PathBuf,
}

/// Builds the bench targets of the package or workspace in `dir`, a folder of the worktree `tree`.
///
/// # Errors
/// There are none, or one does not build.
pub(super) fn build(
    tree: &Path,
    dir: &Path,
    name: &str,
    interrupt: &Interrupt,
) -> anyhow::Result<Vec<Program>> {
    let mut command = Command::new("cargo");
    command
        .args(["bench", "--no-run", "--bench", "*", "--message-format=json-render-diagnostics"])
        // Otherwise both sides could share a target directory that the user's configuration names.
        .arg("--target-dir")
        .arg(tree.join("target"));
    command.current_dir(dir);
    as_the_user(&mut command, Some(dir));
    let spinner = progress::spinner(&format!("building the benches of {name}"));
    let built = capture(command, BUILD_DEADLINE, interrupt);
    spinner.finish_and_clear();
    let Captured { ended, stdout, stderr } = built?;
    match ended {
        Ended::Interrupted(_) => bail!("interrupted while building {name}"),
        ended if !ended.well() => {
            let said = last(&stderr);
            let lacks = ["no bench target", "could not find `Cargo.toml`"];
            if lacks.iter().any(|lack| stderr.contains(lack)) {
                return Err(usage(format!("{name} has no benches here{said}")));
            }
            bail!("{name} does not build: `cargo bench --no-run` {ended}{said}")
        }
        _ => {}
    }
    let artifacts = stdout.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
    let mut programs = Vec::new();
    for Artifact { target, manifest_path, executable } in artifacts {
        let Some(executable) =
            executable.filter(|_| target.kind.iter().any(|kind| kind == "bench"))
        else {
            continue;
        };
        programs.push(Program {
            executable,
            folder: manifest_path.parent().unwrap_or(dir).to_owned(),
            target: target.name,
            source: target.src_path.strip_prefix(tree).unwrap_or(&target.src_path).to_owned(),
            benchmarks: Vec::new(),
        });
    }
    programs.sort_by(|a, b| a.source.cmp(&b.source));
    for program in &mut programs {
        program.benchmarks = program.list(name, interrupt)?;
    }
    Ok(programs)
}

impl Program {
    /// A run of it.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        command.arg("--bench").current_dir(&self.folder);
        as_the_user(&mut command, Some(&self.folder));
        // As `cargo bench` sets it.
        command.env("CARGO_MANIFEST_DIR", &self.folder);
        command
    }

    /// The benchmarks that it lists as criterion does.
    fn list(&self, side: &str, interrupt: &Interrupt) -> anyhow::Result<Vec<String>> {
        let mut command = self.command();
        command.arg("--list");
        let Captured { ended, stdout, stderr } = capture(command, LIST_DEADLINE, interrupt)?;
        let source = self.source.display();
        ensure!(ended.well(), "{side}: {source} --bench --list {ended}{}", last(&stderr));
        Ok(listed(&stdout))
    }
}

fn listed(said: &str) -> Vec<String> {
    said.lines().filter_map(|line| line.strip_suffix(": benchmark")).map(str::to_owned).collect()
}

/// The name of each benchmark, by program and by its own name: prefixed with the program's name if
/// two programs of a side have a benchmark of the same name.
pub(super) fn names(sides: &[Vec<Program>]) -> BTreeMap<(PathBuf, String), String> {
    let has_twins = |name: &String| {
        sides
            .iter()
            .any(|side| side.iter().filter(|program| program.benchmarks.contains(name)).count() > 1)
    };
    let mut names = BTreeMap::new();
    for program in sides.iter().flatten() {
        for own in &program.benchmarks {
            let called = match has_twins(own) {
                true => format!("{}: {own}", program.target),
                false => own.clone(),
            };
            names.insert((program.source.clone(), own.clone()), called);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(source: &str, benchmarks: &[&str]) -> Program {
        Program {
            executable: PathBuf::new(),
            folder: PathBuf::new(),
            target: source.trim_end_matches(".rs").to_owned(),
            source: source.into(),
            benchmarks: benchmarks.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn a_list_is_read_as_criterion_prints_it() {
        let said = "sum/10: benchmark\nsum/a: b: benchmark\n\n2 tests, 0 benchmarks\nx: test\n";
        assert_eq!(listed(said), ["sum/10", "sum/a: b"]);
    }

    #[test]
    fn a_name_that_two_programs_have_gets_the_programs_name() {
        let base = vec![program("a.rs", &["sum", "x"]), program("b.rs", &["sum"])];
        let new = vec![program("a.rs", &["sum"])];
        let names: Vec<String> = names(&[base, new]).into_values().collect();
        assert_eq!(names, ["a: sum", "x", "b: sum"]);
    }
}
