//! The server under test, in this process or in one of its own, and whoever stops it.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::Context as _;
use lab_kit::Clock;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::server::{self, Behaviour, sleep_until};
use crate::setup::{Setup, Stall};

/// A server that is ready to be asked; it ends with this value.
#[derive(Debug)]
pub(crate) struct Target {
    address: SocketAddr,
    process: Option<Child>,
}

impl Target {
    /// Starts the server and plans its stall.
    ///
    /// # Errors
    /// No port, process or thread is to be had.
    pub(crate) fn start(setup: &Setup, stall_by: &str, clock: Clock) -> anyhow::Result<Self> {
        match stall_by {
            "sigstop" => Self::in_process_of_its_own(setup, clock),
            _ => Self::in_this_process(setup, clock),
        }
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
        let listener = server::listen()?;
        let address = listener.local_addr()?;
        let behaviour = Behaviour { clock, service: setup.service, stall: setup.stall };
        let connections = setup.connections as usize;
        thread::Builder::new()
            .name("server-accept".into())
            .spawn(move || server::serve(&listener, connections, behaviour))?;
        Ok(Self { address, process: None })
    }

    fn in_process_of_its_own(setup: &Setup, clock: Clock) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("find this program")?;
        let mut process = Command::new(&program)
            .args(["serve", "--service-time", &format!("{}ns", setup.service.as_nanos())])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {} serve", program.display()))?;
        let stdout = process.stdout.take().expect("standard output is piped");
        // From here on, an early return ends the process.
        let mut target = Self { address: SocketAddr::from(([0; 4], 0)), process: Some(process) };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).context("read the server's address")?;
        target.address = line.trim().parse().with_context(|| format!("address `{line}`"))?;
        target.plan_stop(setup.stall, clock)?;
        Ok(target)
    }

    /// Stops the server's process and lets it go on. A file descriptor of the process, unlike its
    /// id, never comes to mean another.
    fn plan_stop(&self, stall: Stall, clock: Clock) -> anyhow::Result<()> {
        let Some(process) = self.process.as_ref().filter(|_| !stall.length.is_zero()) else {
            return Ok(());
        };
        let process = pidfd_open(Pid::from_child(process), PidfdFlags::empty())
            .context("open the server's process")?;
        thread::Builder::new().name("saboteur".into()).spawn(move || {
            for (at, signal) in [(stall.from, Signal::STOP), (stall.until(), Signal::CONT)] {
                sleep_until(clock, at);
                // It has ended already where this fails.
                let _ = pidfd_send_signal(&process, signal);
            }
        })?;
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // It has ended already where these fail.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
