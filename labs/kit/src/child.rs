//! The lab's own program as another process, which dies with its parent.

use std::io::{BufRead as _, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{self, ChildStdout, Command, Stdio};

use anyhow::{Context as _, ensure};
use rustix::process::{
    Pid, PidfdFlags, Signal, getppid, pidfd_open, pidfd_send_signal,
    set_parent_process_death_signal,
};

/// A process of this program; killed and waited for when this is dropped.
///
/// The kernel kills the child when the *thread* that started it ends, however it ends. So start it
/// from the thread that runs the variant, not from one that ends earlier.
#[derive(Debug)]
pub struct Child {
    process: process::Child,
    /// Unlike a process id, it is never reused for another process.
    pidfd: OwnedFd,
    stdout: BufReader<ChildStdout>,
}

impl Child {
    /// Starts this program with these arguments: a [`crate::Verb`] of the lab.
    ///
    /// # Errors
    /// The kernel's.
    pub fn start(args: &[&str]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("find this program")?;
        let parent = process::id();
        let mut command = Command::new(&program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let dies_with_its_parent = move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have ended before the kernel was asked.
            let orphaned = getppid().is_none_or(|pid| pid.as_raw_nonzero().get() as u32 != parent);
            if orphaned { Err(rustix::io::Errno::SRCH.into()) } else { Ok(()) }
        };
        // SAFETY: between fork and exec the closure makes two system calls and allocates nothing.
        unsafe { command.pre_exec(dies_with_its_parent) };
        let mut process =
            command.spawn().with_context(|| format!("start {}", program.display()))?;
        let pidfd = pidfd_open(Pid::from_child(&process), PidfdFlags::empty());
        let stdout = process.stdout.take().context("standard output is piped")?;
        Ok(Self {
            process,
            pidfd: pidfd.context("open a process")?,
            stdout: BufReader::new(stdout),
        })
    }

    /// The next line of the child's standard output.
    ///
    /// # Errors
    /// It has ended, or closed its standard output.
    pub fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line).context("read what a process says")?;
        ensure!(line.ends_with('\n'), "a process of this program ended early: it said `{line}`");
        Ok(line.trim_end().to_owned())
    }

    /// The child's process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A pidfd of the child, for sending it signals from another thread.
    ///
    /// # Errors
    /// Too many file descriptors are open.
    pub fn pidfd(&self) -> anyhow::Result<OwnedFd> {
        self.pidfd.try_clone().context("one more descriptor of a process")
    }

    /// Sends the child a signal.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        pidfd_send_signal(&self.pidfd, signal).context("send a signal")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // These fail only if the child has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use super::*;

    /// Set in the processes that the test starts.
    const STARTED: &str = "LAB_KIT_TEST_STARTED";
    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn helper_process_parent() {
        if env::var_os(STARTED).is_some() {
            let child = Child::start(&only("helper_process_child")).unwrap();
            println!("\nchild {}", child.id());
            sleep(LONG);
        }
    }

    #[test]
    fn helper_process_child() {
        if env::var_os(STARTED).is_some() {
            sleep(LONG);
        }
    }

    fn only(test: &'static str) -> [&'static str; 4] {
        let name = match test {
            "helper_process_parent" => "child::tests::helper_process_parent",
            _ => "child::tests::helper_process_child",
        };
        ["--exact", name, "--nocapture", "--test-threads=1"]
    }

    fn lives(pid: u32) -> bool {
        lab_proc::Stat::of(pid).is_ok_and(|stat| stat.state != 'Z')
    }

    fn soon(mut what: impl FnMut() -> bool) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if what() {
                return true;
            }
            sleep(Duration::from_millis(5));
        }
        false
    }

    #[test]
    fn a_child_dies_with_a_parent_that_is_killed() {
        let mut parent = Command::new(env::current_exe().unwrap())
            .args(only("helper_process_parent"))
            .env(STARTED, "yes")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(parent.stdout.take().unwrap()).lines();
        let child = said
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("child ").and_then(|pid| pid.parse::<u32>().ok()));
        let child = child.expect("the parent says whom it started");
        assert!(lives(child));
        parent.kill().unwrap();
        parent.wait().unwrap();
        assert!(soon(|| !lives(child)), "{child} outlived its parent");
    }

    #[test]
    fn a_child_is_gone_when_it_is_dropped_and_says_lines_before() {
        let mut child = Child::start(&["--list"]).unwrap();
        assert!(child.line().unwrap().ends_with(": test"), "the first test of the list");
        let pid = child.id();
        drop(child);
        assert!(!lives(pid));
    }

    #[test]
    fn a_child_that_ends_without_a_line_is_an_error() {
        let mut child = Child::start(&["--exact", "no such test", "--quiet"]).unwrap();
        let error = (0..100).find_map(|_| child.line().err()).unwrap().to_string();
        assert!(error.contains("ended early"), "{error}");
    }
}
