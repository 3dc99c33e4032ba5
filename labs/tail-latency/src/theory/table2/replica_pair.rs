//! A discrete-event simulation of one shard's two replicas, to hold the calibration of Table 2 against.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;

const REQUESTS: usize = 60_000;

/// What came out: response percentiles as [`PERCENTILES`], the share of requests that started twice,
/// and the share of time that a server was busy.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) response_ms: [f64; 4],
    pub(super) duplicates: f64,
    pub(super) utilization: f64,
}

/// Sends the requests through two queues, each with background work of its own.
pub(super) fn simulate(background: f64, tied: bool, seed: u64) -> Outcome {
    let mut shard = Shard { tied, ..Shard::default() };
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut now = 0.0;
    for _ in 0..REQUESTS {
        now += exponential(1.0 / REQUESTS_PER_MS, rng.random());
        shard.request(now, rng.random_range(0..2), service_ms(rng.random()));
    }
    let (end, mean_gap) = (now, 1.0 / background_per_ms(background));
    for server in 0..2 {
        let mut now = exponential(mean_gap, rng.random());
        while now < end {
            shard.background(now, server, background_ms(rng.random()));
            now += exponential(mean_gap, rng.random());
        }
    }
    shard.run();
    shard.outcome(end)
}

/// Kinds of event, each about (server, job).
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Arrive,
    Cancel,
    Finish,
}

#[derive(Default)]
struct Job {
    intended_ms: f64,
    service_ms: f64,
    is_request: bool,
    started: [bool; 2],
    cancelled: [bool; 2],
    answered_ms: Option<f64>,
}

#[derive(Default)]
struct Shard {
    tied: bool,
    jobs: Vec<Job>,
    queues: [VecDeque<usize>; 2],
    busy: [bool; 2],
    busy_ms: f64,
    /// (time in ns, what, server, job), the earliest first.
    events: BinaryHeap<Reverse<(u64, What, usize, usize)>>,
}

impl Shard {
    fn request(&mut self, now: f64, server: usize, service_ms: f64) {
        let job = self.jobs.len();
        self.jobs.push(Job { intended_ms: now, service_ms, is_request: true, ..Job::default() });
        self.at(now + MESSAGE_MS, What::Arrive, server, job);
        if self.tied {
            self.at(now + TIE_DELAY_MS + MESSAGE_MS, What::Arrive, 1 - server, job);
        }
    }

    fn background(&mut self, now: f64, server: usize, service_ms: f64) {
        let job = self.jobs.len();
        self.jobs.push(Job { service_ms, ..Job::default() });
        self.at(now, What::Arrive, server, job);
    }

    fn at(&mut self, ms: f64, what: What, server: usize, job: usize) {
        self.events.push(Reverse(((ms * 1e6) as u64, what, server, job)));
    }

    fn run(&mut self) {
        while let Some(Reverse((ns, what, server, job))) = self.events.pop() {
            let now = ns as f64 / 1e6;
            match what {
                What::Arrive => self.queues[server].push_back(job),
                What::Cancel => self.jobs[job].cancelled[server] = true,
                What::Finish => {
                    self.busy[server] = false;
                    self.jobs[job].answered_ms.get_or_insert(now + MESSAGE_MS);
                }
            }
            self.start_next(now, server);
        }
    }

    fn start_next(&mut self, now: f64, server: usize) {
        while !self.busy[server] {
            let Some(next) = self.queues[server].pop_front() else {
                return;
            };
            let job = &mut self.jobs[next];
            if job.cancelled[server] {
                continue;
            }
            job.started[server] = true;
            self.busy[server] = true;
            self.busy_ms += job.service_ms;
            let (finish, tell_twin) = (now + job.service_ms, self.tied && job.is_request);
            self.at(finish, What::Finish, server, next);
            if tell_twin {
                self.at(now + MESSAGE_MS, What::Cancel, 1 - server, next);
            }
        }
    }

    fn outcome(&self, end_ms: f64) -> Outcome {
        let mut times: Vec<f64> =
            self.jobs.iter().filter(|job| job.is_request).map(Job::response_ms).collect();
        times.sort_unstable_by(f64::total_cmp);
        let twice = self.jobs.iter().filter(|job| job.started == [true, true]).count();
        Outcome {
            response_ms: PERCENTILES.map(|p| times[(p * times.len() as f64) as usize]),
            duplicates: twice as f64 / times.len() as f64,
            utilization: self.busy_ms / 2.0 / end_ms,
        }
    }
}

impl Job {
    fn response_ms(&self) -> f64 {
        self.answered_ms.expect("every request is answered once the events run out")
            - self.intended_ms
    }
}
