//! The server under test, in this process or in one of its own, and the injector that stalls it.

use std::net::{SocketAddr, TcpStream};
use std::thread;

use anyhow::Context as _;
use lab_kit::Clock;
use lab_kit::child::Child;
use lab_kit::load::{Pause, Running};
use rustix::process::{Signal, pidfd_send_signal};

use crate::server::{self, sleep_until};
use crate::setup::Setup;

/// A server that is ready to be asked; it ends with this value.
#[derive(Debug)]
pub(crate) struct Target {
    address: SocketAddr,
    /// The server, in this process or not; it ends with this value.
    _server: Lives,
}

#[derive(Debug)]
#[expect(dead_code, reason = "what they hold ends the server when it is dropped")]
enum Lives {
    Here(Running),
    Apart(Child),
}

impl Target {
    /// Starts the server and plans its stall.
    ///
    /// # Errors
    /// No port, process or thread is available.
    pub(crate) fn start(setup: &Setup, stall_by: &str, clock: Clock) -> anyhow::Result<Self> {
        match stall_by {
            "sigstop" => Self::in_process_of_its_own(setup, clock),
            _ => Self::in_this_process(setup, clock),
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A connection for each that the experiment has.
    ///
    /// # Errors
    /// The server refuses.
    pub(crate) fn connect(&self, setup: &Setup) -> anyhow::Result<Vec<TcpStream>> {
        let connect = |_| {
            let stream = TcpStream::connect(self.address)
                .with_context(|| format!("connect to {}", self.address))?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        (0..setup.connections).map(connect).collect()
    }

    fn in_this_process(setup: &Setup, clock: Clock) -> anyhow::Result<Self> {
        let server = server::start(clock, setup.stall)?;
        Ok(Self { address: server.address(), _server: Lives::Here(server) })
    }

    fn in_process_of_its_own(setup: &Setup, clock: Clock) -> anyhow::Result<Self> {
        let mut process = Child::start(&["serve"])?;
        let line = process.line().context("read the server's address")?;
        let address = line.parse().with_context(|| format!("address `{line}`"))?;
        plan_stop(&process, setup.stall, clock)?;
        Ok(Self { address, _server: Lives::Apart(process) })
    }
}

/// Stops the server's process and lets it go on.
fn plan_stop(process: &Child, stall: Pause, clock: Clock) -> anyhow::Result<()> {
    if stall.length.is_zero() {
        return Ok(());
    }
    let process = process.pidfd()?;
    thread::Builder::new().name("stall-injector".into()).spawn(move || {
        for (at, signal) in [(stall.from, Signal::STOP), (stall.until(), Signal::CONT)] {
            sleep_until(clock, at);
            // It has ended already where this fails.
            let _ = pidfd_send_signal(&process, signal);
        }
    })?;
    Ok(())
}
