//! A trial: one thread that starts requests on time, hands them to connections and reads answers.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hyper::StatusCode;
use lab_kit::{Arrivals, Clock, Ctx, End, Ledger, Schedule, Waking};
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::timeout;

use crate::alarm::Alarm;
use crate::connection::Connection;
use crate::question::Question;
use crate::tally::Tally;
use crate::target::Target;

/// The stream of random numbers for arrivals.
const ARRIVALS: u64 = 0;
/// Tasks that run between two looks at sockets and timers. By default 61, which makes starts late.
const LOOKS_AT_SOCKETS: u32 = 8;

/// Asks for the span of the trial, and files what became of every request.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (knobs, http2) = (ctx.settings(), ctx.text("protocol") == "http2");
    let target = Target::parse(knobs.text("url"), knobs.text("anywhere") == "yes")?;
    let question = Question::of(knobs, &target, http2)?;
    let arrivals = match (ctx.text("loop"), ctx.text("arrivals")) {
        ("closed", _) => {
            Arrivals::Closed { clients: ctx.int("connections") as u32, think: Duration::ZERO }
        }
        (_, "constant") => Arrivals::Constant { rate: ctx.float("rate") },
        (_, _) => Arrivals::Poisson { rate: ctx.float("rate") },
    };
    let schedule = arrivals.plan(ctx.timeline().span(), &mut ctx.rng(&[ARRIVALS]));
    let timeout = ctx.duration("timeout");
    let connections = ctx.int("connections") as usize;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(LOOKS_AT_SOCKETS)
        .build()
        .context("make a runtime")?;
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, first_answer(&target, &question, http2, timeout))?;
    let ledger = Ledger::new(&schedule, ctx.timeline());
    let waking = Waking::prepare(schedule.mean_gap());
    let clock = Clock::live();
    ctx.began(clock);
    let shared = Rc::new(Shared {
        target,
        question,
        http2,
        timeout,
        clock,
        ledger: Arc::clone(&ledger),
        tally: Tally::new(ctx.series()),
        queue: RefCell::default(),
        more: Notify::new(),
        closed: Cell::new(false),
        ended: Notify::new(),
    });
    tasks.block_on(&runtime, async {
        for number in 0..connections {
            spawn_local(connection(Rc::clone(&shared), number));
        }
        match &schedule {
            Schedule::Open(starts) => shared.start(starts, waking).await?,
            Schedule::Closed { clients, until, at_most, .. } => {
                shared.keep_asking(*clients, *until, *at_most).await
            }
        }
        shared.drain().await;
        anyhow::Ok(())
    })?;
    drop(tasks);
    ledger.heard_until(clock.now());
    ledger.settle(ctx, timeout)?;
    let [goodput, _] = ledger.answered_rates(timeout);
    let sums = ledger.sums(timeout);
    let unanswered = sums.timed_out + sums.abandoned + sums.in_flight + sums.dropped;
    ctx.metric("goodput", goodput, "req/s");
    ctx.metric("offered", sums.offered as f64, "count");
    ctx.metric("unanswered", unanswered as f64, "count");
    let shared = Rc::into_inner(shared).context("a connection outlived its trial")?;
    shared.tally.file(ctx)
}

/// Asks once before the load, so that a wrong address or a broken service is one clear error.
async fn first_answer(
    target: &Target,
    question: &Question,
    http2: bool,
    longest: Duration,
) -> anyhow::Result<()> {
    let asked = async {
        let mut connection = Connection::open(target, 0, http2).await?;
        connection.ask(question.request()).await
    };
    let status = timeout(longest, asked).await;
    let status = status.with_context(|| format!("no answer within {longest:?}"))?;
    let status = status.context("the first request, before the load")?;
    match question.end(status) {
        End::Completed => Ok(()),
        _ if status.is_redirection() => {
            bail!("it answers {status}: ask the address that it redirects to")
        }
        _ => bail!("it answers {status}: with --expect {} that is a right answer", status.as_u16()),
    }
}

/// What the tasks of a trial share.
struct Shared {
    target: Target,
    question: Question,
    http2: bool,
    timeout: Duration,
    clock: Clock,
    ledger: Arc<Ledger>,
    tally: Tally,
    /// Requests that were started and wait for a free connection: number, and when it was due.
    queue: RefCell<VecDeque<(usize, Duration)>>,
    /// The queue has another.
    more: Notify,
    /// No further request will start.
    closed: Cell<bool>,
    /// A request has ended.
    ended: Notify,
}

impl Shared {
    /// Starts the requests of an open loop, each at its time.
    async fn start(&self, starts: &[u64], waking: Waking) -> anyhow::Result<()> {
        let alarm = Alarm::new()?;
        for (number, at_ns) in starts.iter().enumerate() {
            let (due, now) = (Duration::from_nanos(*at_ns), self.clock.now());
            let sleep = waking.sleep(now, due);
            if due > now && !sleep.is_zero() {
                alarm.sleep(sleep).await?;
            }
            // Answers are read meanwhile.
            while self.clock.now() < due {
                yield_now().await;
            }
            self.begin(number, due);
        }
        Ok(())
    }

    /// Starts a closed loop's requests: as many at a time as there are clients.
    async fn keep_asking(&self, clients: u32, until: Duration, at_most: usize) {
        let mut numbers = 0..at_most;
        while self.clock.now() < until {
            while self.ledger.in_flight() < u64::from(clients) {
                let Some(number) = numbers.next() else { return };
                self.begin(number, self.clock.now());
            }
            let left = until.saturating_sub(self.clock.now());
            // An end, or the end of the span.
            let _ = timeout(left, self.ended.notified()).await;
        }
    }

    /// A request starts: from here on, waiting is the service's.
    fn begin(&self, number: usize, due: Duration) {
        self.ledger.sent(number, self.clock.now());
        self.queue.borrow_mut().push_back((number, due));
        self.more.notify_one();
    }

    /// Waits until every request has ended, as each does by its timeout.
    async fn drain(&self) {
        self.closed.set(true);
        self.more.notify_waiters();
        while self.ledger.in_flight() > 0 {
            self.ended.notified().await;
        }
    }

    /// The next request of the queue; `None` once the trial is over.
    async fn next(&self) -> Option<(usize, Duration)> {
        loop {
            let next = self.queue.borrow_mut().pop_front();
            if next.is_some() || self.closed.get() {
                return next;
            }
            self.more.notified().await;
        }
    }

    /// Opens a connection where there is none that another request can be sent on.
    async fn connect(&self, open: &mut Option<Connection>, place: usize) -> anyhow::Result<()> {
        let usable = match open {
            Some(connection) => connection.is_usable().await,
            None => false,
        };
        if !usable {
            *open = None;
            *open = Some(Connection::open(&self.target, place, self.http2).await?);
        }
        Ok(())
    }

    /// How long a request that was due then may still wait.
    fn left(&self, due: Duration) -> Duration {
        (due + self.timeout).saturating_sub(self.clock.now())
    }

    /// What became of a request.
    fn file(&self, number: usize, asked: Option<anyhow::Result<StatusCode>>) {
        let now = self.clock.now();
        match asked {
            None => self.ledger.timed_out(number, now),
            Some(Err(error)) => {
                self.tally.failed(&error);
                self.ledger.abandoned(number, now);
            }
            Some(Ok(status)) => {
                self.tally.answered(status);
                match self.question.end(status) {
                    End::Completed => self.ledger.completed(number, now),
                    End::Refused => self.ledger.refused(number, now),
                    _ => self.ledger.failed(number, now),
                }
            }
        }
        self.ended.notify_one();
    }
}

/// Takes requests from the queue and asks, until the trial is over.
async fn connection(shared: Rc<Shared>, place: usize) {
    let mut open: Option<Connection> = None;
    while let Some((number, due)) = shared.next().await {
        let connected = timeout(shared.left(due), shared.connect(&mut open, place)).await;
        let now = shared.clock.now();
        shared.tally.waited(due, now.saturating_sub(due));
        let Some(connection) = open.as_mut().filter(|_| matches!(connected, Ok(Ok(())))) else {
            open = None;
            shared.file(number, connected.ok().and_then(Result::err).map(Err));
            continue;
        };
        if let Some(own) = connection.share() {
            // The answers on this connection do not wait for each other.
            spawn_local(ask(Rc::clone(&shared), own, number, due));
            continue;
        }
        let asked = timeout(shared.left(due), connection.ask(shared.question.request())).await;
        if !matches!(asked, Ok(Ok(_))) {
            // An answer may still come on it, to a request that has ended.
            open = None;
        }
        shared.file(number, asked.ok());
    }
}

/// Asks on a connection that others use too.
async fn ask(shared: Rc<Shared>, mut connection: Connection, number: usize, due: Duration) {
    let asked = timeout(shared.left(due), connection.ask(shared.question.request())).await;
    shared.file(number, asked.ok());
}
