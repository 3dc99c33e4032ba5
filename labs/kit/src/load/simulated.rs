//! The same clients and servers in simulated time.

use std::time::Duration;

use anyhow::{bail, ensure};

use super::client::Client;
use super::frame::Answer;
use super::queue::Queue;
use super::retries::Retrier;
use super::server::{MOST_THREADS, Served, Server, Threads, Work};
use crate::arrivals::Schedule;
use crate::ledger::Ledger;
use crate::sim::{Agenda, Alarm, Sharing};

/// What a simulated server did.
#[derive(Debug, Clone)]
pub struct Simulated {
    /// What the server did.
    pub served: Served,
    /// Time in seconds, and the number of attempts in the server at that time.
    pub lengths: Vec<(f64, f64)>,
}

impl Client {
    /// As [`Client::ask`], with a `server` in simulated time, up to `until`. Every `look` it
    /// records how many attempts are in the server; never if `look` is zero. Work takes exactly its
    /// time, and nothing else takes any: messages arrive at once, reading and refusing are free.
    ///
    /// # Errors
    /// The schedule waits for answers; the server is of a kind that is not simulated: only a pool
    /// (of one thread, or whose work waits) and a thread for each request (CPU work, no pause) are;
    /// or the pending events grow beyond the agenda's bound.
    pub fn simulate(
        &self,
        server: Server,
        schedule: &Schedule,
        work: impl Fn(usize) -> Duration,
        [until, look]: [Duration; 2],
        ledger: &Ledger,
    ) -> anyhow::Result<Simulated> {
        let Schedule::Open(starts) = schedule else { bail!("clients that wait are not simulated") };
        let mut clients = Clients::new(*self, work, starts.len(), ledger);
        let mut serving = Serving::new(server)?;
        let mut agenda = Agenda::until(nanos(until));
        let mut alarm = Alarm::new();
        let mut lengths = Vec::new();
        let mut starts = (0..).zip(starts);
        let mut next = |agenda: &mut Agenda<Event>| {
            let start = starts.next();
            start.into_iter().for_each(|(number, at)| agenda.at(*at, Event::Start(number)));
        };
        next(&mut agenda);
        if !server.pause.length.is_zero() {
            agenda.at(nanos(server.pause.until()), Event::Resume);
        }
        if !look.is_zero() {
            agenda.at(0, Event::Look);
        }
        while let Some(event) = agenda.step()? {
            let now = Duration::from_nanos(agenda.now());
            match event {
                Event::Start(number) => {
                    next(&mut agenda);
                    clients.start(number, now, &mut agenda, &mut serving);
                }
                Event::Retry(number, attempt) if clients.waits_for(number, attempt) => {
                    clients.send(number, now, &mut agenda, &mut serving);
                }
                Event::Timeout(number, attempt) => {
                    clients.expire(number, attempt, now, &mut agenda);
                }
                Event::End(job) => serving.end(now, job),
                Event::Shared if alarm.rings(agenda.now()) => serving.end_shared(now),
                Event::Look => {
                    lengths.push((now.as_secs_f64(), serving.there() as f64));
                    agenda.after(nanos(look), Event::Look);
                }
                Event::Retry(..) | Event::Shared | Event::Resume => {}
            }
            serving.work_off(now, &mut agenda);
            for (job, says) in serving.replies.drain(..) {
                clients.take(job, says, now, &mut agenda);
            }
            alarm.set(&mut agenda, serving.shared.next_event(), || Event::Shared);
        }
        ledger.heard_until(until);
        let longest_queue = serving.queue.longest();
        Ok(Simulated { served: Served { longest_queue, ..serving.served }, lengths })
    }
}

enum Event {
    /// The first attempt of a request.
    Start(usize),
    /// A retry: the request, and which attempt it is.
    Retry(usize, u32),
    /// An attempt of a request has timed out.
    Timeout(usize, u32),
    /// A worker has finished this job.
    End(Job),
    /// Some of the jobs that share the CPU may have ended.
    Shared,
    /// The pause is over.
    Resume,
    Look,
}

/// An attempt in the server.
#[derive(Debug, Clone, Copy)]
struct Job {
    number: usize,
    attempt: u32,
    work: Duration,
    came: Duration,
}

/// The clients of a trial: what `ask` does on sockets.
struct Clients<'a, W> {
    client: Client,
    work: W,
    ledger: &'a Ledger,
    /// The latest attempt of each request, sent or scheduled.
    attempts: Vec<u32>,
    retriers: Vec<Retrier>,
}

impl<'a, W: Fn(usize) -> Duration> Clients<'a, W> {
    fn new(client: Client, work: W, requests: usize, ledger: &'a Ledger) -> Self {
        let retriers = vec![Retrier::new(client.retries); client.connections];
        Self { client, work, ledger, attempts: vec![0; requests], retriers }
    }

    fn start(
        &mut self,
        number: usize,
        now: Duration,
        agenda: &mut Agenda<Event>,
        to: &mut Serving,
    ) {
        if self.ledger.in_flight() >= self.client.at_most_in_flight {
            self.ledger.dropped(number);
        } else {
            self.send(number, now, agenda, to);
        }
    }

    fn send(&mut self, number: usize, now: Duration, agenda: &mut Agenda<Event>, to: &mut Serving) {
        let attempt = self.attempts[number].max(1);
        self.attempts[number] = attempt;
        if attempt == 1 {
            self.ledger.sent(number, now);
        } else {
            self.ledger.sent_again(number, now);
        }
        agenda.after(nanos(self.client.timeout), Event::Timeout(number, attempt));
        to.arrive(now, Job { number, attempt, work: (self.work)(number), came: now });
    }

    fn expire(&mut self, number: usize, attempt: u32, now: Duration, agenda: &mut Agenda<Event>) {
        if self.waits_for(number, attempt) && !self.retry(number, now, agenda) {
            self.ledger.timed_out(number, now);
        }
    }

    /// Whether this attempt is the request's latest, and the request has not ended.
    fn waits_for(&self, number: usize, attempt: u32) -> bool {
        !self.ledger.has_ended(number) && self.attempts[number] == attempt
    }

    /// Schedules the next attempt, if there is to be one, and returns whether there is.
    fn retry(&mut self, number: usize, now: Duration, agenda: &mut Agenda<Event>) -> bool {
        let client = number % self.retriers.len();
        let attempt = self.attempts[number];
        let Some(pause) = self.retriers[client].failed(number, attempt, now) else { return false };
        self.attempts[number] = attempt + 1;
        agenda.after(nanos(pause), Event::Retry(number, attempt + 1));
        true
    }

    fn take(&mut self, job: Job, says: Answer, now: Duration, agenda: &mut Agenda<Event>) {
        let Job { number, attempt, .. } = job;
        if self.ledger.has_ended(number) {
            if says != Answer::Refused {
                self.ledger.answered_unwanted(now);
            }
            return;
        }
        match says {
            Answer::Refused if attempt < self.attempts[number] => {}
            Answer::Refused => {
                if !self.retry(number, now, agenda) {
                    self.ledger.refused(number, now);
                }
            }
            Answer::Correct | Answer::Wrong => {
                let client = number % self.retriers.len();
                self.retriers[client].succeeded();
                self.ledger.completed(number, now);
            }
        }
    }
}

/// A server at work.
struct Serving {
    server: Server,
    workers: usize,
    busy: usize,
    queue: Queue<Job>,
    /// Jobs that came in a pause and have not been read.
    unread: Vec<Job>,
    shared: Sharing<Job>,
    replies: Vec<(Job, Answer)>,
    served: Served,
}

impl Serving {
    fn new(server: Server) -> anyhow::Result<Self> {
        let Server { threads, work, pause, .. } = server;
        let workers = match (threads, work) {
            (Threads::Pool(1), _) => 1,
            (Threads::Pool(workers), Work::Wait | Work::ExactWait) => workers,
            (Threads::PerRequest, Work::Cpu) if pause.length.is_zero() => 0,
            _ => bail!("{threads:?} with {work:?} and {pause:?} is not simulated"),
        };
        ensure!(threads != Threads::Pool(0), "a pool without a thread serves nobody");
        Ok(Self {
            server,
            workers,
            busy: 0,
            queue: Queue::new(server.discipline, server.admission),
            unread: Vec::new(),
            shared: Sharing::new(1)?.bounded(MOST_THREADS),
            replies: Vec::new(),
            served: Served::default(),
        })
    }

    fn there(&self) -> usize {
        self.unread.len() + self.queue.len() + self.busy + self.shared.serving()
    }

    fn arrive(&mut self, now: Duration, job: Job) {
        if self.server.pause.holds(now) {
            return self.unread.push(job);
        }
        let job = Job { came: now, ..job };
        let joined = match self.server.threads {
            Threads::PerRequest => self.shared.arrive(nanos(now), job, nanos(job.work)),
            _ => self.queue.join(now, job),
        };
        if let Err(job) = joined {
            self.refuse(job);
        }
    }

    /// Starts the jobs that can be started. A pause delays all that come in it until its end.
    fn work_off(&mut self, now: Duration, agenda: &mut Agenda<Event>) {
        let pause = self.server.pause;
        if pause.holds(now) {
            return;
        }
        for job in std::mem::take(&mut self.unread) {
            self.arrive(now, job);
        }
        while self.busy < self.workers
            && let Some(next) = self.queue.next(now)
        {
            match next {
                Ok(job) => {
                    self.busy += 1;
                    agenda.at(nanos(pause.past(now + job.work)), Event::End(job));
                }
                Err(job) => self.refuse(job),
            }
        }
    }

    fn end(&mut self, now: Duration, job: Job) {
        self.busy -= 1;
        self.queue.served(now.saturating_sub(job.came));
        self.answer(job);
    }

    fn end_shared(&mut self, now: Duration) {
        while let Some(job) = self.shared.end(nanos(now)) {
            self.answer(job);
        }
    }

    fn answer(&mut self, job: Job) {
        self.served.answered += 1;
        self.replies.push((job, Answer::Correct));
    }

    fn refuse(&mut self, job: Job) {
        self.served.refused += 1;
        self.replies.push((job, Answer::Refused));
    }
}

fn nanos(time: Duration) -> u64 {
    time.as_nanos() as u64
}
