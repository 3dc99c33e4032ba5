//! The server: a line of constant delay over TCP, which stands still once.
//!
//! Each connection has a thread that reads and one that writes. What is read is due after the
//! service time, so requests do not wait for each other and a backlog is answered at once: all
//! waiting that a client sees, the stall caused.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use lab_kit::{Clock, Serving, clap, tighten_timer};
use lab_record::parse_duration;
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::setup::Stall;
use crate::wire;

/// How the server behaves, on its own clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Behaviour {
    pub(crate) clock: Clock,
    pub(crate) service: Duration,
    pub(crate) stall: Stall,
}

/// Requests read together, answered and due together.
struct Batch {
    due: Duration,
    replies: Vec<u8>,
}

/// A listening socket on loopback, at a port that is free.
pub(crate) fn listen() -> anyhow::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen on loopback")
}

/// Serves the first `connections` that come, each until its client closes it.
pub(crate) fn serve(listener: &TcpListener, connections: usize, behaviour: Behaviour) {
    for stream in listener.incoming().take(connections) {
        // A client that is gone again before it was met is no concern of the others.
        let _ = stream.and_then(|stream| converse(stream, behaviour));
    }
}

fn converse(stream: TcpStream, behaviour: Behaviour) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let writing = stream.try_clone()?;
    let (replies, due) = mpsc::channel();
    let thread = |name: &str| thread::Builder::new().name(name.into());
    thread("server-write").spawn(move || write_when_due(writing, &due, behaviour))?;
    thread("server-read").spawn(move || read_batches(stream, &replies, behaviour))?;
    Ok(())
}

/// Ends when the client closes, or the writer has ended.
fn read_batches(mut stream: TcpStream, replies: &mpsc::Sender<Batch>, behaviour: Behaviour) {
    let mut buffer = [0; 256 * wire::FRAME];
    let mut filled = 0;
    while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]) {
        behaviour.stand_still();
        filled += read;
        let (frames, rest) = buffer[..filled].as_chunks_mut();
        frames.iter_mut().for_each(wire::answer);
        let batch = Batch {
            due: behaviour.clock.now() + behaviour.service,
            replies: frames.as_flattened().to_vec(),
        };
        let (whole, part) = (batch.replies.len(), rest.len());
        if replies.send(batch).is_err() {
            return;
        }
        buffer.copy_within(whole..whole + part, 0);
        filled = part;
    }
}

fn write_when_due(mut stream: TcpStream, due: &Receiver<Batch>, behaviour: Behaviour) {
    tighten_timer();
    for batch in due {
        let _serving = Serving::begin();
        sleep_until(behaviour.clock, batch.due);
        behaviour.stand_still();
        if stream.write_all(&batch.replies).is_err() {
            return;
        }
    }
}

impl Behaviour {
    fn stand_still(&self) {
        sleep_until(self.clock, self.stall.past(self.clock.now()));
    }
}

pub(crate) fn sleep_until(clock: Clock, at: Duration) {
    if let Some(left) = at.checked_sub(clock.now()) {
        thread::sleep(left);
    }
}

/// The arguments of `coordinated-omission serve`.
pub(crate) fn command(command: clap::Command) -> clap::Command {
    let service = clap::Arg::new("service-time")
        .long("service-time")
        .value_name("DURATION")
        .default_value("1ms")
        .value_parser(parse_duration)
        .help("How long a request takes");
    command.about("Serve on loopback until standard input closes").arg(service)
}

/// `coordinated-omission serve`: a process of its own, which others can stop. It prints its
/// address, and lives no longer than the one who started it.
pub(crate) fn run(matches: &clap::ArgMatches) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("ask to die with the parent")?;
    let service = *matches.get_one("service-time").expect("clap fills the default in");
    let stall = Stall { from: Duration::ZERO, length: Duration::ZERO };
    let behaviour = Behaviour { clock: Clock::live(), service, stall };
    let listener = listen()?;
    println!("{}", listener.local_addr()?);
    thread::spawn(move || serve(&listener, usize::MAX, behaviour));
    io::copy(&mut io::stdin(), &mut io::sink()).context("wait for standard input to close")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A server that takes 20 ms, and stands still for so long from its 200th millisecond.
    fn serving(connections: usize, stall: Duration) -> (SocketAddr, Clock) {
        let clock = Clock::live();
        let stall = Stall { from: 200 * MS, length: stall };
        let listener = listen().unwrap();
        let address = listener.local_addr().unwrap();
        let behaviour = Behaviour { clock, service: 20 * MS, stall };
        thread::spawn(move || serve(&listener, connections, behaviour));
        (address, clock)
    }

    fn answer_to(stream: &mut TcpStream) -> (u64, bool) {
        let mut reply = [0; wire::FRAME];
        stream.read_exact(&mut reply).unwrap();
        wire::check(&reply)
    }

    #[test]
    fn requests_wait_for_the_service_time_and_not_for_each_other() {
        let (address, clock) = serving(1, Duration::ZERO);
        let mut stream = TcpStream::connect(address).unwrap();
        (0..20).for_each(|n| stream.write_all(&wire::request(n)).unwrap());
        let sent = clock.now();
        assert!((0..20).all(|n| answer_to(&mut stream) == (n, true)), "in order, and right");
        let took = clock.now() - sent;
        assert!((19 * MS..400 * MS).contains(&took), "{took:?}, and 400 ms one after another");
    }

    #[test]
    fn nothing_is_answered_while_the_server_stands_still() {
        let (address, clock) = serving(1, 200 * MS);
        let mut stream = TcpStream::connect(address).unwrap();
        for (number, sent_at) in [(1, 190 * MS), (2, 250 * MS)] {
            sleep_until(clock, sent_at);
            stream.write_all(&wire::request(number)).unwrap();
        }
        assert_eq!(answer_to(&mut stream), (1, true));
        assert!(clock.now() >= 400 * MS, "due in the stall, it was held back");
        assert_eq!(answer_to(&mut stream), (2, true));
        assert!(clock.now() >= 420 * MS, "read after the stall, it took its service time");
    }

    #[test]
    fn a_client_that_breaks_off_disturbs_no_other() {
        let (address, _) = serving(3, Duration::ZERO);
        let mut rude = TcpStream::connect(address).unwrap();
        rude.write_all(&wire::request(1)[..7]).unwrap();
        drop(rude);
        drop(TcpStream::connect(address).unwrap());
        let mut stream = TcpStream::connect(address).unwrap();
        // A frame in two parts is one frame.
        let request = wire::request(9);
        stream.write_all(&request[..5]).unwrap();
        thread::sleep(5 * MS);
        stream.write_all(&request[5..]).unwrap();
        assert_eq!(answer_to(&mut stream), (9, true));
    }
}
