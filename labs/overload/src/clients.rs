//! Many clients in a closed loop, simulated, and a server that serves one connection per process: a
//! client with a connection is fast, one without waits as TCP does.
//!
//! A client connects, asks a few times with a pause between, and starts over. Connections beyond
//! the server's processes wait in a backlog; one that finds it full is dropped, and the client's
//! kernel tries again after 3 s, 6 s, 12 s … A server of stages accepts every connection, and all
//! requests wait in one queue.

use std::collections::VecDeque;
use std::time::Duration;

use lab_kit::sim::{Agenda, Discipline, Nanos, Station};
use lab_kit::{Ctx, seed};

/// The time before a lost connection request is first sent again; it doubles each time.
pub(crate) const FIRST_RETRANSMISSION: Duration = Duration::from_secs(3);
/// The number of retransmissions.
pub(crate) const RETRANSMISSIONS: u32 = 5;
/// Requests on one connection.
const ON_A_CONNECTION: u32 = 5;
/// How long after the span its requests are still watched.
const WATCHED_BEYOND: Duration = Duration::from_secs(200);
/// The pause before each request.
const THINK: Duration = Duration::from_millis(20);

enum Event {
    /// A client's connection request arrives, and how often it was sent before.
    Connect(usize, u32),
    /// A client with a connection asks.
    Ask(usize),
    /// The server has answered a client.
    Answer(usize, u32),
}

/// The state of one client.
#[derive(Clone, Copy, Default)]
struct Client {
    /// When it wanted the request that it has no answer to yet.
    wanted: Nanos,
    left: u32,
    answered: u64,
}

/// The connections in use, and the clients that wait for one.
struct Door {
    free: usize,
    backlog: usize,
    waiting: VecDeque<usize>,
}

impl Door {
    /// Whether the client is connected (`Some(true)`), waits (`Some(false)`), or was dropped
    /// (`None`).
    fn knock(&mut self, client: usize) -> Option<bool> {
        if self.free > 0 {
            self.free -= 1;
            return Some(true);
        }
        let room = self.waiting.len() < self.backlog;
        room.then(|| self.waiting.push_back(client)).map(|()| false)
    }
}

/// Runs the simulation, and records how long requests waited and how evenly answers are spread over
/// clients.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let timeline = ctx.timeline();
    let count = ctx.int("clients") as usize;
    let service = (ctx.duration("work").as_nanos() as u64).max(1);
    let mut clients = vec![Client { left: ON_A_CONNECTION, ..Client::default() }; count];
    let (free, backlog) = (ctx.int("processes") as usize, ctx.int("backlog") as usize);
    let mut door = Door { free, backlog, waiting: VecDeque::new() };
    let mut cpu = Station::new(1, Discipline::Fifo)?;
    let span = timeline.span().as_nanos() as u64;
    let horizon = span + WATCHED_BEYOND.as_nanos() as u64;
    let mut agenda = Agenda::until(horizon);
    // Spreads the first requests over a second, so that they do not all come at once.
    for (number, client) in clients.iter_mut().enumerate() {
        client.wanted = (seed::uniform(ctx.seed(), &[number as u64]) * 1e9) as Nanos;
        agenda.at(client.wanted, Event::Connect(number, 0));
    }
    let mut response = ctx.series();
    while let Some(event) = agenda.step()? {
        let now = agenda.now();
        match event {
            Event::Connect(client, sent) => match door.knock(client) {
                Some(true) => agenda.at(now, Event::Ask(client)),
                Some(false) => {}
                None => {
                    let again = FIRST_RETRANSMISSION * 2_u32.pow(sent.min(RETRANSMISSIONS - 1));
                    agenda.after(again.as_nanos() as u64, Event::Connect(client, sent + 1));
                }
            },
            Event::Ask(client) => {
                cpu.arrive(now, client).unwrap_or_else(|_| unreachable!("it has no bound"));
            }
            Event::Answer(number, server) => {
                cpu.end(now, server);
                let client = &mut clients[number];
                if client.wanted < span {
                    response.record_ns(client.wanted, now - client.wanted);
                }
                client.answered += u64::from(now < span);
                client.left -= 1;
                client.wanted = now + THINK.as_nanos() as u64;
                if client.left > 0 {
                    agenda.at(client.wanted, Event::Ask(number));
                } else {
                    client.left = ON_A_CONNECTION;
                    agenda.at(client.wanted, Event::Connect(number, 0));
                    match door.waiting.pop_front() {
                        Some(next) => agenda.at(now, Event::Ask(next)),
                        None => door.free += 1,
                    }
                }
            }
        }
        while let Some((server, client)) = cpu.start(now) {
            agenda.after(service, Event::Answer(client, server));
        }
    }
    for client in clients.iter().filter(|client| client.wanted < span) {
        response.record_censored_ns(client.wanted, horizon - client.wanted);
    }
    let answered: Vec<f64> = clients.iter().map(|client| client.answered as f64).collect();
    ctx.metric("jain_index", jain_index(&answered), "ratio");
    ctx.metric("longest", response.facts().max_ns as f64, "ns");
    ctx.save("request", response)
}

/// Jain's index of fairness: 1 if all have the same, k/n if k of n share everything.
pub(crate) fn jain_index(shares: &[f64]) -> f64 {
    let (sum, squares) = shares.iter().fold((0.0, 0.0), |(s, q), x| (s + x, q + x * x));
    if squares == 0.0 { 1.0 } else { sum * sum / (shares.len() as f64 * squares) }
}
