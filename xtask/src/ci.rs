//! `cargo xtask ci`: every check that a change must pass. `.ci/run` installs its tools first.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, bail};

use crate::exit::Code;
use crate::output::print;
use crate::quantity;
use crate::workspace::{Workspace, cargo};

/// A command of cargo.
struct Step {
    name: &'static str,
    args: Vec<String>,
    /// Whether a run that this machine disturbed passes too, since the change did not cause it.
    may_be_invalid: bool,
}

/// Runs every step, even after one has failed, so that all failures are reported at once.
pub(crate) fn run() -> anyhow::Result<Code> {
    let workspace = Workspace::with_labs("ci")?;
    let skips = workspace.target.join("skipped-tests");
    match fs::remove_dir_all(&skips) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("empty {}", skips.display()));
        }
        _ => {}
    }
    let mut tests = Tests::default();
    let mut failed = Vec::new();
    // In two parts, since the second needs what the first builds.
    for part in [of_cargo, of_labs] {
        for step in part(&workspace)? {
            if !step.run(&workspace, &mut tests)? && !failed.contains(&step.name) {
                failed.push(step.name);
            }
        }
    }
    print(&tests.summary(&skips)?)?;
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(Code::Fine)
}

fn step(name: &'static str, words: &str) -> Step {
    let args = words.split(' ').map(str::to_owned).collect();
    Step { name, args, may_be_invalid: false }
}

/// Steps for any workspace.
fn of_cargo(workspace: &Workspace) -> anyhow::Result<Vec<Step>> {
    let mut steps = vec![
        step("format", "fmt --all --check"),
        step("clippy", "clippy --workspace --all-targets -- -D warnings"),
        step("docs", "doc --quiet --workspace --no-deps"),
    ];
    if workspace.package(PROBE).is_some() {
        // The labs' tests use it if they have the rights.
        steps.push(step("observer", "build --quiet --release --package lab-probe"));
    }
    steps.push(step("tests", "test --workspace --no-fail-fast"));
    if workspace.package(PROBE).is_some() {
        steps.push(step("BPF programs", "xtask ebpf check"));
    }
    Ok(steps)
}

const PROBE: &str = "lab-probe";

/// The first command of the README, live and simulated, and a lab with probes. The labs' own tests
/// check that every claim holds, and fails without its cause.
fn of_labs(workspace: &Workspace) -> anyhow::Result<Vec<Step>> {
    if workspace.package(PROBE).is_none() {
        return Ok(Vec::new());
    }
    let live = [FIRST_LAB, PROBED_LAB].map(|name| Step {
        may_be_invalid: true,
        ..step("labs", &format!("xtask lab {name} --quick"))
    });
    let simulated = step("labs", &format!("xtask lab {FIRST_LAB} --simulated --quick --strict"));
    Ok(live.into_iter().chain([simulated]).collect())
}

/// The lab of the README's first command.
const FIRST_LAB: &str = "tail-latency";
/// A lab that eBPF probes observe, if the machine allows it.
const PROBED_LAB: &str = "bpf-tools";

impl Step {
    /// Whether it passed. Its output is printed, and its test counts are added to `tests`.
    fn run(&self, workspace: &Workspace, tests: &mut Tests) -> anyhow::Result<bool> {
        let (name, words) = (self.name, self.args.join(" "));
        eprintln!("── {name}: cargo {words}");
        let started = Instant::now();
        let mut child = cargo()
            .args(&self.args)
            .env("RUSTDOCFLAGS", "-D warnings")
            .current_dir(&workspace.root)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("run cargo {words}"))?;
        let said = child.stdout.take().context("its output is a pipe")?;
        for line in BufReader::new(said).split(b'\n') {
            let line = line.with_context(|| format!("read what cargo {words} says"))?;
            let line = String::from_utf8_lossy(&line);
            tests.add(&line);
            print(&format!("{line}\n"))?;
        }
        let status = child.wait().with_context(|| format!("wait for cargo {words}"))?;
        let invalid = self.may_be_invalid && status.code() == Some(Code::InvalidRun as i32);
        let passed = status.success() || invalid;
        let outcome = if passed { "passed" } else { "failed" };
        eprintln!("── {name} {outcome} after {}\n", quantity::span(started.elapsed()));
        Ok(passed)
    }
}

/// How many tests passed, failed and were ignored, by the lines of libtest.
#[derive(Debug, Default, PartialEq)]
struct Tests {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Tests {
    /// Adds `test result: ok. 53 passed; 0 failed; 0 ignored; …`, and no other line.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) =
            line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for part in counts.split("; ") {
            match part.split_once(' ').map(|(count, what)| (count.parse::<u64>(), what)) {
                Some((Ok(count), "passed")) => self.passed += count,
                Some((Ok(count), "failed")) => self.failed += count,
                Some((Ok(count), "ignored")) => self.ignored += count,
                _ => {}
            }
        }
    }

    /// Why tests were skipped, and the counts. A skipped test passes for libtest; each has left a
    /// file in `skips` with the reason (`lab-skip`).
    fn summary(&self, skips: &Path) -> anyhow::Result<String> {
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        for entry in fs::read_dir(skips).into_iter().flatten() {
            let path = entry.context("list the skipped tests")?.path();
            let why = fs::read_to_string(&path)
                .with_context(|| format!("read why {} was skipped", path.display()))?;
            *reasons.entry(why.trim_end().to_owned()).or_default() += 1;
        }
        let skipped: u64 = reasons.values().sum();
        let mut text = String::new();
        for (why, count) in reasons {
            text += &format!("{count} skipped, lacking {why}\n");
        }
        let Self { passed, failed, ignored } = self;
        let passed = passed.saturating_sub(skipped);
        text += &format!("{passed} passed, {failed} failed, {} skipped\n", skipped + ignored);
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_tests_are_counted_by_their_reasons_and_not_as_passed() {
        let mut tests = Tests::default();
        for line in [
            "running 12 tests",
            "test result: ok. 10 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished \
             in 1.00s",
            "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; \
             finished in 0.5s",
        ] {
            tests.add(line);
        }
        assert_eq!(tests, Tests { passed: 13, failed: 1, ignored: 2 });
        let skips = tempfile::tempdir().unwrap();
        assert_eq!(tests.summary(skips.path()).unwrap(), "13 passed, 1 failed, 2 skipped\n");
        for (name, why) in [("a one", "ext4: no"), ("a two", "ext4: no"), ("b", "root: is nobody")]
        {
            fs::write(skips.path().join(name), format!("{why}\n")).unwrap();
        }
        assert_eq!(
            tests.summary(skips.path()).unwrap(),
            "2 skipped, lacking ext4: no\n1 skipped, lacking root: is nobody\n\
             10 passed, 1 failed, 5 skipped\n"
        );
        assert_eq!(
            Tests::default().summary(&skips.path().join("none")).unwrap(),
            "0 passed, 0 failed, 0 skipped\n"
        );
    }
}
