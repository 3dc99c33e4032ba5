//! A temporary cgroup (version 1 or 2) with a CPU quota.
//!
//! It is a child of this process's cgroup and is named after the process id, so that a later trial
//! can recognise and remove what a killed process left behind.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use lab_proc::cgroup::{Version, own, throttled};
use rustix::io::Errno;
use rustix::thread::gettid;

const PREFIX: &str = "perf-lab-";
/// Attempts to remove a cgroup, 1 ms apart: a thread stays in its cgroup for a moment after it has
/// ended.
const TRIES: u32 = 200;
const MS: Duration = Duration::from_millis(1);

/// A cgroup with a CPU quota. Dropping this removes it: drop it after its threads have ended.
#[derive(Debug)]
pub struct Group {
    dir: PathBuf,
    version: Version,
    /// A file to restore, and what to write into it.
    undo: Option<(PathBuf, &'static str)>,
}

impl Group {
    /// Makes a cgroup whose threads get `quota` of CPU time in each `period`.
    ///
    /// # Errors
    /// This system has no such cgroups, or this user may not make one.
    pub fn make(quota: Duration, period: Duration) -> io::Result<Self> {
        let (version, parent) = own()?.ok_or(Errno::NOENT)?;
        remove_stale(&parent);
        let name = format!("{PREFIX}{}-{}", std::process::id(), gettid().as_raw_nonzero());
        let dir = parent.join(name);
        fs::create_dir(&dir)?;
        let mut group = Self { dir, version, undo: None };
        if version == Version::Two {
            group.allow_quotas(&parent)?;
        }
        for (file, text) in settings(version, quota, period) {
            write(&group.dir.join(file), &text)?;
        }
        Ok(group)
    }

    /// Moves the calling thread into the cgroup, for the rest of the thread's life.
    ///
    /// # Errors
    /// The kernel's.
    pub fn take_this_thread(&self) -> io::Result<()> {
        let file = if self.version == Version::One { "tasks" } else { "cgroup.threads" };
        write(&self.dir.join(file), &gettid().as_raw_nonzero().to_string())
    }

    /// How long its threads have been throttled so far.
    ///
    /// # Errors
    /// The kernel's.
    pub fn throttled(&self) -> io::Result<Duration> {
        throttled(&self.dir)
    }

    /// In version 2, a thread may leave its process's cgroup only for a threaded one, whose
    /// controllers its parent enables.
    fn allow_quotas(&mut self, parent: &Path) -> io::Result<()> {
        write(&self.dir.join("cgroup.type"), "threaded")?;
        let control = parent.join("cgroup.subtree_control");
        if !fs::read_to_string(&control)?.split_whitespace().any(|name| name == "cpu") {
            write(&control, "+cpu")?;
            self.undo = Some((control, "-cpu"));
        }
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..TRIES {
            if fs::remove_dir(&self.dir).is_ok() {
                break;
            }
            sleep(MS);
        }
        // The next trial removes a cgroup that is still there.
        if let Some((file, text)) = &self.undo {
            let _ = write(file, text);
        }
    }
}

/// What to write into which file of the cgroup.
fn settings(version: Version, quota: Duration, period: Duration) -> Vec<(&'static str, String)> {
    let [quota_us, period_us] = [quota, period].map(|time| time.as_micros());
    match version {
        Version::One => vec![
            ("cpu.cfs_period_us", period_us.to_string()),
            ("cpu.cfs_quota_us", quota_us.to_string()),
        ],
        Version::Two => vec![("cpu.max", format!("{quota_us} {period_us}"))],
    }
}

/// Removes the cgroups of processes that have ended.
fn remove_stale(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        let gone = |pid: &str| !Path::new("/proc").join(pid).exists();
        if pid.is_some_and(gone) {
            // Another process may have removed it first.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Writes into an existing file: only the kernel creates a cgroup's files.
fn write(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use lab_skip::{Need, skip};

    use super::*;

    const PERIOD: Duration = Duration::from_millis(100);

    #[test]
    fn a_quota_is_written_as_each_version_has_it() {
        let quota = Duration::from_millis(20);
        let one = settings(Version::One, quota, PERIOD);
        assert_eq!(one[0], ("cpu.cfs_period_us", "100000".into()));
        assert_eq!(one[1], ("cpu.cfs_quota_us", "20000".into()));
        assert_eq!(settings(Version::Two, quota, PERIOD), [("cpu.max", "20000 100000".into())]);
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let parent = tempfile::tempdir().unwrap();
        let living = format!("{PREFIX}{}-1", std::process::id());
        let names = [format!("{PREFIX}{}-1", child.id()), living.clone(), "someone-else".into()];
        names.iter().for_each(|name| fs::create_dir(parent.path().join(name)).unwrap());
        remove_stale(parent.path());
        let left = |name: &String| parent.path().join(name).exists();
        assert_eq!(names.each_ref().map(left), [false, true, true]);
    }

    #[test]
    fn a_cgroup_is_gone_when_it_is_dropped_with_a_thread_that_has_just_ended() {
        let group = match Group::make(PERIOD / 5, PERIOD) {
            Ok(group) => group,
            Err(error) => return skip(Need::Cgroup, error),
        };
        let dir = group.dir.clone();
        std::thread::scope(|scope| {
            scope.spawn(|| group.take_this_thread().unwrap()).join().unwrap();
        });
        assert!(dir.exists());
        drop(group);
        assert!(!dir.exists());
    }
}
