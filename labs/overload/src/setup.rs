//! A trial's server and clients, with the policies of the knobs.

use std::time::Duration;

use lab_kit::load::{Admission, Client, Discipline, Pause, Retries, Server, Threads, Work};
use lab_kit::{Arrivals, Ctx, Schedule, Timeline};

/// Connections, which take the requests in turn.
const CONNECTIONS: usize = 16;
/// More requests in flight are dropped, and the trial is invalid.
const IN_FLIGHT: u64 = 50_000;
/// The purpose of the random numbers.
const ARRIVALS: u64 = 0;

/// One server and its clients.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    /// CPU time of a whole answer.
    pub(crate) work: Duration,
    /// The share of a whole answer that each request gets.
    pub(crate) harvest: f64,
    /// How long a client waits.
    pub(crate) timeout: Duration,
    pub(crate) threads: Threads,
    pub(crate) discipline: Discipline,
    pub(crate) admission: Admission,
}

impl Setup {
    pub(crate) fn of(ctx: &Ctx) -> Self {
        let threads = match ctx.text("threads") {
            "one" => Threads::Pool(1),
            _ => Threads::PerRequest,
        };
        let discipline = match ctx.text("order") {
            "fifo" => Discipline::Fifo,
            _ => Discipline::Lifo,
        };
        let admission = match ctx.text("admit") {
            "all" => Admission::All,
            "few" => Admission::UpTo(ctx.int("queue") as usize),
            _ => Admission::Holding(ctx.duration("target")),
        };
        Self {
            work: ctx.duration("work"),
            harvest: ctx.float("harvest"),
            timeout: ctx.duration("timeout"),
            threads,
            discipline,
            admission,
        }
    }

    /// The whole answers a second that the server can give if it does nothing else.
    pub(crate) fn capacity(&self) -> f64 {
        1.0 / self.work.as_secs_f64()
    }

    /// CPU time of each request.
    pub(crate) fn service(&self) -> Duration {
        self.work.mul_f64(self.harvest)
    }

    /// Requests at `load` times the capacity.
    pub(crate) fn schedule(&self, ctx: &Ctx, load: f64, timeline: Timeline) -> Schedule {
        let arrivals = Arrivals::Poisson { rate: load * self.capacity() };
        arrivals.plan(timeline.span(), &mut ctx.rng(&[ARRIVALS, (load * 1e3) as u64]))
    }

    pub(crate) fn server(&self) -> Server {
        let Self { threads, discipline, admission, .. } = *self;
        Server { threads, discipline, admission, work: Work::Cpu, pause: Pause::default() }
    }

    pub(crate) fn client(&self) -> Client {
        Client {
            connections: CONNECTIONS,
            at_most_in_flight: IN_FLIGHT,
            timeout: self.timeout,
            retries: Retries::default(),
            tick: Duration::ZERO,
        }
    }
}
