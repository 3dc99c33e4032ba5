//! Tests that cannot run here say so: each skip is a file that CI counts, and a failure where
//! `PERF_LAB_REQUIRE` names what the machine was to have.
//!
//! libtest has no result for a test that finds out at run time that it cannot run: it passes, and
//! what it printed is thrown away. So [`skip`] writes `target/skipped-tests/<program> <test>`,
//! whose text is the [`Need`] and the reason; `cargo xtask ci` removes the directory before and
//! lists it after.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::{env, fs, thread};

/// What a test needs of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A machine or user that lacks something, such as rights or a cycle counter: its absence is
    /// what the test is about.
    Absence,
    /// axe-core, which looks at pages as a screen reader does.
    Axe,
    /// bpftrace, and the right to trace with it.
    Bpftrace,
    /// Chromium.
    Browser,
    /// A cgroup with a quota of CPU time that this user may make.
    Cgroup,
    /// Two CPUs.
    Cpus,
    /// A file system that lies on a block device.
    Disk,
    /// BPF programs that this user may load, and a lab-probe that has them.
    Ebpf,
    /// A checkout on ext4.
    Ext4,
    /// Perf events, of the kernel's side too.
    Perf,
    /// Python with hdrhistogram, another reader of interval logs.
    Python,
    /// A machine whose CPUs no other program uses meanwhile.
    Quiet,
    /// Root.
    Root,
    /// A scheduler that reports time slices, accepts requests for them, and counts waits.
    Scheduler,
    /// strip, setpriv and unshare.
    Tools,
}

impl Need {
    /// All, in the order of their names.
    pub const ALL: [Need; 15] = [
        Need::Absence,
        Need::Axe,
        Need::Bpftrace,
        Need::Browser,
        Need::Cgroup,
        Need::Cpus,
        Need::Disk,
        Need::Ebpf,
        Need::Ext4,
        Need::Perf,
        Need::Python,
        Need::Quiet,
        Need::Root,
        Need::Scheduler,
        Need::Tools,
    ];

    /// Its name in `PERF_LAB_REQUIRE`.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

impl Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

/// Records that the test on this thread cannot run here, and why. The test returns after it.
///
/// # Panics
/// `PERF_LAB_REQUIRE`, names with commas between them, has `need` or a name that there is not; or
/// the skip cannot be written down.
pub fn skip(need: Need, why: impl Display) {
    let required = env::var("PERF_LAB_REQUIRE").unwrap_or_default();
    let program = env::current_exe().expect("a test is a program");
    let thread = thread::current();
    let test = thread.name().unwrap_or("unnamed");
    let why = why.to_string();
    assert!(!is_required(&required, need), "PERF_LAB_REQUIRE has {need}: {why}");
    note(&program, test, need, why.trim()).expect("a skipped test is written down");
    println!("skipped: {why}");
}

/// # Panics
/// `required` has a name that no need has: it would require nothing.
fn is_required(required: &str, need: Need) -> bool {
    let names = required.split(',').map(str::trim).filter(|name| !name.is_empty());
    let needs = names.map(|name| {
        let found = Need::ALL.into_iter().find(|need| need.name() == name);
        found.unwrap_or_else(|| panic!("PERF_LAB_REQUIRE has `{name}`, of {:?}", Need::ALL))
    });
    needs.collect::<Vec<_>>().contains(&need)
}

/// Under the target directory in which `program`, a test's, lies: `target/debug/deps/name-hash`.
fn note(program: &Path, test: &str, need: Need, why: &str) -> std::io::Result<()> {
    let deps = program.parent().unwrap_or(Path::new("."));
    let profile = if deps.ends_with("deps") { deps.parent().unwrap_or(deps) } else { deps };
    let dir: PathBuf = profile.with_file_name("skipped-tests");
    fs::create_dir_all(&dir)?;
    let program = program.file_name().unwrap_or_default().to_string_lossy();
    let name = program.rsplit_once('-').map_or(&*program, |(name, _hash)| name);
    fs::write(dir.join(format!("{name} {test}")), format!("{need}: {why}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_is_a_file_with_its_need_and_its_reason() {
        let target = env::temp_dir().join(format!("lab-skip-{}", std::process::id()));
        let program = target.join("debug/deps/files-0123456789abcdef");
        note(&program, "of::a_test", Need::Ext4, "/ is on xfs").unwrap();
        note(&program, "of::a_test", Need::Ext4, "/ is on tmpfs").unwrap();
        let written = fs::read_dir(target.join("skipped-tests")).unwrap();
        let names: Vec<_> = written.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["files of::a_test"], "once, however often it ran");
        let text = fs::read_to_string(target.join("skipped-tests/files of::a_test")).unwrap();
        assert_eq!(text, "ext4: / is on tmpfs\n");
        fs::remove_dir_all(target).unwrap();
    }

    #[test]
    fn a_required_need_is_found_by_name() {
        assert!(is_required("perf, ebpf", Need::Ebpf) && !is_required("perf,ebpf", Need::Ext4));
        assert!(!is_required("", Need::Ebpf));
    }

    #[test]
    #[should_panic(expected = "PERF_LAB_REQUIRE has `epbf`")]
    fn an_unknown_need_is_refused() {
        is_required("epbf", Need::Ebpf);
    }
}
