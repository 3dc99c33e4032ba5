//! A cgroup of one's own that may have a part of each period of CPU time, while it is held.
//!
//! It is made inside the one that this process is in, and named after it, so that who comes later can
//! tell which were left behind by a process that was killed, and remove them.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rustix::thread::gettid;

const PREFIX: &str = "perf-lab-run-queue-";
/// How often, and how far apart, it is tried to remove a cgroup: its threads stay in it for a moment
/// after they have ended.
const TRIES: u32 = 200;
const MS: Duration = Duration::from_millis(1);

/// A cgroup with a quota. It is removed when this is dropped: after its threads have ended.
#[derive(Debug)]
pub(crate) struct Group {
    dir: PathBuf,
    version: Version,
    /// The files to put back as they were, and what was in them.
    undo: Option<(PathBuf, &'static str)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Group {
    /// # Errors
    /// This system has no such cgroups, or this user may not make one.
    pub(crate) fn make(quota: Duration, period: Duration) -> io::Result<Self> {
        let (version, parent) = own(
            &fs::read_to_string("/proc/self/mountinfo")?,
            &fs::read_to_string("/proc/self/cgroup")?,
        )
        .ok_or_else(|| io::Error::from_raw_os_error(rustix::io::Errno::NOENT.raw_os_error()))?;
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

    /// Puts the calling thread into it, for the rest of its life.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn take_this_thread(&self) -> io::Result<()> {
        let file = if self.version == Version::One { "tasks" } else { "cgroup.threads" };
        write(&self.dir.join(file), &gettid().as_raw_nonzero().to_string())
    }

    /// How long its threads were kept from a CPU so far.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn throttled(&self) -> io::Result<Duration> {
        Ok(throttled(&fs::read_to_string(self.dir.join("cpu.stat"))?))
    }

    /// In version 2 threads may be apart from their process only in a threaded cgroup, and its parent
    /// says which controllers it has.
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
        // What stays behind for all that, the next trial removes.
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

/// `throttled_time` in nanoseconds, or in version 2 `throttled_usec`.
fn throttled(stat: &str) -> Duration {
    let value = |name: &str| {
        let mut fields = stat.lines().filter_map(|line| line.split_once(' '));
        fields.find_map(|(field, value)| (field == name).then(|| value.trim().parse().ok())?)
    };
    let usec = || value("throttled_usec").map(Duration::from_micros);
    value("throttled_time").map(Duration::from_nanos).or_else(usec).unwrap_or_default()
}

/// The directory of the cgroup that this process is in, in the hierarchy that has the CPU controller.
fn own(mountinfo: &str, cgroup: &str) -> Option<(Version, PathBuf)> {
    let has_cpu = |list: &str| list.split(',').any(|name| name == "cpu");
    let mut own = cgroup.lines().filter_map(|line| {
        let (_, line) = line.split_once(':')?;
        line.split_once(':')
    });
    let (version, path) = match own.clone().find(|(controllers, _)| has_cpu(controllers)) {
        Some((_, path)) => (Version::One, path),
        None => (Version::Two, own.find(|(controllers, _)| controllers.is_empty())?.1),
    };
    // `33 31 0:30 ROOT MOUNTED options optional-fields - cgroup cgroup rw,cpu,cpuacct`
    let mounted = mountinfo.lines().find_map(|line| {
        let (where_, what) = line.split_once(" - ")?;
        let (kind, options) = (what.split(' ').next()?, what.rsplit(' ').next()?);
        let right = match version {
            Version::One => kind == "cgroup" && has_cpu(options),
            Version::Two => kind == "cgroup2",
        };
        let mut fields = where_.split(' ').skip(3);
        right.then_some((fields.next()?, fields.next()?))
    });
    let (root, mounted) = mounted?;
    // In a container the mount may show but a part of the tree, which begins at its root.
    let inside = path.strip_prefix(root).unwrap_or(path).trim_start_matches('/');
    Some((version, Path::new(mounted).join(inside)))
}

/// Removes what processes that are no more have left.
fn remove_stale(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        let gone = |pid: &str| !Path::new("/proc").join(pid).exists();
        if pid.is_some_and(gone) {
            // Whoever else was faster has done the same.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Writes into a file that is there: a cgroup's files come with it.
fn write(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use lab_skip::{Need, skip};

    use super::*;

    const PERIOD: Duration = Duration::from_millis(100);

    #[test]
    fn one_s_own_cgroup_is_found_in_either_version() {
        let v1 = "\
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
";
        let found = own(v1, "3:cpuset:/\n2:cpu,cpuacct:/user\n0::/x\n");
        assert_eq!(found, Some((Version::One, "/sys/fs/cgroup/cpu/user".into())));
        let v2 = "30 24 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        let found = own(v2, "0::/user.slice/run-1.scope\n");
        assert_eq!(found, Some((Version::Two, "/sys/fs/cgroup/user.slice/run-1.scope".into())));
        let container = "30 24 0:26 /docker/7 /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
        let found = own(container, "0::/docker/7/app\n");
        assert_eq!(found, Some((Version::Two, "/sys/fs/cgroup/app".into())));
        assert_eq!(own("", "0::/\n"), None);
    }

    #[test]
    fn a_quota_is_written_as_each_version_has_it() {
        let quota = Duration::from_millis(20);
        let one = settings(Version::One, quota, PERIOD);
        assert_eq!(one[0], ("cpu.cfs_period_us", "100000".into()));
        assert_eq!(one[1], ("cpu.cfs_quota_us", "20000".into()));
        assert_eq!(settings(Version::Two, quota, PERIOD), [("cpu.max", "20000 100000".into())]);
    }

    #[test]
    fn time_without_a_cpu_is_read_in_either_unit() {
        let ms = Duration::from_millis(3);
        assert_eq!(throttled("nr_periods 4\nthrottled_time 3000000\n"), ms);
        assert_eq!(throttled("usage_usec 9\nthrottled_usec 3000\n"), ms);
        assert_eq!(throttled("usage_usec 9\n"), Duration::ZERO);
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
