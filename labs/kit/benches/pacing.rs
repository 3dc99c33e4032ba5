//! How late requests leave, and what that costs: `cargo bench -p lab-kit --bench pacing`, or with
//! `-- 20000` the lines that have this in their name.
//!
//! Prints percentiles of lateness and CPU time per request: of a generator that only paces, and of
//! a client of 8 connections to a server on loopback that takes a millisecond over each request. It
//! shares its CPUs with the server, unless there are four, and once more it has one for itself
//! (`spin`). It is a report, not a comparison: on a busy machine the lateness is the machine's, the
//! CPU time is not.

use std::time::Duration;

use lab_kit::load::{Admission, Client, Discipline, Pause, Retries, Server, Threads, Work};
use lab_kit::thread::{allowed_cpus, cpu_time, meanwhile_on};
use lab_kit::{Arrivals, Clock, Ledger, Schedule, Series, Timeline, Waking, pace, seed};

const SPAN: Duration = Duration::from_secs(3);
const TIMELINE: Timeline = Timeline { warmup: Duration::ZERO, measure: SPAN, interval: SPAN };

fn main() {
    // Cargo passes `--bench`.
    let asked = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    let report = |of: &str, measure: &dyn Fn() -> (Series, Duration)| {
        if of.contains(&asked) {
            report(of, measure());
        }
    };
    println!("{:>20} {:>8} {:>8} {:>8} {:>8} {:>8}", "", "p50", "p99", "p99.9", "max", "CPU");
    for rate in [1_000.0, 10_000.0, 20_000.0, 100_000.0] {
        report(&format!("pace, {rate}/s"), &|| pacing(rate));
    }
    let all = allowed_cpus();
    for rate in [1_000.0, 10_000.0, 20_000.0, 50_000.0] {
        report(&format!("ask, {rate}/s"), &|| asking(rate, &all));
    }
    if let [others @ .., last] = &all[..]
        && !others.is_empty()
    {
        let alone = || Waking::alone_on(*last, || asking(20_000.0, others));
        report("spin, 20000/s", &alone);
    }
}

/// The lateness of each request, and the CPU time of one.
fn report(of: &str, (lateness, cpu): (Series, Duration)) {
    let total = lateness.total();
    let us = |ns: u64| format!("{:.1}µs", ns as f64 / 1e3);
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|q| us(total.value_at_quantile(q)));
    let (max, cpu) = (us(lateness.facts().max_ns), us(cpu.as_nanos() as u64));
    println!("{of:>20} {p50:>8} {p99:>8} {p999:>8} {max:>8} {cpu:>8}");
}

fn pacing(rate: f64) -> (Series, Duration) {
    let Schedule::Open(starts) = schedule(rate) else { unreachable!("Poisson arrivals are open") };
    let mut lateness = Series::new(TIMELINE);
    let clock = Clock::live();
    let before = cpu_time();
    pace(&starts, clock, |_, intended| {
        lateness.record(intended, clock.now().saturating_sub(intended));
    });
    (lateness, (cpu_time() - before) / starts.len() as u32)
}

/// Asks a server that has these CPUs.
fn asking(rate: f64, cpus: &[usize]) -> (Series, Duration) {
    let server = Server {
        threads: Threads::EventLoop,
        discipline: Discipline::Fifo,
        admission: Admission::All,
        work: Work::Wait,
        pause: Pause::default(),
    };
    let client = Client {
        connections: 8,
        at_most_in_flight: 100_000,
        timeout: Duration::from_secs(10),
        retries: Retries::default(),
        tick: Duration::ZERO,
    };
    let schedule = schedule(rate);
    let ledger = Ledger::new(&schedule, TIMELINE);
    let clock = Clock::live();
    let running = meanwhile_on(cpus, || server.start(clock)).expect("a server on loopback");
    let (work, until) = (Duration::from_millis(1), 2 * SPAN);
    let asked = client.ask(running.address(), &schedule, |_| work, (clock, until), &ledger);
    let asked = asked.expect("a client on loopback");
    let mut lateness = Series::new(TIMELINE);
    ledger.sent_at().for_each(|(intended, sent)| lateness.record(intended, sent - intended));
    (lateness, asked.cpu / asked.attempts as u32)
}

fn schedule(rate: f64) -> Schedule {
    Arrivals::Poisson { rate }.plan(SPAN, &mut seed::rng(1, &[]))
}
