//! Servers and links on loopback: a link holds back what passes through it, as a long way does.
//!
//! A [`Link`] is the live counterpart of [`sim::Link`](crate::sim::Link), and needs no rights. It
//! relays between two TCP connections, so the handshake of a connection is not delayed, nor are the
//! kernel's acknowledgements: what a link delays is data. A lab that counts a handshake sends a
//! message in its place.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::pace::tighten_timer;

/// Bytes that a link carries at a time: about a segment of Ethernet.
const SEGMENT: usize = 1_500;

/// Runs `each` for each connection, on a thread of its own, as long as `body` runs with the
/// server's address. `each` returns once its client is gone, and `body` closes its connections.
///
/// # Errors
/// Nothing can listen on loopback.
pub fn serving<T>(
    each: impl Fn(TcpStream) + Sync,
    body: impl FnOnce(SocketAddr) -> T,
) -> io::Result<T> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (over, each) = (&over, &each);
        scope.spawn(move || {
            for stream in listener.incoming() {
                if over.load(SeqCst) {
                    break;
                }
                // A client that is gone already is none.
                let Ok(stream) = stream else { continue };
                let _ = stream.set_nodelay(true);
                scope.spawn(move || each(stream));
            }
        });
        let _end = End { over, address };
        Ok(body(address))
    })
}

/// Ends the server, even if its body panics.
struct End<'a> {
    over: &'a AtomicBool,
    address: SocketAddr,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.over.store(true, SeqCst);
        // Wakes the server, which then finds that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

/// A link between clients and a server. Both directions are alike, and all connections share them.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// The time on the way in one direction: half of a round trip.
    pub delay: Duration,
    /// In one direction, above 0; `None` for a link as fast as the machine.
    pub bytes_per_second: Option<f64>,
}

impl Link {
    /// Runs `body` with the address at which the server at `server` is reached through this link.
    /// What is on the way is kept in memory, however much it is.
    ///
    /// # Errors
    /// Nothing can listen on loopback. A connection that the server refuses is closed.
    pub fn relay<T>(self, server: SocketAddr, body: impl FnOnce(SocketAddr) -> T) -> io::Result<T> {
        let [there, back] = [(); 2].map(|()| Mutex::new(Instant::now()));
        let join = |client: TcpStream| {
            let Ok(upstream) = TcpStream::connect(server) else { return };
            let _ = upstream.set_nodelay(true);
            thread::scope(|scope| {
                scope.spawn(|| self.carry(&client, &upstream, &there));
                self.carry(&upstream, &client, &back);
            });
        };
        serving(join, body)
    }

    /// Carries all that comes from one side to the other, in order. `free` is when the last byte of
    /// this direction has left.
    fn carry(self, mut from: &TcpStream, mut to: &TcpStream, free: &Mutex<Instant>) {
        let (send, on_the_way) = mpsc::channel::<(Instant, Vec<u8>)>();
        thread::scope(|scope| {
            scope.spawn(move || {
                tighten_timer();
                for (at, part) in on_the_way {
                    thread::sleep(at.saturating_duration_since(Instant::now()));
                    if to.write_all(&part).is_err() {
                        break;
                    }
                }
                let _ = to.shutdown(Shutdown::Write);
                let _ = from.shutdown(Shutdown::Read);
            });
            let mut part = [0; SEGMENT];
            while let Ok(came @ 1..) = from.read(&mut part) {
                if send.send((self.arrives(came, free), part[..came].to_vec())).is_err() {
                    break;
                }
            }
            drop(send);
        });
    }

    /// When this many bytes arrive that come now, behind those that came before.
    fn arrives(self, bytes: usize, free: &Mutex<Instant>) -> Instant {
        let seconds = self.bytes_per_second.map_or(0.0, |rate| bytes as f64 / rate);
        let mut free = free.lock().unwrap_or_else(PoisonError::into_inner);
        *free = free.max(Instant::now()) + Duration::from_secs_f64(seconds);
        *free + self.delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(mut stream: TcpStream) {
        let mut part = [0; 4_096];
        while let Ok(came @ 1..) = stream.read(&mut part) {
            if stream.write_all(&part[..came]).is_err() {
                break;
            }
        }
    }

    /// Sends these bytes to an echoing server through `link` over this many connections at a time,
    /// and returns how long the last took to come back.
    fn round_trip(link: Link, bytes: usize, connections: usize) -> Duration {
        let sent: Vec<u8> = (0..bytes).map(|i| (i % 251) as u8).collect();
        let ask = |address| {
            let mut stream = TcpStream::connect(address).unwrap();
            let mut back = vec![0; bytes];
            thread::scope(|scope| {
                scope.spawn(|| (&stream).write_all(&sent).unwrap());
                (&stream).read_exact(&mut back).unwrap();
            });
            assert!(back == sent, "all bytes come back in order");
            stream.flush().unwrap();
        };
        let all = |address| {
            let begun = Instant::now();
            thread::scope(|scope| {
                (0..connections).for_each(|_| drop(scope.spawn(|| ask(address))))
            });
            begun.elapsed()
        };
        serving(echo, |server| link.relay(server, all).unwrap()).unwrap()
    }

    #[test]
    fn a_message_takes_the_delay_in_each_direction_on_any_number_of_connections() {
        let link = Link { delay: Duration::from_millis(20), bytes_per_second: None };
        for connections in [1, 10] {
            let took = round_trip(link, 100_000, connections);
            assert!(took >= 2 * link.delay && took < 20 * link.delay, "{took:?}");
        }
    }

    #[test]
    fn connections_share_the_bandwidth_of_each_direction() {
        let link = Link { delay: Duration::ZERO, bytes_per_second: Some(1e6) };
        // 40 ms alone; the way back begins when the first part has come.
        let [alone, together] = [1, 4].map(|connections| round_trip(link, 40_000, connections));
        assert!(alone >= Duration::from_millis(40) && together >= Duration::from_millis(160));
        assert!(together < 10 * alone, "{alone:?} {together:?}");
    }

    #[test]
    fn a_server_ends_when_its_body_panics_and_a_refused_connection_is_closed() {
        let panics = std::panic::catch_unwind(|| serving(echo, |_| panic!("over")));
        assert!(panics.is_err());
        let link = Link { delay: Duration::ZERO, bytes_per_second: None };
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let read = |address| TcpStream::connect(address).unwrap().read(&mut [0]);
        assert!(matches!(link.relay(nobody, read).unwrap(), Ok(0) | Err(_)));
    }
}
