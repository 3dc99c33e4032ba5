//! A process's cgroup, and how long its quota kept threads from a CPU.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::files::text;

/// The version of the interface (cgroups(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Version 1: a hierarchy for each controller, or for a few.
    One,
    /// Version 2: one hierarchy.
    Two,
}

/// The directory of the cgroup that this process is in, in the hierarchy that has the CPU
/// controller; `None` where none is mounted.
///
/// # Errors
/// There is no /proc.
pub fn own() -> io::Result<Option<(Version, PathBuf)>> {
    find_of("self")
}

/// As [`own`], of process `pid`.
///
/// # Errors
/// The process is gone.
pub fn of(pid: u32) -> io::Result<Option<(Version, PathBuf)>> {
    find_of(&pid.to_string())
}

fn find_of(process: &str) -> io::Result<Option<(Version, PathBuf)>> {
    // The mounts of this process, not of `pid`: it is this process that reads.
    Ok(find(&text("/proc/self/mountinfo")?, &text(&format!("/proc/{process}/cgroup"))?))
}

fn find(mountinfo: &str, cgroup: &str) -> Option<(Version, PathBuf)> {
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
    // In a container the mount may show only a part of the tree, which begins at the mount's root.
    let inside = path.strip_prefix(root).unwrap_or(path).trim_start_matches('/');
    Some((version, Path::new(mounted).join(inside)))
}

/// How long its quota kept the threads of the cgroup in `dir` from a CPU, by `cpu.stat`.
///
/// # Errors
/// The cgroup is gone, or has no CPU controller.
pub fn throttled(dir: &Path) -> io::Result<Duration> {
    Ok(throttled_in(&fs::read_to_string(dir.join("cpu.stat"))?))
}

/// `throttled_time` in nanoseconds, or in version 2 `throttled_usec`.
fn throttled_in(stat: &str) -> Duration {
    let value = |name: &str| {
        let mut fields = stat.lines().filter_map(|line| line.split_once(' '));
        fields.find_map(|(field, value)| (field == name).then(|| value.trim().parse().ok())?)
    };
    let usec = || value("throttled_usec").map(Duration::from_micros);
    value("throttled_time").map(Duration::from_nanos).or_else(usec).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_cgroup_is_found_in_version_1_and_2() {
        let v1 = "\
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
";
        let found = find(v1, "3:cpuset:/\n2:cpu,cpuacct:/user\n0::/x\n");
        assert_eq!(found, Some((Version::One, "/sys/fs/cgroup/cpu/user".into())));
        let v2 = "30 24 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        let found = find(v2, "0::/user.slice/run-1.scope\n");
        assert_eq!(found, Some((Version::Two, "/sys/fs/cgroup/user.slice/run-1.scope".into())));
        let container = "30 24 0:26 /docker/7 /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
        let found = find(container, "0::/docker/7/app\n");
        assert_eq!(found, Some((Version::Two, "/sys/fs/cgroup/app".into())));
        assert_eq!(find("", "0::/\n"), None);
    }

    #[test]
    fn time_without_a_cpu_is_read_in_either_unit() {
        let ms = Duration::from_millis(3);
        assert_eq!(throttled_in("nr_periods 4\nthrottled_time 3000000\n"), ms);
        assert_eq!(throttled_in("usage_usec 9\nthrottled_usec 3000\n"), ms);
        assert_eq!(throttled_in("usage_usec 9\n"), Duration::ZERO);
    }
}
