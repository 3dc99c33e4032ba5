//! A client's connections: one thread writes, waits for and reads them all.

use std::io::{ErrorKind, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context as _;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::frame::{self, Answer, FRAME, Frame, Inbox};
use super::stamped::{Stamped, stamp};
use crate::clock::{Clock, timespec};

/// The most replies read at a time.
const AT_A_TIME: usize = 256;

/// Connections to one server.
pub(super) struct Peers {
    peers: Vec<Peer>,
    /// Reports which connections can be read, or written again.
    epoll: OwnedFd,
    ready: Vec<epoll::Event>,
    /// All that came before this time has been read.
    looked: Duration,
    /// Connections that broke since the last call of [`Peers::broken`].
    broken: Vec<usize>,
}

struct Peer {
    stream: TcpStream,
    inbox: Inbox,
    /// Holds what the kernel has not taken yet; never grows.
    outbox: Vec<u8>,
    /// Whether the kernel refused part of the outbox.
    full: bool,
    broken: bool,
}

impl Peers {
    /// Opens `count` connections, each with room for `room` requests that the kernel has not taken
    /// yet.
    ///
    /// # Errors
    /// The server cannot be reached, or there are too many open files.
    pub(super) fn connect(address: SocketAddr, count: usize, room: usize) -> anyhow::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).context("make an epoll")?;
        let peer = |number: usize| -> anyhow::Result<Peer> {
            let stream =
                TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            stamp(&stream);
            epoll::add(&epoll, &stream, EventData::new_u64(number as u64), EventFlags::IN)?;
            let (inbox, outbox) = (Inbox::new(AT_A_TIME), Vec::with_capacity(room * FRAME));
            Ok(Peer { stream, inbox, outbox, full: false, broken: false })
        };
        let peers = (0..count).map(peer).collect::<anyhow::Result<Vec<Peer>>>()?;
        let (ready, broken) = (Vec::with_capacity(count), Vec::with_capacity(count));
        Ok(Self { peers, epoll, ready, looked: Duration::ZERO, broken })
    }

    pub(super) fn count(&self) -> usize {
        self.peers.len()
    }

    /// Appends a frame to a connection's outbox, for [`Peers::flush`]. False if the connection is
    /// broken or its outbox full.
    pub(super) fn queue(&mut self, connection: usize, frame: &Frame) -> bool {
        let Peer { outbox, broken, .. } = &mut self.peers[connection];
        let takes = !*broken && outbox.len() + FRAME <= outbox.capacity();
        if takes {
            outbox.extend(frame);
        }
        takes
    }

    /// Writes as much of each outbox as the kernel takes, with one call for each connection.
    pub(super) fn flush(&mut self) {
        for connection in 0..self.peers.len() {
            let Peer { stream, outbox, .. } = &mut self.peers[connection];
            if outbox.is_empty() {
                continue;
            }
            match (&*stream).write(outbox) {
                Ok(written) => drop(outbox.drain(..written)),
                Err(error) if is_no_error(&error) => {}
                Err(_) => self.break_off(connection),
            }
            self.watch(connection);
        }
    }

    /// Has epoll report when a connection with a non-empty outbox can be written again.
    fn watch(&mut self, connection: usize) {
        let Peer { stream, outbox, full, .. } = &mut self.peers[connection];
        if *full == outbox.is_empty() {
            *full = !*full;
            let flags = if *full { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            let number = EventData::new_u64(connection as u64);
            // This fails only for a broken connection, which is no longer watched.
            let _ = epoll::modify(&self.epoll, stream, number, flags);
        }
    }

    /// Rests for `rest`; then waits until a connection can be read, or written again, for at most
    /// `wait` in all.
    pub(super) fn wait(&self, rest: Duration, wait: Duration) {
        if !rest.is_zero() {
            sleep(rest);
        }
        if let Some(left) = wait.checked_sub(rest).filter(|left| !left.is_zero()) {
            // poll takes nanoseconds, epoll(7) milliseconds. An interrupted wait counts as over.
            let _ = poll(&mut [PollFd::new(&self.epoll, PollFlags::IN)], Some(&timespec(left)));
        }
    }

    /// Reads all that has come, and passes each reply to `take` with the time at which it came.
    pub(super) fn read(&mut self, clock: Clock, mut take: impl FnMut(u64, Answer, Duration)) {
        let looks = clock.now();
        self.ready.clear();
        if epoll::wait(&self.epoll, spare_capacity(&mut self.ready), Some(&NO_TIME)).is_err() {
            return;
        }
        for event in 0..self.ready.len() {
            self.read_from(self.ready[event].data.u64() as usize, clock, &mut take);
        }
        self.looked = looks;
    }

    fn read_from(
        &mut self,
        connection: usize,
        clock: Clock,
        take: &mut impl FnMut(u64, Answer, Duration),
    ) {
        let Peer { stream, inbox, .. } = &mut self.peers[connection];
        let read = loop {
            let (stamped, mut came, mut count) = (Stamped::new(stream), None, 0);
            let read = inbox.read(&stamped, |frame| {
                let came = came.get_or_insert_with(|| stamped.came(clock, self.looked));
                let (id, says) = frame::read(frame);
                take(id, says, *came);
                count += 1;
            });
            if count < AT_A_TIME {
                break read;
            }
        };
        match read {
            Ok(1..) => {}
            Err(error) if is_no_error(&error) => {}
            Ok(0) | Err(_) => self.break_off(connection),
        }
    }

    /// A connection is closed, by the server or by an error: nothing more is sent or read on it.
    fn break_off(&mut self, connection: usize) {
        let Peer { stream, outbox, broken, .. } = &mut self.peers[connection];
        outbox.clear();
        *broken = true;
        // This fails if the connection was removed before.
        let _ = epoll::delete(&self.epoll, stream);
        self.broken.push(connection);
    }

    /// Takes the connections that broke since the last call.
    pub(super) fn broken(&mut self) -> impl Iterator<Item = usize> {
        self.broken.drain(..)
    }

    /// Tells the server that no more will come.
    pub(super) fn close(&self) {
        for peer in &self.peers {
            // This fails only if the server has closed the connection already.
            let _ = peer.stream.shutdown(Shutdown::Both);
        }
    }
}

const NO_TIME: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

fn is_no_error(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
