//! `cargo xtask ci`: what must hold before a change is merged.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail};

use crate::exit::Code;
use crate::quantity;
use crate::workspace::{Workspace, cargo};

/// Each step's name and the arguments of cargo.
const STEPS: [(&str, &[&str]); 4] = [
    ("format", &["fmt", "--all", "--check"]),
    ("clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    ("tests", &["test", "--workspace"]),
    ("docs", &["doc", "--workspace", "--no-deps"]),
];

/// Runs every step, even after one has failed: a change should learn all that is wrong with it.
pub(crate) fn run() -> anyhow::Result<Code> {
    let workspace = Workspace::discover()?;
    let mut failed = Vec::new();
    for (name, args) in STEPS {
        eprintln!("── {name}: cargo {}", args.join(" "));
        let started = Instant::now();
        let status = Command::new(cargo())
            .args(args)
            .env("RUSTDOCFLAGS", "-D warnings")
            .current_dir(&workspace.root)
            .status()
            .with_context(|| format!("run cargo {}", args.join(" ")))?;
        let outcome = if status.success() { "passed" } else { "failed" };
        eprintln!("── {name} {outcome} after {}\n", quantity::span(started.elapsed()));
        if !status.success() {
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(Code::Fine)
}
