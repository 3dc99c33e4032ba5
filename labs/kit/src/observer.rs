//! Runs trials under real probes in a lab's tests, one by one, as the runner does.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail, ensure};

use crate::observation::directory;

/// A `lab-probe` that has its BPF programs and may load them here, and a lab's program to observe.
#[derive(Debug)]
pub struct Observer {
    lab_probe: PathBuf,
    program: PathBuf,
}

impl Observer {
    /// Finds the `lab-probe` that is built beside `program`, a lab's (`cargo xtask lab` and `cargo
    /// build -p lab-probe` build it). As a test, it loads `probe` once, with its output in
    /// `scratch`.
    ///
    /// # Errors
    /// None is built, or the kernel or this user's rights refuse it. The error is a reason to skip
    /// a test with.
    pub fn find(program: &Path, probe: &str, scratch: &Path) -> Result<Self> {
        let target = program.ancestors().nth(2).context("a program lies in target/<profile>")?;
        let mut refused = None;
        for path in ["release/lab-probe", "debug/lab-probe"] {
            let lab_probe = target.join(path);
            if !lab_probe.exists() {
                continue;
            }
            let mut command = Command::new(&lab_probe);
            command.arg(probe).arg("--out").arg(scratch);
            let tried = command.args(["--", "true"]).output()?;
            if tried.status.success() {
                return Ok(Self { lab_probe, program: program.to_owned() });
            }
            refused = Some(said(&tried));
        }
        match refused {
            Some(why) => bail!(why),
            None => bail!("no lab-probe with BPF programs is built"),
        }
    }

    /// Runs the trial that is described in `trial` under `probe`, which writes its output there.
    pub(crate) fn observe(&self, probe: &str, trial: &Path) -> Result<()> {
        let mut command = Command::new(&self.lab_probe);
        command.arg(probe).arg("--out").arg(directory(trial));
        let output = command.arg("--").arg(&self.program).arg("run").arg(trial).output()?;
        ensure!(output.status.success(), "{}: {}", trial.display(), said(&output));
        Ok(())
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim_end().to_owned()
}
