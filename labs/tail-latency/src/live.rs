//! A trial in real time: client, root and leaves on threads of their own, TCP between them.

use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{JoinHandle, spawn};

use anyhow::{Context as _, Result, ensure};
use lab_kit::{Clock, Ledger, Schedule, allow_open_files, pace};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::{LocalSet, spawn_local};

use crate::actor::{RootChannels, run_root};
use crate::leaf::Leaf;
use crate::message::Request;
use crate::root::{Root, Tally};
use crate::server::{connect_leaf, serve_clients, serve_leaf};
use crate::setup::{Found, Setup};
use crate::shard::{Data, KEYS, Shard};
use crate::wire::{Frame, MAX_FRAME};

/// Requests in flight beyond this are dropped and counted: a bound, not a policy.
const MAX_IN_FLIGHT: u64 = 10_000;
/// For each shard: both ends of a connection to each of two replicas, their listeners, and both
/// ends of the two connections between the twins.
const FILES_PER_SHARD: u64 = 2 * 5;
const OTHER_FILES: u64 = 100;

/// Runs the trial to its end.
///
/// # Errors
/// Ports, files or threads are missing, or a server fails.
pub(crate) fn run(setup: &Setup) -> Result<Found> {
    allow_open_files(u64::from(setup.leaves) * FILES_PER_SHARD + OTHER_FILES)?;
    let leaves = Leaves::start(setup, Clock::live())?;
    let root = ReadyRoot::start(setup, &leaves.addresses)?;
    let client = TcpStream::connect(&root.address).context("connect to the root")?;
    // The trial begins once everything is set up: no figure includes the set-up.
    let clock = Clock::live();
    let root = root.begin(clock)?;
    let ledger = ask(setup, client, clock)?;
    let tally = root.stop()?;
    leaves.stop()?;
    Ok(Found { clock: Some(clock), ledger, tally })
}

/// The client: one thread keeps the schedule, another takes the replies.
fn ask(setup: &Setup, mut stream: TcpStream, clock: Clock) -> Result<Arc<Ledger>> {
    stream.set_nodelay(true)?;
    let schedule = setup.schedule();
    let ledger = Ledger::new(&schedule, setup.timeline);
    let replies = spawn({
        let (stream, ledger) = (stream.try_clone()?, ledger.clone());
        move || take_replies(stream, &ledger, clock)
    });
    let mut frame = Vec::with_capacity(MAX_FRAME);
    let mut broken = None;
    let Schedule::Open(starts) = &schedule else { unreachable!("this lab keeps a schedule") };
    pace(starts, clock, |number, _| {
        if ledger.in_flight() >= MAX_IN_FLIGHT {
            ledger.dropped(number);
            return;
        }
        let key = (number % usize::from(KEYS)) as u16;
        frame.clear();
        Frame::Request(Request { id: number as u64, key }).encode(&mut frame);
        ledger.sent(number, clock.now());
        if let Err(error) = stream.write_all(&frame) {
            ledger.abandoned(number, clock.now());
            broken.get_or_insert(error);
        }
    });
    ledger.drain(clock, setup.deadline());
    let _ = stream.shutdown(std::net::Shutdown::Both);
    replies.join().expect("the reader does not panic");
    broken.map_or(Ok(ledger), |error| Err(error).context("the root closed the connection"))
}

fn take_replies(stream: TcpStream, ledger: &Ledger, clock: Clock) {
    let mut reader = BufReader::new(stream);
    let (mut length, mut body) = ([0; 2], [0; MAX_FRAME]);
    while reader.read_exact(&mut length).is_ok() {
        let body = &mut body[..usize::from(u16::from_le_bytes(length)).min(MAX_FRAME)];
        if reader.read_exact(body).is_err() {
            return;
        }
        match Frame::decode(body) {
            Some(Frame::Reply(reply)) if reply.right => {
                ledger.completed(reply.id as usize, clock.now());
            }
            Some(Frame::Reply(reply)) => ledger.failed(reply.id as usize, clock.now()),
            _ => return,
        }
    }
}

/// All leaves of the trial, on one thread, unless they run elsewhere.
struct Leaves {
    addresses: Vec<String>,
    running: Option<(oneshot::Sender<()>, JoinHandle<Result<()>>)>,
}

impl Leaves {
    fn start(setup: &Setup, clock: Clock) -> Result<Self> {
        if !setup.addresses.is_empty() {
            let (given, needed) = (setup.addresses.len(), 2 * setup.leaves as usize);
            ensure!(given == needed, "{given} leaf addresses are set and {needed} are needed");
            return Ok(Self { addresses: setup.addresses.clone(), running: None });
        }
        let (setup, (ready, is_ready)) = (setup.clone(), mpsc::channel());
        let (stop, stopped) = oneshot::channel();
        let thread = spawn(move || {
            on_this_thread(async move {
                let listeners = listen(setup.leaves).await?;
                let addresses: Vec<String> = addresses(&listeners)?;
                let config = Arc::new(setup.leaf());
                for (index, listener) in listeners.into_iter().enumerate() {
                    let (shard, replica) = ((index / 2) as u32, (index % 2) as u8);
                    let data = Data::Records(Arc::new(Shard::new(shard)));
                    let leaf = Leaf::new(config.clone(), shard, replica, data);
                    let twin = addresses[index ^ 1].clone();
                    spawn_local(serve_leaf(leaf, listener, Some(twin), clock));
                }
                ready.send(addresses)?;
                drop(stopped.await);
                Ok(())
            })
        });
        match is_ready.recv() {
            Ok(addresses) => Ok(Self { addresses, running: Some((stop, thread)) }),
            Err(_) => Err(error_of(thread)),
        }
    }

    fn stop(self) -> Result<()> {
        let Some((stop, thread)) = self.running else { return Ok(()) };
        drop(stop);
        thread.join().expect("the leaves do not panic")
    }
}

/// Two listeners for each shard, on ports that the kernel chooses.
async fn listen(shards: u32) -> Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for _ in 0..2 * shards {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        listeners.push(listener.context("listen on loopback")?);
    }
    Ok(listeners)
}

fn addresses(listeners: &[TcpListener]) -> Result<Vec<String>> {
    listeners.iter().map(|listener| Ok(listener.local_addr()?.to_string())).collect()
}

/// The root on a thread of its own, ready and waiting for the trial's clock.
struct ReadyRoot {
    address: String,
    begin: oneshot::Sender<Clock>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<Tally>>,
}

impl ReadyRoot {
    fn start(setup: &Setup, leaves: &[String]) -> Result<Self> {
        let (setup, addresses) = (setup.clone(), leaves.to_vec());
        let (ready, is_ready) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let (begin, begun) = oneshot::channel();
        let thread = spawn(move || {
            on_this_thread(async move {
                let right = Arc::new(setup.right_answers());
                let (answer_to, answers) = unbounded_channel();
                let mut leaves = Vec::new();
                for pair in addresses.chunks_exact(2) {
                    let first = connect_leaf(&pair[0], answer_to.clone()).await?;
                    leaves.push([first, connect_leaf(&pair[1], answer_to.clone()).await?]);
                }
                let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
                ready.send(listener.local_addr()?.to_string())?;
                let (requests_to, requests) = unbounded_channel();
                spawn_local(serve_clients(listener, requests_to));
                let clock = begun.await?;
                let root = Root::new(setup.seed, setup.policy, right, setup.timeline);
                let to_leaf = Box::new(move |shard: u32, replica: u8, message| {
                    let leaf: &UnboundedSender<_> = &leaves[shard as usize][usize::from(replica)];
                    leaf.send(message).is_ok()
                });
                let channels =
                    RootChannels { requests, answers, answer_to, to_leaf, stop: stopped };
                Ok(run_root(root, channels, clock).await)
            })
        });
        match is_ready.recv() {
            Ok(address) => Ok(Self { address, begin, stop, thread }),
            Err(_) => Err(error_of(thread)),
        }
    }

    fn begin(self, clock: Clock) -> Result<RunningRoot> {
        self.begin.send(clock).ok().context("the root ended early")?;
        Ok(RunningRoot { stop: self.stop, thread: self.thread })
    }
}

struct RunningRoot {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<Tally>>,
}

impl RunningRoot {
    fn stop(self) -> Result<Tally> {
        drop(self.stop);
        self.thread.join().expect("the root does not panic")
    }
}

/// The error of a thread that ended before it was ready.
fn error_of<T>(thread: JoinHandle<Result<T>>) -> anyhow::Error {
    let ended = thread.join().expect("set-up does not panic");
    ended.err().unwrap_or_else(|| anyhow::anyhow!("a server ended before it was ready"))
}

fn on_this_thread<T>(body: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // On the heap: tokio would copy the body from frame to frame, and a profiler that copies the
    // top of the stack would not reach the thread's first frame.
    LocalSet::new().block_on(&runtime, Box::pin(body))
}
