//! The load averages: `/proc/loadavg`.

use std::io;

use crate::files::{lacks, text};

const PATH: &str = "/proc/loadavg";

/// Damped averages of the number of tasks that run, are ready, or wait uninterruptibly.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    /// Over 1, 5 and 15 minutes.
    pub averages: [f64; 3],
    /// Number of tasks.
    pub tasks: u64,
}

impl Load {
    /// `12.62 5.69 2.72 16/215 32752`
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split_whitespace();
        let mut average = || fields.next()?.parse().ok();
        let averages = [average()?, average()?, average()?];
        let (_, tasks) = fields.next()?.split_once('/')?;
        Some(Self { averages, tasks: tasks.parse().ok()? })
    }
}

/// The load averages now.
///
/// # Errors
/// This system has no /proc/loadavg.
pub fn load() -> io::Result<Load> {
    Load::parse(&text(PATH)?).ok_or_else(|| lacks(PATH, "averages"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_averages_and_the_tasks_behind_the_slash_are_read() {
        let load = Load::parse("12.62 5.69 2.72 16/215 32752\n");
        assert_eq!(load, Some(Load { averages: [12.62, 5.69, 2.72], tasks: 215 }));
        assert_eq!(Load::parse("12.62 5.69\n"), None);
    }
}
