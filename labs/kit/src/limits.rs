//! The limit on open files, which a lab with many connections reaches first.

use anyhow::{Context as _, ensure};
use rustix::process::{Resource, getrlimit, setrlimit};

/// Makes room for `needed` open files, raising the soft limit up to the hard one.
///
/// # Errors
/// The hard limit is lower: the message says how to raise it.
pub fn allow_open_files(needed: u64) -> anyhow::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|soft| soft >= needed) {
        return Ok(());
    }
    ensure!(
        limit.maximum.is_none_or(|hard| hard >= needed),
        "{needed} open files are needed and {} are allowed: run `ulimit -Hn {needed}` as root \
         first, or ask for fewer connections",
        limit.maximum.unwrap_or_default(),
    );
    limit.current = Some(needed);
    setrlimit(Resource::Nofile, limit).context("raise the limit of open files")
}
