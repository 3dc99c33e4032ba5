//! Building a lab with cargo, and asking the lab to describe itself.

use std::io::{BufRead as _, BufReader, IsTerminal as _, PipeReader, stderr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use indicatif::ProgressBar;
use lab_record::{Description, parse_json};
use serde::Deserialize;

use crate::process::{Captured, Ended, Interrupt, capture, supervise};
use crate::progress;
use crate::rustflags;
use crate::workspace::{Package, Workspace, cargo};

/// A build that takes longer hangs, as when cargo waits for a lock that is never released.
const BUILD_DEADLINE: Duration = Duration::from_secs(30 * 60);
/// Generous, since a lab describes itself from constants.
const DESCRIBE_DEADLINE: Duration = Duration::from_secs(10);

/// Builds a package of the workspace in release and returns the path of its binary. Cargo's own
/// messages are shown if the build fails.
pub(crate) fn build(
    workspace: &Workspace,
    package: &Package,
    interrupt: &Interrupt,
) -> anyhow::Result<PathBuf> {
    let name = &package.name;
    let spinner = progress::spinner(&format!("building {name}"));
    let (reader, writer) = std::io::pipe().context("make a pipe")?;
    let (artifacts, told) = std::io::pipe().context("make a pipe")?;
    let mut command = cargo_build(workspace, name);
    command.stdout(told).stderr(writer);
    let (ended, messages, binary) = thread::scope(|scope| {
        let messages = scope.spawn(|| follow(reader, &spinner));
        let binary = scope.spawn(|| executable(artifacts, name));
        let ended = supervise(command, BUILD_DEADLINE, interrupt, |_| spinner.tick());
        let (messages, binary) = (messages.join(), binary.join());
        let expected = "reading a pipe does not panic";
        (ended, messages.expect(expected), binary.expect(expected))
    });
    spinner.finish_and_clear();
    match ended? {
        Ended::Interrupted(_) => bail!("interrupted while building {name}"),
        ended if !ended.well() => {
            eprintln!("{}", messages.trim_end());
            bail!("{name} does not build: cargo {ended}; see its messages above");
        }
        _ => {}
    }
    binary.with_context(|| format!("cargo built {name} but reported no program of it"))
}

fn cargo_build(workspace: &Workspace, name: &str) -> Command {
    let color = if stderr().is_terminal() { "--color=always" } else { "--color=never" };
    let mut command = cargo();
    command
        .args(["build", "--release", "--package", name, "--bin", name, color])
        .arg("--message-format=json-render-diagnostics")
        .arg("--target-dir")
        .arg(&workspace.target)
        .current_dir(&workspace.root);
    if let Some(flags) = rustflags::replaced() {
        command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    }
    command
}

/// The path of the program as cargo reports it: it depends on the target.
fn executable(artifacts: PipeReader, name: &str) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Artifact {
        target: Target,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    // Reads all lines, so that cargo never blocks on writing them.
    let lines: Vec<_> = BufReader::new(artifacts).split(b'\n').map_while(Result::ok).collect();
    let artifacts = lines.iter().filter_map(|line| serde_json::from_slice::<Artifact>(line).ok());
    artifacts.filter(|artifact| artifact.target.name == name).find_map(|found| found.executable)
}

/// Shows cargo's latest line beside the spinner, and returns all of them.
fn follow(messages: PipeReader, spinner: &ProgressBar) -> String {
    let mut all = String::new();
    for line in BufReader::new(messages).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        spinner.set_message(line.trim().to_owned());
        all.push_str(&line);
        all.push('\n');
    }
    all
}

/// The description that a lab prints of itself.
pub(crate) fn describe(binary: &Path, interrupt: &Interrupt) -> anyhow::Result<Description> {
    let mut command = Command::new(binary);
    command.arg("describe");
    let Captured { ended, stdout, stderr } = capture(command, DESCRIBE_DEADLINE, interrupt)?;
    let what = format!("{} describe", binary.display());
    ensure!(ended.well(), "{what} {ended}\n{}", stderr.trim_end());
    let description: Description =
        parse_json(&stdout).with_context(|| format!("{what}: not the description of a lab"))?;
    let names: Vec<&str> = description.variants.iter().map(|variant| &*variant.name).collect();
    if let Some(at) = (1..names.len()).find(|&at| names[..at].contains(&names[at])) {
        bail!("{what}: two variants are called `{}`: each needs a name of its own", names[at]);
    }
    Ok(description)
}
