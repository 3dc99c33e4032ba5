//! WS-3: each session begins with an idle wait of a second, for a reply that never comes.

use std::hint::black_box;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use lab_kit::thread::ThreadClock;
use lab_kit::{Ctx, Diagnosis, Figure, Gap, spin};

use crate::account::{end, note, noted};
use crate::has_problem;

/// The mean time of a look-up, in seconds.
pub(crate) const SECONDS: &str = "seconds";
/// The share of that time in which the thread neither ran nor was ready to.
pub(crate) const BLOCKED: &str = "blocked";
/// How long it waits for a reply, and how often it asks.
const TIMEOUT: Duration = Duration::from_millis(500);
const TRIES: u32 = 2;
/// What a session computes after that.
const GREETING: Duration = Duration::from_millis(20);

pub(crate) const DIAGNOSIS: Diagnosis = Diagnosis {
    resource: "none",
    functions: &["resolve"],
    ask: "`resolve` waits for a reply that does not come. How many seconds does each call take?",
    of: "seconds",
    count: |e| match noted(e, "5", BLOCKED)? {
        0.9.. => Ok(Figure::exact(noted(e, "5", SECONDS)?, "s")),
        _ => Err(Gap::Invalid("its sessions did not wait".into())),
    },
    tolerance: 0.15,
    because: "No resource is short. `resolve` asks a name server that is silent, twice, for half a \
              second each time, and then goes on without it.",
};

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let until = end(ctx);
    let server = UdpSocket::bind(("127.0.0.1", 0)).context("listen on loopback")?;
    server.set_nonblocking(true)?;
    let client = UdpSocket::bind(("127.0.0.1", 0)).context("ask on loopback")?;
    client.set_read_timeout(Some(TIMEOUT))?;
    let clock = ThreadClock::here()?;
    let (silent, address) = (has_problem(ctx), server.local_addr()?);
    let (mut took, mut blocked, mut sessions) = (0.0, 0.0, 0.0);
    while Instant::now() < until {
        let from = clock.now();
        black_box(resolve(&client, &server, address, silent)?);
        let passed = clock.now() - from;
        took += passed.wall.as_secs_f64();
        blocked += passed.blocked().as_secs_f64();
        sessions += 1.0;
        greet();
    }
    note(ctx, SECONDS, took / f64::max(sessions, 1.0));
    note(ctx, BLOCKED, blocked / f64::max(took, f64::MIN_POSITIVE));
    Ok(())
}

/// Whether the server knew the name. If it is not silent, its reply is there at once.
#[inline(never)]
fn resolve(
    client: &UdpSocket,
    server: &UdpSocket,
    address: SocketAddr,
    silent: bool,
) -> anyhow::Result<bool> {
    let mut reply = [0; 64];
    for _ in 0..TRIES {
        client.send_to(b"who is it?", address).context("ask on loopback")?;
        if !silent {
            server.send_to(b"it is me", client.local_addr()?).context("reply on loopback")?;
        }
        if client.recv(&mut reply).is_ok() {
            return Ok(true);
        }
    }
    // The questions that nobody read.
    while server.recv(&mut reply).is_ok() {}
    Ok(false)
}

#[inline(never)]
fn greet() {
    spin::cpu(GREETING);
}
