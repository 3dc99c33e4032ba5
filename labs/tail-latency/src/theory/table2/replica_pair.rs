//! A simulation of one shard's two replicas, to check the calibration of Table 2.

use lab_kit::sim::{Agenda, Discipline, Station};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;

const REQUESTS: usize = 60_000;

/// The results: response percentiles as [`PERCENTILES`], the share of requests that started twice,
/// and the share of time that a server was busy.
#[derive(Debug)]
pub(super) struct PairFigures {
    pub(super) response_ms: [f64; 4],
    pub(super) duplicates: f64,
    pub(super) utilization: f64,
}

/// Work for a server: a request, or background work.
#[derive(Clone, Copy)]
struct Job {
    request: Option<usize>,
    takes_ns: u64,
}

enum Event {
    Request,
    /// A server gets background work.
    Chore(usize),
    Arrive(usize, Job),
    /// The twin of a server has started a request.
    Cancel(usize, usize),
    End(usize, Option<usize>),
}

#[derive(Clone, Copy)]
struct Request {
    sent_ns: u64,
    started: [bool; 2],
    cancelled: [bool; 2],
    answered_ns: Option<u64>,
}

/// Sends the requests through two queues, each with background work of its own.
pub(super) fn simulate(background: f64, tied: bool, seed: u64) -> PairFigures {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut servers = [0, 1].map(|_| Station::new(1, Discipline::Fifo).unwrap());
    let mut requests: Vec<Request> = Vec::with_capacity(REQUESTS);
    let mut agenda = Agenda::new();
    agenda.at(0, Event::Request);
    (0..2).for_each(|server| agenda.at(0, Event::Chore(server)));
    while let Some(event) = agenda.step().unwrap() {
        let now = agenda.now();
        let more = requests.len() < REQUESTS;
        match event {
            Event::Request if more => {
                let (first, takes_ns) = (rng.random_range(0..2), nanos(service_ms(rng.random())));
                let job = Job { request: Some(requests.len()), takes_ns };
                agenda.after(nanos(MESSAGE_MS), Event::Arrive(first, job));
                if tied {
                    let later = Event::Arrive(1 - first, job);
                    agenda.after(nanos(TIE_DELAY_MS + MESSAGE_MS), later);
                }
                let [started, cancelled] = [[false; 2]; 2];
                requests.push(Request { sent_ns: now, started, cancelled, answered_ns: None });
                let gap_ms = exponential(1.0 / REQUESTS_PER_MS, rng.random());
                agenda.after(nanos(gap_ms), Event::Request);
            }
            Event::Chore(server) if more => {
                let takes_ns = nanos(background_ms(rng.random()));
                servers[server].again(now, Job { request: None, takes_ns });
                let gap_ms = exponential(1.0 / background_per_ms(background), rng.random());
                agenda.after(nanos(gap_ms), Event::Chore(server));
            }
            Event::Request | Event::Chore(_) => {}
            Event::Arrive(server, job) => servers[server].again(now, job),
            Event::Cancel(server, request) => requests[request].cancelled[server] = true,
            Event::End(server, request) => {
                servers[server].end(now, 0);
                if let Some(request) = request {
                    requests[request].answered_ns.get_or_insert(now + nanos(MESSAGE_MS));
                }
            }
        }
        for (server, station) in servers.iter_mut().enumerate() {
            while let Some((_, Job { request, takes_ns })) = station.start(now) {
                if let Some(number) = request {
                    let request = &mut requests[number];
                    if request.cancelled[server] {
                        station.end(now, 0);
                        continue;
                    }
                    request.started[server] = true;
                    if tied {
                        agenda.after(nanos(MESSAGE_MS), Event::Cancel(1 - server, number));
                    }
                }
                agenda.after(takes_ns, Event::End(server, request));
            }
        }
    }
    let utilization = servers.iter().map(|server| server.utilisation(agenda.now())).sum::<f64>();
    outcome(&requests, utilization / 2.0)
}

fn outcome(requests: &[Request], utilization: f64) -> PairFigures {
    let answered = |request: &Request| request.answered_ns.expect("every request is answered");
    let response_ms = |request: &Request| (answered(request) - request.sent_ns) as f64 / 1e6;
    let mut times: Vec<f64> = requests.iter().map(response_ms).collect();
    times.sort_unstable_by(f64::total_cmp);
    let twice = requests.iter().filter(|request| request.started == [true, true]).count();
    PairFigures {
        response_ms: PERCENTILES.map(|p| times[(p * times.len() as f64) as usize]),
        duplicates: twice as f64 / times.len() as f64,
        utilization,
    }
}

fn nanos(ms: f64) -> u64 {
    (ms * 1e6) as u64
}
