//! Building a lab with cargo, and asking it what it is.

use std::io::{BufRead as _, BufReader, PipeReader, stderr};
use std::io::{IsTerminal as _, PipeWriter};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use indicatif::ProgressBar;
use lab_record::{Description, parse_json};

use crate::process::{Captured, Ended, Interrupt, capture, supervise};
use crate::progress;
use crate::workspace::{Package, Workspace, cargo};

/// A build that lasts longer hangs: cargo waiting for a lock that nobody gives back, say.
const BUILD_DEADLINE: Duration = Duration::from_secs(30 * 60);
/// A lab describes itself from constants.
const DESCRIBE_DEADLINE: Duration = Duration::from_secs(10);

/// Builds a package of the workspace in release and returns the path of its binary. Cargo's own
/// messages are shown where the build fails.
pub(crate) fn build(
    workspace: &Workspace,
    package: &Package,
    interrupt: &Interrupt,
) -> anyhow::Result<PathBuf> {
    build_apart(workspace, package, &[], &workspace.target, interrupt)
}

/// As [`build`], with these features, in a target directory of its own.
pub(crate) fn build_apart(
    workspace: &Workspace,
    package: &Package,
    features: &[&str],
    target: &Path,
    interrupt: &Interrupt,
) -> anyhow::Result<PathBuf> {
    let name = &package.name;
    let spinner = progress::spinner(&format!("building {name}"));
    let (reader, writer) = std::io::pipe().context("make a pipe")?;
    let command = cargo_build(workspace, name, features, target, writer);
    let (ended, messages) = thread::scope(|scope| {
        let messages = scope.spawn(|| follow(reader, &spinner));
        let ended = supervise(command, BUILD_DEADLINE, interrupt, |_| spinner.tick());
        (ended, messages.join().expect("reading a pipe does not panic"))
    });
    spinner.finish_and_clear();
    match ended? {
        Ended::Interrupted(_) => bail!("interrupted while building {name}"),
        ended if !ended.well() => {
            eprint!("{messages}");
            bail!("{name} does not build: cargo {ended}; see its messages above");
        }
        _ => {}
    }
    let binary = package.release_binary(target);
    ensure!(
        binary.is_file(),
        "cargo built {name}, but not into {}: where `build.target` is set, pass --binary",
        binary.display()
    );
    Ok(binary)
}

fn cargo_build(
    workspace: &Workspace,
    name: &str,
    features: &[&str],
    target: &Path,
    messages: PipeWriter,
) -> Command {
    let color = if stderr().is_terminal() { "--color=always" } else { "--color=never" };
    let mut command = cargo();
    command
        .args(["build", "--release", "--package", name, "--bin", name, color])
        .args(["--features", &features.join(","), "--target-dir"])
        .arg(target)
        .current_dir(&workspace.root)
        .stdout(Stdio::null())
        .stderr(messages);
    command
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

/// What a lab says of itself.
pub(crate) fn describe(binary: &Path, interrupt: &Interrupt) -> anyhow::Result<Description> {
    let mut command = Command::new(binary);
    command.arg("describe");
    let Captured { ended, stdout, stderr } = capture(command, DESCRIBE_DEADLINE, interrupt)?;
    let what = format!("{} describe", binary.display());
    ensure!(ended.well(), "{what} {ended}\n{}", stderr.trim_end());
    parse_json(&stdout).with_context(|| format!("{what}: not the description of a lab"))
}
