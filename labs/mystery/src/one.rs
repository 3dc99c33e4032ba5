//! MTH-2, network: datagrams come faster than they are taken, and the socket has no room.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use lab_kit::thread::{named, run as run_threads};
use lab_kit::{Ctx, Diagnosis, Figure};

use crate::account::{end, lit, note, noted};
use crate::claims::shows;
use crate::has_problem;

/// The share of datagrams that were lost.
const LOST: &str = "lost";
/// Sent at a time.
const BATCH: u64 = 4;
/// From one batch to the next, and the time that it takes to file a datagram.
const EVERY: Duration = Duration::from_millis(2);
/// Bytes of a datagram: a socket has room for some dozens.
const BYTES: usize = 8 << 10;
/// After this long without a datagram no more will come.
const QUIET: Duration = Duration::from_millis(100);

pub(crate) const DIAGNOSIS: Diagnosis = Diagnosis {
    resource: "network",
    functions: &["collect"],
    ask: "`collect` takes datagrams more slowly than they come. How many of 100 are lost?",
    of: "datagrams",
    count: |e| {
        shows(lit(e, "1")?, "network")?;
        Ok(Figure::exact(100.0 * noted(e, "1", LOST)?, ""))
    },
    tolerance: 0.1,
    because: "Four datagrams come in 2 ms, and `collect` files one. The kernel drops what finds no \
              room in the socket, and tells nobody but its own counter, RcvbufErrors.",
};

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let until = end(ctx);
    let files_in = if has_problem(ctx) { EVERY } else { Duration::ZERO };
    let receiver = UdpSocket::bind(("127.0.0.1", 0)).context("listen on loopback")?;
    receiver.set_read_timeout(Some(QUIET))?;
    let sender = UdpSocket::bind(("127.0.0.1", 0)).context("send on loopback")?;
    sender.connect(receiver.local_addr()?)?;
    let threads = vec![
        named("worker-1", move || publish(&sender, until)),
        named("worker-2", move || collect(&receiver, files_in, until)),
    ];
    let ended = run_threads(threads, || ())?;
    let [sent, taken] = ended[..] else { anyhow::bail!("two threads end") };
    note(ctx, LOST, 1.0 - taken as f64 / sent.max(1) as f64);
    Ok(())
}

#[inline(never)]
fn publish(socket: &UdpSocket, until: Instant) -> anyhow::Result<u64> {
    let (datagram, mut sent, mut next) = (vec![7; BYTES], 0, Instant::now());
    while next < until {
        for _ in 0..BATCH {
            socket.send(&datagram).context("send on loopback")?;
            sent += 1;
        }
        next += EVERY;
        sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(sent)
}

/// Also takes what is left in the socket at the end, so that only lost datagrams are missing.
#[inline(never)]
fn collect(socket: &UdpSocket, files_in: Duration, until: Instant) -> anyhow::Result<u64> {
    let (mut datagram, mut taken) = (vec![0; BYTES], 0);
    loop {
        match socket.recv(&mut datagram) {
            Ok(_) => taken += 1,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if Instant::now() >= until {
                    return Ok(taken);
                }
            }
            Err(error) => return Err(error).context("receive on loopback"),
        }
        if !files_in.is_zero() && Instant::now() < until {
            sleep(files_in);
        }
    }
}
