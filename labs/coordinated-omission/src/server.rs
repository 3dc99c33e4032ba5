//! The server: a line of constant delay over TCP, which stands still once.
//!
//! A request is answered when its service time is over, independent of the others, so a backlog is
//! answered at once: all waiting that a client sees, the stall caused.

use std::io;
use std::time::Duration;

use anyhow::Context as _;
use lab_kit::load::{Admission, Discipline, Pause, Running, Server, Threads, Work};
use lab_kit::{Clock, clap};
use rustix::process::{Signal, set_parent_process_death_signal};

/// Starts it on loopback, at a port that is free.
///
/// # Errors
/// No port or thread is available.
pub(crate) fn start(clock: Clock, stall: Pause) -> anyhow::Result<Running> {
    let server = Server {
        threads: Threads::EventLoop,
        discipline: Discipline::Fifo,
        admission: Admission::All,
        work: Work::Wait,
        pause: stall,
    };
    server.start(clock)
}

/// The arguments of `coordinated-omission serve`.
pub(crate) fn command(command: clap::Command) -> clap::Command {
    command.about("Serve on loopback until standard input closes")
}

/// `coordinated-omission serve`: a process of its own, which others can stop. It prints its
/// address, and lives no longer than its parent.
pub(crate) fn run(_: &clap::ArgMatches) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("ask to die with the parent")?;
    let server = start(Clock::live(), Pause::default())?;
    println!("{}", server.address());
    io::copy(&mut io::stdin(), &mut io::sink()).context("wait for standard input to close")?;
    Ok(())
}

pub(crate) fn sleep_until(clock: Clock, at: Duration) {
    if let Some(left) = at.checked_sub(clock.now()) {
        std::thread::sleep(left);
    }
}
