//! How often a thread left its CPU, and why.

use std::fs;
use std::ops::Sub;

use anyhow::Context as _;

/// How often a thread left its CPU: by itself, and because another was to have it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Switches {
    pub(crate) voluntary: u64,
    pub(crate) involuntary: u64,
}

impl Switches {
    /// The calling thread's, since it began.
    ///
    /// # Errors
    /// This kernel does not count them.
    pub(crate) fn here() -> anyhow::Result<Self> {
        let path = "/proc/thread-self/status";
        let status = fs::read_to_string(path).context(path)?;
        let count = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name));
            value.with_context(|| format!("{path} has no {name}"))?.trim().parse().context(path)
        };
        Ok(Self {
            voluntary: count("voluntary_ctxt_switches:")?,
            involuntary: count("nonvoluntary_ctxt_switches:")?,
        })
    }
}

impl Sub for Switches {
    type Output = Self;

    fn sub(self, from: Self) -> Self {
        Self {
            voluntary: self.voluntary - from.voluntary,
            involuntary: self.involuntary - from.involuntary,
        }
    }
}
