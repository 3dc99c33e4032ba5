//! A client of many connections on one thread: open or closed loop, with timeouts and retries.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use anyhow::Context as _;

use super::frame::{self, Answer, FRAME, Inbox};
use super::retries::{Retrier, Retries};
use crate::arrivals::Schedule;
use crate::clock::Clock;
use crate::ctx::Ctx;
use crate::ledger::Ledger;
use crate::pace::Waking;
use crate::thread::cpu_time;

/// How clients behave, apart from when they ask.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    /// Connections that requests are dealt to in turn, each of a client with a budget of retries.
    pub connections: usize,
    /// Requests in flight at most; what would go over is dropped, and counted.
    pub at_most_in_flight: u64,
    /// How long an attempt may take before the client gives it up.
    pub timeout: Duration,
    /// What the client does after a timeout or refusal.
    pub retries: Retries,
    /// The tick that starts are rounded up to, as in a client with coarse timers; zero for none.
    /// The delay shows in the lateness.
    pub tick: Duration,
}

/// What the client did and cost.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// CPU time of the client's thread.
    pub cpu: Duration,
    /// Attempts sent.
    pub attempts: u64,
}

impl Asked {
    /// Files it into a live trial.
    pub fn file(&self, ctx: &mut Ctx) {
        let each = self.cpu.as_nanos() as f64 / self.attempts.max(1) as f64;
        ctx.metric("client_cpu_per_attempt", each, "ns");
    }
}

impl Client {
    /// Asks the server at `address` as `schedule` says, on this thread, and waits for answers until
    /// the trial is `until` old. `work` gives the work of each request, by its number.
    ///
    /// # Errors
    /// The server cannot be reached. A connection that breaks later is no error: its requests are
    /// abandoned, and counted.
    pub fn ask(
        &self,
        address: SocketAddr,
        schedule: &Schedule,
        work: impl Fn(usize) -> Duration,
        (clock, until): (Clock, Duration),
        ledger: &Ledger,
    ) -> anyhow::Result<Asked> {
        let peers = (0..self.connections).map(|_| self.connect(address));
        let peers = peers.collect::<anyhow::Result<Vec<Peer>>>()?;
        let waking = Waking::prepare(schedule.mean_gap());
        let mut asking = Asking {
            client: *self,
            work,
            clock,
            ledger,
            peers,
            starts: Starts::of(schedule),
            polled: vec![libc::pollfd { fd: -1, events: 0, revents: 0 }; self.connections],
            started: 0,
            attempts: vec![0; schedule.capacity()],
            retriers: vec![Retrier::new(self.retries); self.connections],
            again: VecDeque::with_capacity(schedule.capacity()),
            timeouts: VecDeque::with_capacity(schedule.capacity()),
            sent: 0,
        };
        let before = cpu_time();
        asking.run(until, waking);
        ledger.heard_until(clock.now());
        Ok(Asked { cpu: cpu_time() - before, attempts: asking.sent })
    }

    fn connect(&self, address: SocketAddr) -> anyhow::Result<Peer> {
        let stream =
            TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        // What the kernel does not take at once waits here, without growing.
        let outbox = Vec::with_capacity(self.at_most_in_flight as usize * FRAME);
        Ok(Peer { stream, inbox: Inbox::new(AT_A_TIME), outbox, broken: false })
    }
}

/// In a frame's number, the bits below this are the request, those above the attempt.
const NUMBERS: u64 = 1 << 40;

/// The most replies read at a time.
const AT_A_TIME: usize = 256;

/// When the next request that is no retry starts.
enum Starts<'a> {
    Open(std::slice::Iter<'a, u64>),
    Closed {
        /// When thinking clients ask next. All think for the same time, so the first is the
        /// soonest.
        ready: VecDeque<Duration>,
        think: Duration,
        until: Duration,
    },
}

impl<'a> Starts<'a> {
    fn of(schedule: &'a Schedule) -> Self {
        match schedule {
            Schedule::Open(starts) => Self::Open(starts.iter()),
            Schedule::Closed { clients, until, think, .. } => Self::Closed {
                ready: (0..*clients).map(|_| Duration::ZERO).collect(),
                think: *think,
                until: *until,
            },
        }
    }

    fn next(&self) -> Option<Duration> {
        match self {
            Self::Open(left) => left.as_slice().first().map(|ns| Duration::from_nanos(*ns)),
            Self::Closed { ready, until, .. } => ready.front().copied().filter(|at| at < until),
        }
    }

    fn take(&mut self) {
        match self {
            Self::Open(left) => drop(left.next()),
            Self::Closed { ready, .. } => drop(ready.pop_front()),
        }
    }

    /// A request has ended: the user who waited for it thinks.
    fn ended(&mut self, now: Duration) {
        if let Self::Closed { ready, think, .. } = self {
            ready.push_back(now + *think);
        }
    }
}

struct Peer {
    stream: TcpStream,
    inbox: Inbox,
    outbox: Vec<u8>,
    broken: bool,
}

/// An attempt and the time at which it is due.
#[derive(Clone, Copy)]
struct Attempt {
    at: Duration,
    number: usize,
    /// Which attempt of the request: 1 is the first.
    attempt: u32,
}

struct Asking<'a, W> {
    client: Client,
    work: W,
    clock: Clock,
    ledger: &'a Ledger,
    peers: Vec<Peer>,
    polled: Vec<libc::pollfd>,
    starts: Starts<'a>,
    /// Requests that have started, or were dropped.
    started: usize,
    /// The last attempt of each request, on its way or to come; as many as have started are in use.
    attempts: Vec<u32>,
    retriers: Vec<Retrier>,
    /// Retries to come; the first is the soonest.
    again: VecDeque<Attempt>,
    /// Attempts that may time out; the first is the soonest.
    timeouts: VecDeque<Attempt>,
    sent: u64,
}

impl<W: Fn(usize) -> Duration> Asking<'_, W> {
    fn run(&mut self, until: Duration, waking: Waking) {
        loop {
            let now = self.clock.now();
            self.expire(now);
            self.start();
            self.flush();
            let now = self.clock.now();
            let next = self.next_event();
            if now >= until || (next.is_none() && self.ledger.in_flight() == 0) {
                break;
            }
            self.wait_and_read(waking.sleep(now, next.unwrap_or(until).min(until)));
        }
        for peer in &self.peers {
            // The server sees the end of the stream, or has closed it already.
            let _ = peer.stream.shutdown(Shutdown::Both);
        }
    }

    /// When there is something to do without an answer.
    fn next_event(&mut self) -> Option<Duration> {
        // Attempts answered meanwhile do not time out.
        while self.timeouts.front().is_some_and(|attempt| self.is_settled(*attempt)) {
            self.timeouts.pop_front();
        }
        let others = [self.again.front(), self.timeouts.front()];
        let others = others.into_iter().flatten().map(|attempt| attempt.at);
        others.chain(self.next_start()).min()
    }

    fn is_settled(&self, attempt: Attempt) -> bool {
        self.ledger.has_ended(attempt.number) || self.attempts[attempt.number] != attempt.attempt
    }

    /// When the next request starts, while the ledger has room for it.
    fn next_start(&self) -> Option<Duration> {
        let at = self.starts.next().filter(|_| self.started < self.attempts.len())?;
        let tick_ns = self.client.tick.as_nanos().max(1) as u64;
        Some(Duration::from_nanos((at.as_nanos() as u64).next_multiple_of(tick_ns)))
    }

    /// Starts all that is due, retries and requests.
    fn start(&mut self) {
        while let Some(attempt) = self.again.front().copied()
            && attempt.at <= self.clock.now()
        {
            self.again.pop_front();
            if !self.is_settled(attempt) {
                self.send(attempt.number);
            }
        }
        while let Some(at) = self.next_start()
            && at <= self.clock.now()
        {
            self.starts.take();
            let number = self.started;
            self.started += 1;
            if self.ledger.in_flight() >= self.client.at_most_in_flight {
                self.ledger.dropped(number);
                self.starts.ended(at);
            } else {
                self.send(number);
            }
        }
    }

    fn send(&mut self, number: usize) {
        let connection = number % self.peers.len();
        let peer = &mut self.peers[connection];
        let now = self.clock.now();
        let attempt = self.attempts[number].max(1);
        self.attempts[number] = attempt;
        self.sent += 1;
        if attempt == 1 {
            self.ledger.sent(number, now);
        } else {
            self.ledger.sent_again(number, now);
        }
        if peer.broken || peer.outbox.len() + FRAME > peer.outbox.capacity() {
            return self.abandon(number, now);
        }
        let id = number as u64 + NUMBERS * u64::from(attempt);
        peer.outbox.extend(frame::request(id, (self.work)(number)));
        let at = now + self.client.timeout;
        self.timeouts.push_back(Attempt { at, number, attempt });
    }

    /// Attempts that have taken too long are made again, or given up.
    fn expire(&mut self, now: Duration) {
        while let Some(attempt) = self.timeouts.front().copied()
            && attempt.at <= now
        {
            self.timeouts.pop_front();
            if !self.is_settled(attempt) && !self.retry(attempt.number, now) {
                self.ledger.timed_out(attempt.number, now);
                self.starts.ended(now);
            }
        }
    }

    /// Whether the request will be sent again.
    fn retry(&mut self, number: usize, now: Duration) -> bool {
        let connection = number % self.peers.len();
        let attempt = self.attempts[number];
        let Some(pause) = self.retriers[connection].failed(number, attempt, now) else {
            return false;
        };
        self.attempts[number] = attempt + 1;
        let next = Attempt { at: now + pause, number, attempt: attempt + 1 };
        self.again.insert(self.again.partition_point(|other| other.at <= next.at), next);
        true
    }

    fn abandon(&mut self, number: usize, now: Duration) {
        self.ledger.abandoned(number, now);
        self.starts.ended(now);
    }

    /// Writes as much as the kernel takes.
    fn flush(&mut self) {
        for connection in 0..self.peers.len() {
            let Peer { stream, outbox, broken, .. } = &mut self.peers[connection];
            if outbox.is_empty() || *broken {
                continue;
            }
            match (&*stream).write(outbox) {
                Ok(written) => drop(outbox.drain(..written)),
                Err(error) if is_no_error(&error) => {}
                Err(_) => self.break_off(connection),
            }
        }
    }

    /// Sleeps until a reply comes or the time is over, and reads the replies.
    fn wait_and_read(&mut self, sleep: Duration) {
        for (fd, peer) in self.polled.iter_mut().zip(&self.peers) {
            let out = if peer.outbox.is_empty() { 0 } else { libc::POLLOUT };
            fd.fd = if peer.broken { -1 } else { peer.stream.as_raw_fd() };
            (fd.events, fd.revents) = (libc::POLLIN | out, 0);
        }
        let sleep = libc::timespec {
            tv_sec: sleep.as_secs() as libc::time_t,
            tv_nsec: sleep.subsec_nanos().into(),
        };
        let (fds, count) = (self.polled.as_mut_ptr(), self.polled.len() as libc::nfds_t);
        // SAFETY: the kernel writes `revents` of `count` entries, which are ours; the descriptors
        // live as long as their streams. No mask is changed.
        unsafe { libc::ppoll(fds, count, &raw const sleep, std::ptr::null()) };
        for connection in 0..self.polled.len() {
            if self.polled[connection].revents & !libc::POLLOUT != 0 {
                self.read(connection);
            }
        }
    }

    fn read(&mut self, connection: usize) {
        let mut inbox = std::mem::take(&mut self.peers[connection].inbox);
        let read = loop {
            let stream = &self.peers[connection].stream;
            let mut replies = [(0, Answer::Wrong); AT_A_TIME];
            let mut count = 0;
            let read = inbox.read(stream, |frame| {
                replies[count] = frame::read(frame);
                count += 1;
            });
            let now = self.clock.now();
            replies[..count].iter().for_each(|(id, says)| self.take(*id, *says, now));
            if count < AT_A_TIME {
                break read;
            }
        };
        self.peers[connection].inbox = inbox;
        match read {
            Ok(1..) => {}
            Err(error) if is_no_error(&error) => {}
            Ok(0) | Err(_) => self.break_off(connection),
        }
    }

    fn take(&mut self, id: u64, says: Answer, now: Duration) {
        let (number, attempt) = ((id & (NUMBERS - 1)) as usize, (id / NUMBERS) as u32);
        let ours = self.attempts.get(number).is_some_and(|sent| (1..=*sent).contains(&attempt));
        if !ours {
            return;
        }
        if self.ledger.has_ended(number) {
            if says != Answer::Refused {
                self.ledger.answered_unwanted(now);
            }
            return;
        }
        match says {
            Answer::Correct => {
                self.retriers[number % self.peers.len()].succeeded();
                self.ledger.completed(number, now);
            }
            Answer::Wrong => self.ledger.failed(number, now),
            // A later attempt is on its way.
            Answer::Refused if attempt < self.attempts[number] => return,
            Answer::Refused if self.retry(number, now) => return,
            Answer::Refused => self.ledger.refused(number, now),
        }
        self.starts.ended(now);
    }

    /// The connection is closed: no request sent on it can be answered.
    fn break_off(&mut self, connection: usize) {
        let now = self.clock.now();
        self.peers[connection].broken = true;
        for number in (connection..self.started).step_by(self.peers.len()) {
            if self.attempts[number] > 0 && !self.ledger.has_ended(number) {
                self.abandon(number, now);
            }
        }
    }
}

fn is_no_error(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
