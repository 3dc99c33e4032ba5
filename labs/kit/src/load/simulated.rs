//! The same clients and servers in simulated time.

use std::time::Duration;

use anyhow::{bail, ensure};

use super::client::Client;
use super::frame::Answer;
use super::queue::Queue;
use super::requests::{Attempt, Requests};
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
    /// The server is of a kind that is not simulated: only a pool (of one thread, or whose work
    /// waits) and a thread for each request (CPU work, no pause) are; or the pending events grow
    /// beyond the agenda's bound.
    pub fn simulate(
        &self,
        server: Server,
        schedule: &Schedule,
        work: impl Fn(usize) -> Duration,
        [until, look]: [Duration; 2],
        ledger: &Ledger,
    ) -> anyhow::Result<Simulated> {
        let mut requests = Requests::new(*self, schedule, ledger);
        let mut serving = Serving::new(server)?;
        let mut agenda = Agenda::until(nanos(until));
        let (mut client_alarm, mut shared_alarm) = (Alarm::new(), Alarm::new());
        let mut lengths = Vec::new();
        client_alarm.set(&mut agenda, requests.next_event().map(nanos), || Event::Client);
        if !server.pause.length.is_zero() {
            agenda.at(nanos(server.pause.until()), Event::Resume);
        }
        if !look.is_zero() {
            agenda.at(0, Event::Look);
        }
        while let Some(event) = agenda.step()? {
            let now = Duration::from_nanos(agenda.now());
            match event {
                Event::Client if client_alarm.rings(agenda.now()) => {
                    requests.expire(now);
                    while let Some(of) = requests.next_to_send(now) {
                        serving.arrive(now, Job { of, work: work(of.number), came: now });
                    }
                }
                Event::End(job) => serving.end(now, job),
                Event::Shared if shared_alarm.rings(agenda.now()) => serving.end_shared(now),
                Event::Look => {
                    lengths.push((now.as_secs_f64(), serving.there() as f64));
                    agenda.after(nanos(look), Event::Look);
                }
                Event::Client | Event::Shared | Event::Resume => {}
            }
            serving.work_off(now, &mut agenda);
            for (job, says) in serving.replies.drain(..) {
                requests.take(job.of, says, now);
            }
            client_alarm.set(&mut agenda, requests.next_event().map(nanos), || Event::Client);
            shared_alarm.set(&mut agenda, serving.shared.next_event(), || Event::Shared);
        }
        ledger.heard_until(until);
        let longest_queue = serving.queue.longest();
        Ok(Simulated { served: Served { longest_queue, ..serving.served }, lengths })
    }
}

enum Event {
    /// A request starts, is retried or times out.
    Client,
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
    of: Attempt,
    work: Duration,
    came: Duration,
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
        ensure!(threads != Threads::Pool(0), "a pool of 0 threads serves no request");
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
