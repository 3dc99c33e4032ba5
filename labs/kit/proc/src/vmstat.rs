//! Counters of the memory manager: `/proc/vmstat`.

use std::io;

use crate::files::text;

/// Counters since the machine was started, lines `name count`.
#[derive(Debug, Clone, Default)]
pub struct Vmstat(String);

impl Vmstat {
    /// Reads them.
    ///
    /// # Errors
    /// This system has no /proc/vmstat.
    pub fn read() -> io::Result<Self> {
        text("/proc/vmstat").map(Self)
    }

    /// The counter `name`, in pages; `pgpgin` and `pgpgout` in KiB.
    pub fn count(&self, name: &str) -> Option<u64> {
        self.lines().find(|(found, _)| *found == name).map(|(_, count)| count)
    }

    /// The sum of all counters whose names begin with `prefix`, one for each zone. `None` if
    /// there is none.
    pub fn sum(&self, prefix: &str) -> Option<u64> {
        let counts = self.lines().filter(|(name, _)| name.starts_with(prefix));
        counts.map(|(_, count)| count).reduce(|sum, count| sum + count)
    }

    fn lines(&self) -> impl Iterator<Item = (&str, u64)> {
        let pairs = self.0.lines().filter_map(|line| line.split_once(' '));
        pairs.filter_map(|(name, count)| Some((name, count.parse().ok()?)))
    }
}

impl From<&str> for Vmstat {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_add_up_and_names_are_whole() {
        let vmstat =
            Vmstat::from("pswpin 7\npswpin_more 9\nallocstall_dma 1\nallocstall_normal 4\n");
        assert_eq!((vmstat.count("pswpin"), vmstat.count("pswp")), (Some(7), None));
        assert_eq!((vmstat.sum("allocstall_"), vmstat.sum("oom")), (Some(5), None));
    }
}
