//! The commits between two revisions, along first parents.

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::compare::git::Revision;
use crate::exit::usage;
use crate::git::said;

/// A commit between the two revisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Commit {
    pub(super) revision: String,
    pub(super) subject: String,
}

impl Commit {
    /// A line that names it: `1a2b3c4d5e6f "its subject"`.
    pub(super) fn line(&self) -> String {
        let short = self.revision.get(..12).unwrap_or(&self.revision);
        let said = lab_text::terminal::plain(&self.subject);
        format!("{short} {:?}", said.as_ref().unwrap_or(&self.subject))
    }
}

/// The commits after `good` up to `bad`, oldest first: a merge counts as one step.
///
/// # Errors
/// `bad` does not come after `good`.
pub(super) fn between(root: &Path, good: &Revision, bad: &Revision) -> anyhow::Result<Vec<Commit>> {
    let after = ["merge-base", "--is-ancestor", &good.commit, &bad.commit];
    said(root, &after).map_err(|_| {
        usage(format!("{} does not come after {}: there is nothing between", bad.name, good.name))
    })?;
    let range = format!("{}..{}", good.commit, bad.commit);
    let list = ["log", "--first-parent", "--reverse", "--format=%H %s", &range, "--"];
    let lines = said(root, &list)?;
    let commit = |line: &str| {
        let (revision, subject) = line.split_once(' ').unwrap_or((line, ""));
        Commit { revision: revision.to_owned(), subject: subject.to_owned() }
    };
    let commits: Vec<Commit> = lines.lines().map(commit).collect();
    commits.last().context("git lists no commit between the two")?;
    Ok(commits)
}
