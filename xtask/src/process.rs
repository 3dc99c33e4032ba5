//! Child processes that never outlive their use: each has a deadline, and ends with its process
//! group.
//!
//! Each child leads a process group of its own. When the child ends, by itself or by the runner,
//! the rest of its group ends too; when the runner dies, the kernel kills the child.

use std::io::{PipeReader, Read as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, getppid, kill_process_group, pidfd_open, pidfd_send_signal,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How long a child may take to end after SIGTERM, before SIGKILL.
const GRACE: Duration = Duration::from_secs(1);
/// How long processes that a command leaves behind may take to end by themselves.
const LINGER: Duration = Duration::from_millis(200);
/// The time between two checks of a process that is about to end.
const SOON: Duration = Duration::from_millis(2);
/// How often a wait checks the clock and draws progress.
const TICK: Duration = Duration::from_millis(100);

/// How a supervised process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By itself, or by a signal from elsewhere.
    Itself(ExitStatus),
    /// By the runner: it exceeded its deadline.
    TimedOut(ExitStatus),
    /// By the runner, after Ctrl-C.
    Interrupted(ExitStatus),
}

/// The constructor of [`Ended`] for a process that the runner ends.
type Cut = fn(ExitStatus) -> Ended;

/// Whether the runner was asked to end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt {
    raised: Arc<AtomicBool>,
    /// The number of the last signal.
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    /// Listens to SIGINT, SIGTERM and SIGHUP from now on; a second one ends the runner at once.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let interrupt = Self::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let flag = &interrupt.raised;
            let number = signal.unsigned_abs() as usize;
            signal_hook::flag::register_usize(signal, Arc::clone(&interrupt.signal), number)
                .context("listen to signals")?;
            // In this order, so that the first signal finds the flag unset, and sets it.
            signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(flag))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(flag)))
                .context("listen to signals")?;
        }
        Ok(interrupt)
    }

    /// Whether a signal has come.
    pub(crate) fn raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed)
    }

    /// The signal that has come since the last call, if any. Resets the flag, so that a second
    /// signal does not end the runner.
    fn take(&self) -> Option<Signal> {
        if !self.raised.swap(false, Ordering::Relaxed) {
            return None;
        }
        let ctrl_c = self.signal.load(Ordering::Relaxed) == SIGINT.unsigned_abs() as usize;
        Some(if ctrl_c { Signal::INT } else { Signal::TERM })
    }
}

/// Whether Ctrl-C also reaches the processes that the runner started: a terminal sends it to its
/// foreground processes.
fn terminal_tells_all() -> bool {
    let foreground = || rustix::termios::tcgetpgrp(std::fs::File::open("/dev/tty").ok()?).ok();
    foreground() == Some(rustix::process::getpgrp())
}

/// Starts `command` and waits until it and its group have ended. `tick` is called a few times a
/// second with the time that has passed.
///
/// The calling thread waits here while the child lives, as it must: the kernel kills the child when
/// the *thread* that started it ends.
pub(crate) fn supervise(
    mut command: Command,
    deadline: Duration,
    interrupt: &Interrupt,
    mut tick: impl FnMut(Duration),
) -> anyhow::Result<Ended> {
    let program = command.get_program().to_owned();
    let mut child =
        Supervised::start(&mut command).with_context(|| format!("start {}", program.display()))?;
    // From here on, only the child holds the command's pipes open.
    drop(command);
    Ok(match child.wait(Instant::now(), deadline, interrupt, &mut tick)? {
        None => Ended::Itself(child.reap()?),
        Some(cut) => cut(child.end()?),
    })
}

/// The resources that a command used, with all its processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// CPU time of its own code.
    pub(crate) user: Duration,
    /// CPU time of the kernel on its behalf.
    pub(crate) system: Duration,
    /// The peak memory of one of its processes, in bytes.
    pub(crate) peak_bytes: u64,
}

/// A command that was measured.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) ended: Ended,
    /// Wall time from before its start to the end of its first process.
    pub(crate) wall: Duration,
    pub(crate) usage: Usage,
    /// The names of its processes that kept running and were killed.
    pub(crate) left_behind: Vec<String>,
}

/// As [`supervise`], with the resources that the command used. Processes that it leaves behind are
/// ended, even outside its group, so that none runs beside the next command.
///
/// No other child of this process may be running.
pub(crate) fn measure(
    mut command: Command,
    deadline: Duration,
    interrupt: &Interrupt,
    mut tick: impl FnMut(Duration),
) -> anyhow::Result<Measured> {
    // Orphans of the command become our children.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .context("become the parent of what commands leave behind")?;
    let program = command.get_program().to_owned();
    let started = Instant::now();
    let mut child =
        Supervised::start(&mut command).with_context(|| format!("start {}", program.display()))?;
    drop(command);
    let cut = child.wait(started, deadline, interrupt, &mut tick)?;
    let wall = started.elapsed();
    let Some(cut) = cut else {
        let (status, usage) = child.collect()?;
        let (usage, left_behind) = collect_the_rest(usage, LINGER)?;
        return Ok(Measured { ended: Ended::Itself(status), wall, usage, left_behind });
    };
    let ended = cut(child.end()?);
    let (usage, _) = collect_the_rest(Usage::default(), Duration::ZERO)?;
    Ok(Measured { ended, wall, usage, left_behind: Vec::new() })
}

/// Waits for processes that a command left behind, adds their usage, and kills those that keep
/// running. Returns the usage and the names of those killed.
fn collect_the_rest(mut usage: Usage, linger: Duration) -> anyhow::Result<(Usage, Vec<String>)> {
    let (began, mut killed) = (Instant::now(), Vec::new());
    loop {
        match wait4(-1, libc::WNOHANG)? {
            Waited::Ended(_, more) => usage = usage.and(more),
            Waited::NoChild => return Ok((usage, killed)),
            Waited::Running if began.elapsed() < linger => thread::sleep(SOON),
            Waited::Running => {
                for (pid, name) in children() {
                    killed.push(name);
                    let _ = rustix::process::kill_process(pid, Signal::KILL);
                }
                thread::sleep(SOON);
            }
        }
    }
}

/// The ids and names of our child processes.
fn children() -> Vec<(Pid, String)> {
    let here = std::process::id();
    lab_proc::processes()
        .filter_map(|pid| {
            let stat = lab_proc::Stat::of(pid).ok().filter(|stat| stat.parent == here)?;
            Some((Pid::from_raw(pid.try_into().ok()?)?, stat.name))
        })
        .collect()
}

/// The result of [`wait4`].
enum Waited {
    Ended(ExitStatus, Usage),
    /// There are children, and none has ended.
    Running,
    NoChild,
}

/// Collects a child: `pid`, or any child for -1.
fn wait4(pid: i32, options: i32) -> anyhow::Result<Waited> {
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to our own memory of the kernel's types, for which all zeros are a
    // valid value.
    let (found, usage) = unsafe {
        let found = libc::wait4(pid, &mut status, options, usage.as_mut_ptr());
        (found, usage.assume_init())
    };
    match found {
        0 => Ok(Waited::Running),
        -1 => match std::io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ECHILD) => Ok(Waited::NoChild),
            error if error.raw_os_error() == Some(libc::EINTR) => wait4(pid, options),
            error => Err(error).context("collect a process"),
        },
        _ => Ok(Waited::Ended(ExitStatus::from_raw(status), Usage::of(&usage))),
    }
}

impl Usage {
    fn of(usage: &libc::rusage) -> Self {
        let span = |time: libc::timeval| {
            Duration::from_secs(time.tv_sec.unsigned_abs())
                + Duration::from_micros(time.tv_usec.unsigned_abs())
        };
        Self {
            user: span(usage.ru_utime),
            system: span(usage.ru_stime),
            // Linux counts KiB here.
            peak_bytes: 1024 * usage.ru_maxrss.unsigned_abs(),
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            user: self.user + other.user,
            system: self.system + other.system,
            peak_bytes: self.peak_bytes.max(other.peak_bytes),
        }
    }
}

/// Runs `command` in the foreground, on our own standard streams, until it ends. A signal that asks
/// us to end is passed on to it, and it is still waited for, since it has something to save.
pub(crate) fn attend(mut command: Command, interrupt: &Interrupt) -> anyhow::Result<ExitStatus> {
    let program = command.get_program().to_owned();
    let mut child = command.spawn().with_context(|| format!("start {}", program.display()))?;
    let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    while !ends_within(&pidfd, TICK)? {
        match interrupt.take() {
            None => {}
            Some(Signal::INT) if terminal_tells_all() => {}
            // This fails if the command has ended.
            Some(signal) => drop(pidfd_send_signal(&pidfd, signal)),
        }
    }
    child.wait().context("collect a process")
}

/// The output of a short command, and how it ended.
#[derive(Debug)]
pub(crate) struct Captured {
    pub(crate) ended: Ended,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// As [`supervise`], keeping what the command prints.
pub(crate) fn capture(
    command: Command,
    deadline: Duration,
    interrupt: &Interrupt,
) -> anyhow::Result<Captured> {
    let run = |command| supervise(command, deadline, interrupt, |_| ());
    let (ended, stdout, stderr) = piped(command, read_all, read_all, run)?;
    Ok(Captured { ended, stdout, stderr })
}

/// Runs a command with `run`, while `out` and `err` read its output, each on its own thread.
pub(crate) fn piped<T, O: Send, E: Send>(
    mut command: Command,
    out: impl FnOnce(PipeReader) -> O + Send,
    err: impl FnOnce(PipeReader) -> E + Send,
    run: impl FnOnce(Command) -> anyhow::Result<T>,
) -> anyhow::Result<(T, O, E)> {
    let (out_reader, out_writer) = std::io::pipe().context("make a pipe")?;
    let (err_reader, err_writer) = std::io::pipe().context("make a pipe")?;
    command.stdout(out_writer).stderr(err_writer);
    thread::scope(|scope| {
        let out = scope.spawn(|| out(out_reader));
        let err = scope.spawn(|| err(err_reader));
        let ran = run(command)?;
        let expected = "reading a pipe does not panic";
        Ok((ran, out.join().expect(expected), err.join().expect(expected)))
    })
}

fn read_all(mut pipe: PipeReader) -> String {
    let mut bytes = Vec::new();
    // A broken pipe ends the reading; the exit status tells the rest.
    let _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Ended {
    /// Whether it ended by itself with exit code 0.
    pub(crate) fn well(self) -> bool {
        matches!(self, Self::Itself(status) if status.success())
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Itself(status) => match (status.code(), status.signal()) {
                (Some(code), _) => write!(f, "ended with exit code {code}"),
                (None, Some(signal)) => write!(f, "was ended by signal {signal}"),
                (None, None) => write!(f, "ended: {status}"),
            },
            Self::TimedOut(_) => f.write_str("outlived its deadline and was killed"),
            Self::Interrupted(_) => f.write_str("was interrupted"),
        }
    }
}

/// A child with a group of its own, and a descriptor that becomes readable when it ends.
struct Supervised {
    child: Child,
    group: Pid,
    pidfd: rustix::fd::OwnedFd,
    reaped: bool,
}

impl Supervised {
    fn start(command: &mut Command) -> std::io::Result<Self> {
        let runner = rustix::process::getpid();
        command.stdin(Stdio::null()).process_group(0);
        let die_with_runner = move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            // The runner may have died before the line above took effect.
            if getppid() == Some(runner) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
        };
        // SAFETY: the closure runs between fork and exec, where only async-signal-safe calls are
        // allowed: it makes two plain system calls and neither allocates nor locks.
        unsafe { command.pre_exec(die_with_runner) };
        let mut child = command.spawn()?;
        let group = Pid::from_child(&child);
        match pidfd_open(group, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Self { child, group, pidfd, reaped: false }),
            Err(error) => {
                child.kill().and_then(|()| child.wait())?;
                Err(error.into())
            }
        }
    }

    fn ends_within(&self, span: Duration) -> anyhow::Result<bool> {
        ends_within(&self.pidfd, span)
    }

    /// Waits for the child to end: `None` if it ends by itself, else why the runner has to end it:
    /// Ctrl-C, or more than `deadline` has passed since `started`.
    fn wait(
        &self,
        started: Instant,
        deadline: Duration,
        interrupt: &Interrupt,
        tick: &mut impl FnMut(Duration),
    ) -> anyhow::Result<Option<Cut>> {
        while !self.ends_within(TICK)? {
            if interrupt.raised() {
                return Ok(Some(Ended::Interrupted));
            }
            if started.elapsed() >= deadline {
                return Ok(Some(Ended::TimedOut));
            }
            tick(started.elapsed());
        }
        Ok(None)
    }

    /// Ends a child that still runs: asks first, then kills.
    fn end(mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::TERM);
        let asked = Instant::now();
        while !self.ends_within(TICK)? {
            if asked.elapsed() >= GRACE {
                self.signal(Signal::KILL);
            }
        }
        self.reap()
    }

    /// Collects a child that has ended, and kills what it leaves behind in its group.
    fn reap(&mut self) -> anyhow::Result<ExitStatus> {
        // Before the wait: until the child is collected, no other process can get its number.
        self.signal(Signal::KILL);
        self.reaped = true;
        self.child.wait().context("collect a process")
    }

    /// Collects a child that has ended, with its usage, and leaves its group alone.
    fn collect(&mut self) -> anyhow::Result<(ExitStatus, Usage)> {
        self.reaped = true;
        match wait4(self.group.as_raw_nonzero().get(), 0)? {
            Waited::Ended(status, usage) => Ok((status, usage)),
            Waited::Running | Waited::NoChild => anyhow::bail!("a process was collected elsewhere"),
        }
    }

    fn signal(&self, signal: Signal) {
        // An error means that the group is gone, which is what we want.
        let _ = kill_process_group(self.group, signal);
    }
}

fn ends_within(pidfd: &rustix::fd::OwnedFd, span: Duration) -> anyhow::Result<bool> {
    let timeout = Timespec::try_from(span).context("a wait of a second at most")?;
    match poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error).context("wait for a process"),
    }
}

impl Drop for Supervised {
    /// Ends the child after an error of ours.
    fn drop(&mut self) {
        if !self.reaped {
            self.signal(Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);
    /// Time for a shell to set its traps.
    const SHORT: Duration = Duration::from_secs(1);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn alive(pid: &str) -> bool {
        let stat = lab_proc::Stat::of(pid.trim().parse().unwrap());
        stat.is_ok_and(|stat| stat.state != 'Z')
    }

    #[test]
    fn output_of_a_command_is_kept_with_its_exit_code() {
        let said = capture(shell("echo out; echo err >&2; exit 3"), LONG, &Interrupt::default());
        let said = said.unwrap();
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!(said.ended.to_string(), "ended with exit code 3");
        assert!(!said.ended.well());
    }

    #[test]
    fn a_process_that_ignores_signals_is_killed_at_its_deadline() {
        let began = Instant::now();
        let deaf = shell("trap '' TERM; while :; do sleep 0.05; done");
        let ended = supervise(deaf, SHORT, &Interrupt::default(), |_| ()).unwrap();
        assert!(matches!(ended, Ended::TimedOut(status) if status.signal() == Some(9)));
        assert!(began.elapsed() >= GRACE && began.elapsed() < LONG / 2);
    }

    #[test]
    fn a_process_that_handles_the_signal_ends_by_itself() {
        let polite = shell("trap 'exit 5' TERM; while :; do sleep 0.05; done");
        let ended = supervise(polite, SHORT, &Interrupt::default(), |_| ()).unwrap();
        assert!(matches!(ended, Ended::TimedOut(status) if status.code() == Some(5)));
    }

    #[test]
    fn no_grandchild_is_left_behind() {
        let said =
            capture(shell("sleep 600 >/dev/null 2>&1 & echo $!"), LONG, &Interrupt::default());
        let said = said.unwrap();
        assert!(said.ended.well());
        // The kill is sent before the command is collected; give the kernel a moment to act.
        let killed = (0..50).any(|_| {
            thread::sleep(Duration::from_millis(20));
            !alive(&said.stdout)
        });
        assert!(killed, "sleep {} lives on", said.stdout);
    }

    #[test]
    fn an_interrupt_ends_the_wait() {
        let interrupt = Interrupt::default();
        interrupt.raised.store(true, Ordering::Relaxed);
        let ended = supervise(shell("sleep 600"), LONG, &interrupt, |_| ()).unwrap();
        assert!(matches!(ended, Ended::Interrupted(_)));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let none = Command::new("/nowhere/lab");
        let error = supervise(none, LONG, &Interrupt::default(), |_| ()).unwrap_err();
        assert!(format!("{error:#}").contains("/nowhere/lab"), "{error:#}");
    }
}
