//! What a comparison of commands runs.

use std::path::PathBuf;

use lab_verdict::comparison::SideName;
use serde::{Deserialize, Serialize};

use super::line::Program;
use super::own::Own;
use crate::compare::git::Revision;

/// What the trials of a comparison of commands run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::compare) struct CommandWork {
    /// The programs of the base and of the new side.
    pub(super) programs: [Program; 2],
    /// A shell line to run before each trial, outside all figures.
    pub(super) prepare: Option<String>,
    /// Whether all outputs must be the same.
    pub(super) check: bool,
    pub(super) warmup: u32,
    pub(super) deadline_ms: u64,
    pub(super) own: Vec<Own>,
    /// The cost of starting a shell, which is subtracted from the trials of a side that uses one.
    pub(super) shell: Option<Cost>,
    /// The revisions, if two are compared.
    pub(in crate::compare) revisions: Option<Revisions>,
}

/// Two revisions of a repository, and how they are built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::compare) struct Revisions {
    pub(in crate::compare) revisions: [Revision; 2],
    pub(in crate::compare) build: Option<String>,
    /// The folder of the repository in which commands run.
    pub(in crate::compare) within: PathBuf,
}

/// The cost of a process that does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(in crate::compare) struct Cost {
    pub(in crate::compare) wall_ns: f64,
    pub(super) user_ns: f64,
    pub(super) system_ns: f64,
    pub(in crate::compare) memory_bytes: f64,
}

impl CommandWork {
    /// The names of the sides.
    pub(super) fn names(&self) -> [SideName; 2] {
        match &self.revisions {
            None => self.programs.each_ref().map(|program| SideName::new(program.shown())),
            Some(of) => of.revisions.each_ref().map(|revision| SideName {
                name: revision.name.clone(),
                revision: Some(revision.recorded.clone()),
            }),
        }
    }

    /// The name of the scenario.
    pub(super) fn scenario(&self) -> String {
        match &self.revisions {
            None => "commands".to_owned(),
            Some(_) => self.programs[0].shown(),
        }
    }
}
