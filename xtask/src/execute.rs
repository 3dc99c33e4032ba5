//! One trial: its directory, its process, and how the process ended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use std::os::unix::process::ExitStatusExt as _;

use anyhow::Context as _;
use lab_record::{Backend, Exit, State, Trial, write_json};

use crate::others::Ticks;
use crate::process::{Ended, Interrupt, supervise};
use crate::sudo::{self, Caller};
use crate::users_environment;

/// Signals that end a process from outside: HUP, INT, KILL, TERM.
const FROM_OUTSIDE: [i32; 4] = [1, 2, 9, 15];
/// The number of lines of a failed lab's output that an error repeats.
const LAST_LINES: usize = 8;

/// The programs of a trial.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    /// The lab.
    pub(crate) lab: PathBuf,
    /// `lab-probe`, which starts the lab in a trial that it profiles.
    pub(crate) probe: Option<PathBuf>,
    /// `lab-probe` with its BPF programs, which starts the lab in a trial that a probe observes.
    pub(crate) observer: Option<PathBuf>,
}

/// Runs a trial in `dir` from `trial.json` to `exit.json`.
///
/// # Errors
/// The directory cannot be written, or the program cannot be started. How the lab itself ended is
/// in the result.
pub(crate) fn execute(
    programs: &Programs,
    dir: &Path,
    trial: &Trial,
    interrupt: &Interrupt,
    tick: impl FnMut(Duration),
) -> anyhow::Result<Exit> {
    fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
    // Under sudo, the lab runs as the user who typed it, and so do its files; lab-probe does the
    // same.
    let caller = sudo::caller();
    let command = command(programs, dir, trial, caller)?;
    caller.map(|caller| caller.own(dir)).transpose()?;
    write_json(&dir.join("trial.json"), trial)?;
    let (started, ticks) = (Instant::now(), Ticks::read());
    let ended = supervise(command, Duration::from_millis(trial.deadline_ms), interrupt, tick)?;
    let lived = started.elapsed();
    let others = Ticks::read().zip(ticks).and_then(|(now, before)| now.others_since(before));
    let exit = exit_of(ended, lived, others, dir.join("metrics.json").is_file());
    write_json(&dir.join("exit.json"), &exit)?;
    Ok(exit)
}

/// Why a trial did not finish, with its directory and the end of the lab's output.
pub(crate) fn failure(dir: &Path, trial: &Trial, exit: &Exit) -> String {
    let how = match (exit.state, exit.code, exit.signal) {
        (State::TimedOut, ..) => format!("hung and was killed after {} ms", exit.lived_ms),
        (_, _, Some(signal)) => format!("was ended by signal {signal}"),
        (_, Some(0), _) => "ended well and left no metrics.json".into(),
        (_, Some(code), _) => format!("failed with exit code {code}"),
        (..) => "did not finish".into(),
    };
    let stderr = fs::read(dir.join("stderr")).unwrap_or_default();
    let stderr = String::from_utf8_lossy(&stderr);
    let words: String = last_words(&stderr).iter().map(|line| format!("\n  | {line}")).collect();
    format!("trial {} {how}: {}{words}", trial.id, dir.display())
}

/// The panic message without its backtrace, if there was a panic; else the last lines.
fn last_words(stderr: &str) -> Vec<&str> {
    let lines: Vec<&str> = stderr.trim_end().lines().collect();
    match lines.iter().rposition(|line| line.contains("panicked at ")) {
        Some(at) => {
            let said = lines[at..].iter().take_while(|line| !line.starts_with("stack backtrace:"));
            said.take(LAST_LINES).copied().collect()
        }
        None => lines[lines.len().saturating_sub(LAST_LINES)..].to_vec(),
    }
}

/// `LAB run DIR`, as the caller, or under the probe if that samples it.
fn command(
    programs: &Programs,
    dir: &Path,
    trial: &Trial,
    caller: Option<Caller>,
) -> anyhow::Result<Command> {
    let sampled = trial.profile.as_ref().filter(|profile| profile.backend == Backend::PerfEvent);
    let mut command = match sampled {
        None if trial.probe.is_some() => observed(programs, dir, trial)?,
        None => {
            let mut command = Command::new(&programs.lab);
            caller.iter().for_each(|caller| caller.run(&mut command));
            command
        }
        Some(profile) => {
            let probe = programs.probe.as_ref();
            let probe =
                probe.context("a trial is to be sampled by lab-probe, which is not built")?;
            let mut command = Command::new(probe);
            let kind = profile.kind.name();
            command.arg(kind).arg("--out").arg(dir.join(kind).with_extension("folded"));
            if let Some(hz) = profile.hz {
                command.args(["--hz", &hz.to_string(), "--times"]).arg(dir.join("cpu.times"));
            }
            command.arg("--").arg(&programs.lab);
            command
        }
    };
    let file = |name: &str| lab_files::begin(&dir.join(name));
    users_environment::restore(&mut command);
    command.arg("run").arg(dir).stdout(file("stdout")?).stderr(file("stderr")?);
    Ok(command)
}

/// `lab-probe PROBE -- LAB`; the caller adds `run DIR`.
fn observed(programs: &Programs, dir: &Path, trial: &Trial) -> anyhow::Result<Command> {
    let observer = programs.observer.as_ref().zip(trial.probe.as_ref());
    let (observer, probe) =
        observer.context("a trial is to be observed by lab-probe, which is not built")?;
    let mut command = Command::new(observer);
    command.arg(probe).arg("--out").arg(dir.join("probe")).arg("--").arg(&programs.lab);
    Ok(command)
}

fn exit_of(ended: Ended, lived: Duration, others: Option<f64>, whole: bool) -> Exit {
    let (state, status) = match ended {
        Ended::Interrupted(status) => (State::Killed, status),
        Ended::TimedOut(status) => (State::TimedOut, status),
        Ended::Itself(status) => (state_of(status, whole), status),
    };
    let lived_ms = lived.as_millis() as u64;
    let (code, signal) = (status.code(), status.signal());
    Exit { state, code, signal, lived_ms, others_cpu_ratio: others }
}

fn state_of(status: ExitStatus, whole: bool) -> State {
    match status.signal() {
        Some(signal) if FROM_OUTSIDE.contains(&signal) => State::Killed,
        None if status.success() && whole => State::Finished,
        _ => State::Crashed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_found_before_its_backtrace() {
        let trace: String = (0..40).map(|n| format!("  {n}: std::rt::lang_start\n")).collect();
        let panic = "thread 'main' (7) panicked at src/lib.rs:3:5:\nno such knob";
        let stderr = format!("before\n{panic}\nstack backtrace:\n{trace}note: Some details\n");
        assert_eq!(last_words(&stderr).join("\n"), panic);
        assert_eq!(last_words("a\nb\n"), ["a", "b"]);
        assert_eq!(last_words(&trace).len(), LAST_LINES);
    }

    #[test]
    fn a_trial_is_finished_only_when_it_ended_well_and_left_its_metrics() {
        let exited = |code: i32| ExitStatus::from_raw(code << 8);
        let signalled = ExitStatus::from_raw;
        assert_eq!(state_of(exited(0), true), State::Finished);
        assert_eq!(state_of(exited(0), false), State::Crashed);
        assert_eq!(state_of(exited(1), true), State::Crashed);
        assert_eq!(state_of(signalled(11), true), State::Crashed, "SIGSEGV is its own doing");
        assert_eq!(state_of(signalled(9), true), State::Killed, "SIGKILL is somebody else's");
    }
}
