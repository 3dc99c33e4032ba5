//! A workspace in a temporary directory, and the real runner that works in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use lab_record::{Exit, Run, State, read_json};
use serde_json::Value;
use tempfile::TempDir;

/// A lab whose knobs say how its trials end.
pub(crate) const FAKE_LAB: &str = env!("CARGO_BIN_EXE_fake-lab");

/// A cargo workspace without members, unless a test adds some.
pub(crate) struct Workshop {
    path: PathBuf,
    /// Removes a temporary directory when the test is over.
    _dir: Option<TempDir>,
}

/// A command's exit code and output.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let workshop = Self { path: dir.path().to_owned(), _dir: Some(dir) };
        workshop.write("Cargo.toml", "[workspace]\nresolver = \"3\"\n");
        fs::create_dir(workshop.path().join("labs")).unwrap();
        workshop
    }

    /// A workspace at the same path in every run of the tests, so that cargo recognises what it
    /// built for that path. It is emptied first.
    pub(crate) fn in_place(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if path.exists() {
            fs::remove_dir_all(&path).unwrap();
        }
        fs::create_dir_all(&path).unwrap();
        Self { path, _dir: None }
    }

    /// A workspace with one lab, whose program passes its arguments on to the fake lab.
    pub(crate) fn with_a_lab() -> Self {
        let main = format!(
            "use std::os::unix::process::CommandExt as _;\n\
             fn main() {{\n    let mut lab = std::process::Command::new({FAKE_LAB:?});\n    \
             panic!(\"{{}}\", lab.args(std::env::args().skip(1)).exec());\n}}\n"
        );
        let workshop = Self::new();
        workshop.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"labs/*\"]\n");
        workshop.write(
            "labs/fake-lab/Cargo.toml",
            "[package]\nname = \"fake-lab\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
        );
        workshop.write("labs/fake-lab/README.md", "# A lab for tests\n\nIt obeys.\n");
        workshop.write("labs/fake-lab/src/main.rs", &main);
        workshop
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The runner with `args`, to be started in this workspace.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(xtask());
        command.args(args).current_dir(self.path());
        // The workshop has a target directory of its own.
        command.env_remove("CARGO_TARGET_DIR").env_remove("NO_COLOR");
        // As `cargo xtask` is run.
        command.env("CARGO_PKG_NAME", "xtask");
        command
    }

    pub(crate) fn xtask(&self, args: &[&str]) -> Said {
        let output = self.command(args).output().unwrap();
        Said {
            code: output.status.code().expect("the runner exits by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs the fake lab, without a profile.
    pub(crate) fn lab(&self, args: &[&str]) -> Said {
        self.xtask(&lab_args(args))
    }

    /// Starts a run of the fake lab in the background.
    pub(crate) fn start_lab(&self, args: &[&str]) -> Child {
        let mut command = self.command(&lab_args(args));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The newest run of the fake lab.
    pub(crate) fn latest(&self) -> PathBuf {
        self.path().join("target/perf-lab/fake-lab/latest").canonicalize().unwrap()
    }
}

fn lab_args<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let start = ["lab", "fake-lab", "--binary", FAKE_LAB, "--profile", "none", "--quick"];
    start.iter().chain(args).copied().collect()
}

/// Each planned trial and how it ended.
pub(crate) fn states(run: &Path) -> Vec<(String, State)> {
    let run = Run::load(run).unwrap();
    run.plan.trials.iter().map(|trial| trial.id.clone()).zip(run.states).collect()
}

/// How a trial's process ended.
pub(crate) fn exit_of(run: &Path, trial: &str) -> Exit {
    read_json(&run.join("trials").join(trial).join("exit.json")).unwrap()
}

/// The ids of those processes of a run's trials that are still running.
pub(crate) fn alive(run: &Path) -> Vec<String> {
    let trials = fs::read_dir(run.join("trials")).unwrap();
    let pids =
        trials.flatten().filter_map(|trial| fs::read_to_string(trial.path().join("pids")).ok());
    let pids: Vec<String> =
        pids.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    assert!(!pids.is_empty(), "no trial has started in {}", run.display());
    pids.into_iter().filter(|pid| lives(pid)).collect()
}

/// Whether a process runs; a zombie, which has ended, does not.
fn lives(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// Waits until `done`; panics after five minutes.
pub(crate) fn wait_until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(300), "waited in vain until {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The runner, built from this checkout once.
pub(crate) fn xtask() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let output = Command::new(env!("CARGO"))
            .args(["build", "--package", "xtask", "--message-format=json-render-diagnostics"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "the runner does not build");
        let messages = String::from_utf8(output.stdout).unwrap();
        let messages = messages.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let built = messages.filter(|m| m["target"]["name"] == "perf-lab");
        let binary = built.filter_map(|m| m["executable"].as_str().map(PathBuf::from)).next();
        binary.expect("cargo names the runner's binary")
    })
}
