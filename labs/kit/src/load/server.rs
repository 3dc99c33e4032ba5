//! A TCP server on loopback whose policies are data.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use super::frame::{self, FRAME, Frame, Inbox};
use super::queue::{Admission, Discipline, Queue};
use super::requests::Attempt;
use crate::clock::{Clock, timespec};
use crate::pace::{tighten_timer, wait_until};
use crate::request::Serving;
use crate::thread::cpu_time;

/// How a server works.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    /// The threads that serve.
    pub threads: Threads,
    /// Which waiting request is served next.
    pub discipline: Discipline,
    /// Which requests are served at all.
    pub admission: Admission,
    /// What a request's work consists of.
    pub work: Work,
    /// When it pauses.
    pub pause: Pause,
}

/// The threads that serve the requests of a [`Server`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// A thread for each connection: its requests wait in the kernel's buffers, where discipline
    /// and admission do not apply.
    PerConnection,
    /// A thread for each request: all are served at once, each more slowly the more there are, and
    /// discipline and admission do not apply. A request that would need more than 4,096 threads is
    /// refused.
    PerRequest,
    /// This many threads that serve all connections, and one that reads.
    Pool(usize),
    /// One thread for everything. Work on the CPU delays all other requests; waits run
    /// concurrently.
    EventLoop,
}

/// The most requests that [`Threads::PerRequest`] serves at once.
pub(super) const MOST_THREADS: usize = 4_096;

/// The stack of a thread that serves one request, in bytes, with some to spare.
const SMALL_STACK: usize = 64 << 10;

/// What a request's work consists of; its frame says how much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Time on a CPU, by the clock of the thread: time that other threads take does not count.
    Cpu,
    /// A wait, as for a disk or another server. It ends with a timer, some 0.1 ms late.
    Wait,
    /// A wait that ends on time: it spins for the last 0.1 ms. For servers that are nearly always
    /// busy, where 1 % more work makes responses 10 % longer.
    ExactWait,
}

/// A span of time in which a server reads nothing and answers nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pause {
    /// When it begins, on the trial's clock.
    pub from: Duration,
    /// How long it lasts; zero for none.
    pub length: Duration,
}

/// What a server did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Served {
    /// Requests that were answered.
    pub answered: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// The most requests that ever waited in its queue; 0 if it has no queue of its own.
    pub longest_queue: usize,
}

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Pause {
    /// When it ends.
    pub fn until(&self) -> Duration {
        self.from + self.length
    }

    /// Whether the server is paused at this time.
    pub fn holds(&self, at: Duration) -> bool {
        (self.from..self.until()).contains(&at)
    }

    /// The first moment at or after `at` that is outside the pause.
    pub fn past(&self, at: Duration) -> Duration {
        if self.holds(at) { self.until() } else { at }
    }

    fn sit_out(&self, clock: Clock) {
        let now = clock.now();
        std::thread::sleep(self.past(now).saturating_sub(now));
    }
}

impl Server {
    /// Serves on loopback, at a free port, by the trial's clock.
    ///
    /// # Errors
    /// There is no free port, a thread cannot start, or the policies contradict each other.
    pub fn start(self, clock: Clock) -> anyhow::Result<Running> {
        self.begin(clock, None)
    }

    /// As [`Server::start`], with a program of the lab's own: `program` gets the number of a
    /// request and its work, and returns whether it has an answer. If not, the client gets a wrong
    /// one, and its ledger counts the request as failed.
    ///
    /// # Errors
    /// As [`Server::start`]; also if the work is not [`Work::Cpu`].
    pub fn start_with(
        self,
        clock: Clock,
        program: impl Fn(usize, Duration) -> bool + Send + Sync + 'static,
    ) -> anyhow::Result<Running> {
        ensure!(self.work == Work::Cpu, "a program works on the CPU, and does not {:?}", self.work);
        self.begin(clock, Some(Program(Box::new(program))))
    }

    fn begin(self, clock: Clock, program: Option<Program>) -> anyhow::Result<Running> {
        let no_queue = matches!(self.threads, Threads::PerConnection | Threads::PerRequest);
        ensure!(
            !no_queue || (self.discipline, self.admission) == (Discipline::Fifo, Admission::All),
            "{:?} has no queue: {:?} and {:?} need a pool or an event loop",
            self.threads,
            self.discipline,
            self.admission
        );
        ensure!(self.threads != Threads::Pool(0), "a pool of 0 threads serves no request");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen on loopback")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(self, clock, program).context("make an event")?);
        // From here on, an early return stops the threads that have started.
        let mut running = Running { address, shared: shared.clone(), threads: Vec::new() };
        if let Threads::Pool(workers) = self.threads {
            for _ in 0..workers {
                running.spawn("server-worker", Shared::work_off)?;
            }
        }
        running.spawn("server", move |shared| Network::new(shared, listener).run())?;
        Ok(running)
    }
}

impl Running {
    /// The address at which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it, even while connections still wait.
    pub fn stop(mut self) -> Served {
        self.end();
        let state = self.shared.lock();
        Served { longest_queue: state.queue.longest(), ..state.served }
    }

    fn spawn(
        &mut self,
        name: &str,
        body: impl FnOnce(&Arc<Shared>) + Send + 'static,
    ) -> anyhow::Result<()> {
        let shared = self.shared.clone();
        let thread = Builder::new().name(name.into()).spawn(move || body(&shared));
        self.threads.push(thread.context("start a thread of the server")?);
        Ok(())
    }

    fn end(&mut self) {
        let state = self.shared.lock();
        self.shared.stopped.store(true, Relaxed);
        drop(state);
        self.shared.joined.notify_all();
        // This cannot fail: an eventfd counts up to 2^64 − 2.
        let _ = rustix::io::write(&self.shared.wake, &1_u64.to_ne_bytes());
        for thread in self.threads.drain(..) {
            thread.join().expect("a server's thread does not panic");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// A request on its way through the server, and where its reply goes.
#[derive(Debug, Clone)]
struct Job {
    frame: Frame,
    to: Arc<TcpStream>,
    came: Duration,
}

/// What the threads of a server share.
#[derive(Debug)]
struct Shared {
    server: Server,
    clock: Clock,
    /// What does the work of requests, if not the server itself.
    program: Option<Program>,
    state: Mutex<State>,
    /// A request joined the queue, or the server ends.
    joined: Condvar,
    /// Ends the thread that reads.
    wake: OwnedFd,
    /// The server ends. Set under the lock, so that no thread starts to wait without having seen
    /// it.
    stopped: AtomicBool,
}

/// Does the work of a request, and returns whether it has an answer.
struct Program(Box<dyn Fn(usize, Duration) -> bool + Send + Sync>);

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Program")
    }
}

#[derive(Debug)]
struct State {
    queue: Queue<Job>,
    served: Served,
    /// Requests that have a thread of their own.
    own_threads: usize,
}

impl Shared {
    fn new(server: Server, clock: Clock, program: Option<Program>) -> std::io::Result<Self> {
        let queue = Queue::new(server.discipline, server.admission);
        let state = Mutex::new(State { queue, served: Served::default(), own_threads: 0 });
        let (joined, stopped) = (Condvar::new(), AtomicBool::new(false));
        let wake = eventfd(0, EventfdFlags::CLOEXEC)?;
        Ok(Self { server, clock, program, state, joined, wake, stopped })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    /// A request that came just now.
    fn job(&self, frame: &Frame, to: &Arc<TcpStream>) -> Job {
        Job { frame: *frame, to: to.clone(), came: self.clock.now() }
    }

    /// Serves a request on a thread of its own.
    fn serve_on_own_thread(self: &Arc<Self>, job: Job) {
        let mut state = self.lock();
        let starts = state.own_threads < MOST_THREADS;
        state.own_threads += usize::from(starts);
        drop(state);
        let (shared, own) = (self.clone(), job.clone());
        let body = move || {
            shared.serve(Ok(own));
            shared.own_thread_ended();
        };
        let thread = Builder::new().name("server-request".into()).stack_size(SMALL_STACK);
        if !starts {
            self.serve(Err(job));
        } else if thread.spawn(body).is_err() {
            self.own_thread_ended();
            self.serve(Err(job));
        }
    }

    fn own_thread_ended(&self) {
        let mut state = self.lock();
        state.own_threads -= 1;
        if state.own_threads == 0 {
            self.joined.notify_all();
        }
    }

    /// The body of a pool's worker thread.
    fn work_off(self: &Arc<Self>) {
        tighten_timer();
        let mut state = self.lock();
        while !self.is_over() {
            match state.queue.next(self.clock.now()) {
                Some(next) => {
                    drop(state);
                    self.serve(next);
                    state = self.lock();
                }
                None => state = self.joined.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Serves a request, or refuses it.
    fn serve(&self, next: Result<Job, Job>) {
        self.server.pause.sit_out(self.clock);
        match next {
            Ok(mut job) => {
                let _serving = Serving::begin();
                let answers = self.perform(&job.frame);
                self.server.pause.sit_out(self.clock);
                if answers {
                    frame::answer(&mut job.frame)
                } else {
                    frame::fail(&mut job.frame)
                }
                self.reply(&job.to, &job.frame, [1, 0]);
                self.lock().queue.served(self.clock.now().saturating_sub(job.came));
            }
            Err(mut job) => {
                frame::refuse(&mut job.frame);
                self.reply(&job.to, &job.frame, [0, 1]);
            }
        }
    }

    /// Does a request's work, and returns whether there is an answer. CPU work of the server itself
    /// is cut short when it ends.
    fn perform(&self, request: &Frame) -> bool {
        let amount = frame::work_of(request);
        if let Some(Program(program)) = &self.program {
            let Attempt { number, .. } = Attempt::of_id(frame::number_of(request));
            return program(number, amount);
        }
        match self.server.work {
            Work::Wait => std::thread::sleep(amount),
            Work::ExactWait => wait_until(self.clock, self.clock.now() + amount),
            Work::Cpu => {
                let until = cpu_time() + amount;
                while cpu_time() < until && !self.is_over() {}
            }
        }
        true
    }

    /// Sends replies, of which `answered` are answers and `refused` refusals. A closed connection
    /// is ignored.
    fn reply(&self, mut to: &TcpStream, frames: &[u8], [answered, refused]: [u64; 2]) {
        let _ = to.write_all(frames);
        let mut state = self.lock();
        state.served.answered += answered;
        state.served.refused += refused;
    }
}

/// The thread that accepts and reads; an event loop's serves as well.
struct Network<'a> {
    shared: &'a Arc<Shared>,
    listener: TcpListener,
    peers: Vec<Peer>,
    /// The waits of an event loop, the soonest to end first.
    due: BinaryHeap<Reverse<Due>>,
    begun: u64,
    conversations: Vec<(Arc<TcpStream>, JoinHandle<()>)>,
}

struct Peer {
    stream: Arc<TcpStream>,
    inbox: Inbox,
    gone: bool,
}

/// A wait that ends at a known time.
struct Due {
    at: Duration,
    order: u64,
    job: Job,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// Frames read at a time.
const AT_A_TIME: usize = 256;

impl<'a> Network<'a> {
    fn new(shared: &'a Arc<Shared>, listener: TcpListener) -> Self {
        let (peers, due, conversations) = (Vec::new(), BinaryHeap::new(), Vec::new());
        Self { shared, listener, peers, due, begun: 0, conversations }
    }

    fn run(mut self) {
        tighten_timer();
        while let Some((accepts, readable)) = self.wait() {
            self.shared.server.pause.sit_out(self.shared.clock);
            if accepts {
                self.accept();
            }
            for peer in readable {
                self.read(peer);
            }
            self.peers.retain(|peer| !peer.gone);
            self.serve();
        }
        let mut state = self.shared.lock();
        while state.own_threads > 0 {
            state = self.shared.joined.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        for (stream, thread) in self.conversations {
            // Ends the thread's read; fails only if the connection is closed already.
            let _ = stream.shutdown(std::net::Shutdown::Both);
            thread.join().expect("a conversation does not panic");
        }
    }

    /// Waits for something to do. Returns whether a client connects and which peers have sent data;
    /// `None` when the server ends.
    fn wait(&self) -> Option<(bool, Vec<usize>)> {
        let mut fds = Vec::with_capacity(2 + self.peers.len());
        fds.push(PollFd::new(&self.shared.wake, PollFlags::IN));
        fds.push(PollFd::new(&self.listener, PollFlags::IN));
        fds.extend(self.peers.iter().map(|peer| PollFd::new(&*peer.stream, PollFlags::IN)));
        let timeout = self.until_next().map(timespec);
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Some((false, Vec::new())),
            Err(_) => return None,
        }
        if !fds[0].revents().is_empty() {
            return None;
        }
        let ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
        let readable = fds[2..].iter().enumerate().filter(|(_, fd)| ready(fd)).map(|(i, _)| i);
        Some((ready(&fds[1]), readable.collect()))
    }

    /// How long an event loop may wait for its connections.
    fn until_next(&self) -> Option<Duration> {
        if self.shared.server.threads != Threads::EventLoop {
            return None;
        }
        if !self.shared.lock().queue.is_empty() {
            return Some(Duration::ZERO);
        }
        let Reverse(due) = self.due.peek()?;
        Some(due.at.saturating_sub(self.shared.clock.now()))
    }

    fn accept(&mut self) {
        // A client that left before it was accepted does not affect the others.
        let Ok((stream, _)) = self.listener.accept() else { return };
        let _ = stream.set_nodelay(true);
        let stream = Arc::new(stream);
        if self.shared.server.threads != Threads::PerConnection {
            let inbox = Inbox::new(AT_A_TIME);
            self.peers.push(Peer { stream, inbox, gone: false });
            return;
        }
        let (shared, own) = (self.shared.clone(), stream.clone());
        let thread = Builder::new().name("server-conn".into());
        if let Ok(thread) = thread.spawn(move || converse(&shared, &own)) {
            self.conversations.push((stream, thread));
        }
    }

    fn read(&mut self, peer: usize) {
        let Peer { stream, inbox, gone } = &mut self.peers[peer];
        if self.shared.server.threads == Threads::PerRequest {
            let start =
                |frame: &mut Frame| self.shared.serve_on_own_thread(self.shared.job(frame, stream));
            *gone = !matches!(inbox.read(&**stream, start), Ok(1..));
            return;
        }
        let now = self.shared.clock.now();
        let mut state = self.shared.lock();
        let mut refused = Vec::new();
        let read = inbox.read(&**stream, |frame| {
            refused.extend(state.queue.join(now, self.shared.job(frame, stream)).err());
        });
        drop(state);
        *gone = !matches!(read, Ok(1..));
        self.shared.joined.notify_all();
        refused.into_iter().for_each(|job| self.shared.serve(Err(job)));
    }

    /// What an event loop does between two polls: one request's CPU work, or the start and end of
    /// all waits that are due.
    fn serve(&mut self) {
        let server = self.shared.server;
        if server.threads != Threads::EventLoop {
            return;
        }
        let next = || {
            let now = self.shared.clock.now();
            self.shared.lock().queue.next(now)
        };
        match server.work {
            Work::Cpu => {
                if let Some(next) = next() {
                    self.shared.serve(next);
                }
            }
            Work::Wait | Work::ExactWait => {
                while let Some(next) = next() {
                    let Ok(job) = next else {
                        self.shared.serve(next);
                        continue;
                    };
                    let at = self.shared.clock.now() + frame::work_of(&job.frame);
                    self.begun += 1;
                    self.due.push(Reverse(Due { at, order: self.begun, job }));
                }
                self.answer_what_is_due();
            }
        }
    }

    /// Answers all waits that have ended. Consecutive replies to one client leave in one write.
    fn answer_what_is_due(&mut self) {
        let now = self.shared.clock.now();
        let mut together: Vec<u8> = Vec::new();
        let mut to: Option<Arc<TcpStream>> = None;
        let _serving = Serving::begin();
        while let Some(Reverse(due)) = self.due.peek()
            && due.at <= now
        {
            let Some(Reverse(Due { mut job, .. })) = self.due.pop() else { break };
            if to.as_ref().is_some_and(|to| !Arc::ptr_eq(to, &job.to)) {
                self.send(to.take(), &mut together);
            }
            frame::answer(&mut job.frame);
            together.extend(job.frame);
            to = Some(job.to);
        }
        self.send(to, &mut together);
    }

    fn send(&self, to: Option<Arc<TcpStream>>, together: &mut Vec<u8>) {
        if let Some(to) = to {
            self.shared.reply(&to, together, [(together.len() / FRAME) as u64, 0]);
            together.clear();
        }
    }
}

/// The body of a connection's own thread, until its client closes.
fn converse(shared: &Shared, stream: &Arc<TcpStream>) {
    tighten_timer();
    let mut inbox = Inbox::new(AT_A_TIME);
    let one_by_one = |frame: &mut Frame| {
        if !shared.is_over() {
            shared.serve(Ok(shared.job(frame, stream)));
        }
    };
    while let Ok(1..) = inbox.read(&**stream, one_by_one) {}
}
