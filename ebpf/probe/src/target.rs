//! The target: a command that we start, or a running process.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal, set_parent_process_death_signal,
};

use crate::exit::Exit;
use crate::interrupts::{Interrupts, terminal_tells_all};
use crate::proc::CpuTime;
use crate::user::invoking_user;
use crate::{proc, say};

/// How often Ctrl-C is checked while a command runs to its end.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// How long a command may take to end by itself after Ctrl-C, which the terminal sends to it too.
const GRACE: Duration = Duration::from_millis(200);

/// How long it may then take to end after SIGTERM before it is killed.
const TERM_GRACE: Duration = Duration::from_secs(2);

/// The command could not be started: the reason, in one sentence.
#[derive(Debug)]
pub(crate) struct NotStarted {
    command: OsString,
    error: io::Error,
}

impl NotStarted {
    /// There is no such command.
    #[cfg(feature = "ebpf")]
    pub(crate) fn not_found(command: &str) -> Self {
        Self { command: command.into(), error: io::Error::from_raw_os_error(libc::ENOENT) }
    }

    /// The exit code, as in a shell: 127 it does not exist, 126 it cannot be executed.
    pub(crate) fn exit_code(&self) -> u8 {
        if self.error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
    }
}

impl std::fmt::Display for NotStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot start {}: {}", self.command.display(), self.error)
    }
}

impl std::error::Error for NotStarted {}

/// The observed command or process.
pub(crate) struct Target {
    pid: u32,
    pidfd: OwnedFd,
    /// The command, to stop and to wait for; `None` for a process that we did not start.
    child: Option<Child>,
    /// The file system of a process that we did not start.
    root: Option<proc::Root>,
    cpu_before: CpuTime,
    cpu_now: CpuTime,
    stop_asked: Option<Instant>,
    told: bool,
    terminated: bool,
}

impl Target {
    /// Starts `command`, having called `observe` with the id of its process before its first
    /// instruction.
    ///
    /// # Errors
    /// [`NotStarted`], or the error of `observe`: then nothing was run.
    pub(crate) fn launch(
        command: &[OsString],
        observe: impl FnOnce(u32) -> Result<()> + Send,
    ) -> Result<Self> {
        let (program, args) = command.split_first().context("no command given")?;
        let (tell_pid, hear_pid) = pipe()?;
        let (let_go, wait) = pipe()?;
        let mut launch = Command::new(program);
        launch.args(args);
        hold_before_exec(&mut launch, tell_pid, wait);
        // spawn() returns only after the exec, so `observe` is called on another thread. Not the
        // reverse: the parent death signal comes when the *thread* that forked ends.
        let (spawned, observed) = thread::scope(|scope| {
            let observer = scope.spawn(|| observe_and_let_go(hear_pid, let_go, observe));
            let spawned = launch.spawn();
            drop(launch);
            (spawned, observer.join())
        });
        let observed = observed.expect("a panic here is one of our own");
        match (observed, spawned) {
            (Err(error), Err(_)) => Err(error),
            (_, Err(error)) => Err(NotStarted { command: program.clone(), error }.into()),
            (_, Ok(child)) => Self::new(child.id(), Some(child)),
        }
    }

    /// Watches for the end of process `pid`, which we did not start.
    pub(crate) fn running(pid: u32) -> Result<Self> {
        Ok(Self { root: proc::Root::of(pid), ..Self::new(pid, None)? })
    }

    fn new(pid: u32, child: Option<Child>) -> Result<Self> {
        let raw = Pid::from_raw(pid.cast_signed()).context("process 0 cannot be observed")?;
        let pidfd =
            pidfd_open(raw, PidfdFlags::empty()).with_context(|| format!("open process {pid}"))?;
        let cpu = CpuTime::default();
        Ok(Self {
            pid,
            pidfd,
            child,
            root: None,
            cpu_before: cpu,
            cpu_now: cpu,
            stop_asked: None,
            told: false,
            terminated: false,
        })
    }

    /// The root of the paths that it maps, as seen by this process.
    pub(crate) fn root(&self) -> PathBuf {
        self.root.as_ref().map_or_else(|| PathBuf::from("/"), proc::Root::path)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// A descriptor that is readable once the process has ended.
    pub(crate) fn ended_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Counts its CPU time from now on.
    pub(crate) fn begin(&mut self) {
        self.cpu_before = proc::cpu_time(self.pid).unwrap_or_default();
    }

    /// Updates the CPU time so far; for a process that is gone, the last value stays.
    pub(crate) fn note_cpu(&mut self) {
        if let Some(now) = proc::cpu_time(self.pid) {
            self.cpu_now = now;
        }
    }

    /// CPU time while observed.
    pub(crate) fn cpu(&self) -> CpuTime {
        let since = |now: Duration, before| now.saturating_sub(before);
        CpuTime {
            user: since(self.cpu_now.user, self.cpu_before.user),
            system: since(self.cpu_now.system, self.cpu_before.system),
        }
    }

    /// Whether it is a command that we started, which Ctrl-C ends; other processes are left
    /// running.
    pub(crate) fn is_ours(&self) -> bool {
        self.child.is_some()
    }

    /// To be called repeatedly once this process was asked to end. After a first Ctrl-C a command
    /// may save its work, however long that takes; after a second one, or another signal, it is
    /// asked to end, and killed if it does not.
    pub(crate) fn stop(&mut self, interrupts: &Interrupts) {
        if !interrupts.urgent() {
            if !self.told {
                self.told = true;
                if !terminal_tells_all() {
                    let _ = pidfd_send_signal(&self.pidfd, Signal::INT);
                }
                say("lab-probe: waiting for the command to end; a second Ctrl-C ends it");
            }
            return;
        }
        let waited = self.stop_asked.get_or_insert_with(Instant::now).elapsed();
        if waited > GRACE + TERM_GRACE {
            let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        } else if waited > GRACE && !self.terminated {
            self.terminated = true;
            let _ = pidfd_send_signal(&self.pidfd, Signal::TERM);
        }
    }

    /// Lets a command run to its end, which Ctrl-C can still bring about; returns how it ended, if
    /// it is a command.
    pub(crate) fn run_to_end(&mut self, interrupts: &Interrupts) -> Result<Option<Exit>> {
        while self.is_ours() {
            let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
            match poll(&mut fds, Some(&TICK)) {
                Ok(0) | Err(Errno::INTR) if interrupts.raised() => self.stop(interrupts),
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => break,
                Err(error) => return Err(error).context("wait for the command to end"),
            }
        }
        Ok(self.wait()?.map(Exit::of))
    }

    /// Collects the exit status of a command that has ended; `None` for other processes.
    fn wait(&mut self) -> Result<Option<ExitStatus>> {
        let Some(child) = &mut self.child else {
            return Ok(None);
        };
        child.wait().map(Some).context("wait for the command")
    }

    /// The CPU time of a command that has ended, to the nanosecond.
    pub(crate) fn note_cpu_of_ended_child(&mut self) {
        if self.is_ours() {
            self.cpu_now = children_cpu();
        }
    }
}

fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let (read, write) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).context("make a pipe")?;
    Ok((write, read))
}

/// Makes the child, between fork and exec, send its id on `tell` and wait for a byte on `wait`.
fn hold_before_exec(command: &mut Command, tell: OwnedFd, wait: OwnedFd) {
    let user = invoking_user();
    let hold = move || -> io::Result<()> {
        // First, since a change of user clears the death signal.
        if let Some(user) = &user {
            user.become_it()?;
        }
        // A command must not outlive an observer that was killed.
        set_parent_process_death_signal(Some(Signal::KILL))?;
        rustix::io::write(&tell, &std::process::id().to_ne_bytes())?;
        let mut go = [0];
        // No byte comes if the observer is gone or could not open its events.
        if rustix::io::read(&wait, &mut go)? == 1 {
            Ok(())
        } else {
            Err(io::ErrorKind::Interrupted.into())
        }
    };
    // SAFETY: after the fork, the closure only makes system calls, and neither allocates nor locks.
    unsafe { command.pre_exec(hold) };
}

/// Receives the child's id, observes it and lets it continue to its exec.
fn observe_and_let_go(
    hear_pid: OwnedFd,
    let_go: OwnedFd,
    observe: impl FnOnce(u32) -> Result<()>,
) -> Result<()> {
    let mut pid = [0; 4];
    File::from(hear_pid).read_exact(&mut pid).context("the command's process was not made")?;
    observe(u32::from_ne_bytes(pid))?;
    File::from(let_go).write_all(b"x").context("let the command go")
}

/// CPU time of all children waited for: the observer has just one, with the children that it has
/// waited for.
fn children_cpu() -> CpuTime {
    // SAFETY: all zeroes is a valid rusage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` outlives the call. It cannot fail: the pointer is valid and RUSAGE_CHILDREN
    // is known.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage) };
    let time = |t: libc::timeval| {
        Duration::new(t.tv_sec.unsigned_abs(), t.tv_usec.unsigned_abs() as u32 * 1000)
    };
    CpuTime { user: time(usage.ru_utime), system: time(usage.ru_stime) }
}

/// The current time on the clock of the samples, in nanoseconds.
pub(crate) fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}
