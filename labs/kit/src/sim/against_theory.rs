//! Simulated queues against theory: mean, p99 and utilisation over 20 seeds, each within three
//! standard errors.

use super::theory::{MM1K, MMc, Single, little, md1_wait_quantile};
use super::*;
use crate::seed;

const SEEDS: u64 = 20;
/// Mean service time.
const SERVICE: f64 = 1e6;
/// Requests of a trial that are not counted: the queue begins empty.
const WARM_UP: u64 = 5_000;
const COUNTED: u64 = 120_000;

enum Event {
    Arrival,
    End { server: u32, came: Nanos },
}

/// The results of one seed.
struct Found {
    mean: f64,
    p99: f64,
    utilisation: f64,
    jobs: f64,
    refused: f64,
    /// Requests served per nanosecond.
    throughput: f64,
}

/// One trial with Poisson arrivals, `arrivals` per nanosecond.
fn trial(seed: u64, arrivals: f64, mut station: Station<Nanos>, service: &Distribution) -> Found {
    let [mut gaps, mut services] = [0, 1].map(|purpose| seed::rng(seed, &[purpose]));
    let gap = Distribution::exponential(1.0 / arrivals).unwrap();
    let (mut agenda, mut arrived, mut refused, mut warm) = (Agenda::new(), 0, 0, Nanos::MAX);
    let mut responses = Vec::new();
    agenda.at(0, Event::Arrival);
    while let Some(event) = agenda.step().unwrap() {
        let now = agenda.now();
        match event {
            Event::Arrival if arrived == WARM_UP + COUNTED => break,
            Event::Arrival => {
                if arrived == WARM_UP {
                    station.forget(now);
                    warm = now;
                }
                arrived += 1;
                refused += u64::from(station.arrive(now, now).is_err() && now >= warm);
                agenda.after(gap.draw(&mut gaps), Event::Arrival);
            }
            Event::End { server, came } => {
                station.end(now, server);
                if came >= warm {
                    responses.push((now - came) as f64);
                }
            }
        }
        while let Some((server, came)) = station.start(now) {
            agenda.after(service.draw(&mut services), Event::End { server, came });
        }
    }
    let (end, count) = (agenda.now(), responses.len());
    let p99 = *responses.select_nth_unstable_by(count * 99 / 100, f64::total_cmp).1;
    Found {
        mean: responses.iter().sum::<f64>() / count as f64,
        p99,
        utilisation: station.utilisation(end),
        jobs: station.mean_jobs(end).iter().sum(),
        refused: refused as f64 / COUNTED as f64,
        throughput: count as f64 / (end - warm) as f64,
    }
}

fn trials(
    arrivals: f64,
    station: impl Fn() -> Station<Nanos>,
    service: &Distribution,
) -> Vec<Found> {
    (1..=SEEDS).map(|seed| trial(seed, arrivals, station(), service)).collect()
}

fn fifo(servers: u32) -> Station<Nanos> {
    Station::new(servers, Discipline::Fifo).unwrap()
}

/// Asserts that the mean over the seeds is within three of its standard errors of theory, and that
/// the standard error is small enough: below 1.5 % of theory.
fn agree(what: &str, found: &[Found], of: impl Fn(&Found) -> f64, theory: f64) {
    let values: Vec<f64> = found.iter().map(of).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let error = (variance / n).sqrt();
    println!(
        "{what}: {mean:.5e} ± {error:.1e}, theory {theory:.5e}, {:.2} errors",
        (mean - theory) / error
    );
    assert!((mean - theory).abs() <= 3.0 * error, "{what}: {mean} ± {error}, not {theory}");
    assert!(error < 0.015 * theory, "{what}: ± {error} of {theory} tells nothing");
}

#[test]
fn m_m_1_agrees_with_theory() {
    let theory = MMc { arrivals: 0.8 / SERVICE, service: SERVICE, servers: 1 };
    let service = Distribution::exponential(SERVICE).unwrap();
    let found = trials(theory.arrivals, || fifo(1), &service);
    agree("mean", &found, |f| f.mean, theory.response());
    agree("p99", &found, |f| f.p99, theory.response_quantile(0.99));
    agree("utilisation", &found, |f| f.utilisation, 0.8);
    agree("jobs", &found, |f| f.jobs, little(theory.arrivals, theory.response()));
    for f in &found {
        let expected = little(f.throughput, f.mean);
        // The difference comes from the requests present at either end.
        assert!((f.jobs / expected - 1.0).abs() < 0.01, "Little: {} and {expected}", f.jobs);
    }
}

#[test]
fn m_d_1_agrees_with_theory() {
    let (arrivals, second_moment) = (0.8 / SERVICE, SERVICE * SERVICE);
    let theory = Single { arrivals, service: SERVICE, second_moment };
    let service = Distribution::constant(SERVICE).unwrap();
    let found = trials(arrivals, || fifo(1), &service);
    let p99 = SERVICE + md1_wait_quantile(arrivals, SERVICE, 0.99).unwrap();
    agree("mean", &found, |f| f.mean, theory.response());
    agree("p99", &found, |f| f.p99, p99);
    agree("utilisation", &found, |f| f.utilisation, theory.utilisation());
}

#[test]
fn m_m_4_agrees_with_theory() {
    let theory = MMc { arrivals: 3.2 / SERVICE, service: SERVICE, servers: 4 };
    let service = Distribution::exponential(SERVICE).unwrap();
    let found = trials(theory.arrivals, || fifo(4), &service);
    agree("mean", &found, |f| f.mean, theory.response());
    agree("p99", &found, |f| f.p99, theory.response_quantile(0.99));
    agree("utilisation", &found, |f| f.utilisation, theory.utilisation());
}

#[test]
fn m_g_1_with_two_kinds_of_request_agrees_with_theory() {
    let part = |ns| Distribution::constant(ns).unwrap();
    let service = Distribution::mixture([(0.95, part(0.5e6)), (0.05, part(10.5e6))]).unwrap();
    let arrivals = 0.6 / service.mean();
    let second_moment = service.second_moment();
    let theory = Single { arrivals, service: service.mean(), second_moment };
    let found = trials(arrivals, || fifo(1), &service);
    agree("mean", &found, |f| f.mean, theory.response());
    agree("utilisation", &found, |f| f.utilisation, theory.utilisation());
}

#[test]
fn m_m_1_k_agrees_with_theory() {
    // At three times its capacity, with room for ten, most requests are refused.
    for load in [0.9, 3.0] {
        let theory = MM1K { arrivals: load / SERVICE, service: SERVICE, room: 10 };
        let service = Distribution::exponential(SERVICE).unwrap();
        let found = trials(theory.arrivals, || fifo(1).bounded(9), &service);
        agree("mean", &found, |f| f.mean, theory.response());
        agree("p99", &found, |f| f.p99, theory.response_quantile(0.99));
        agree("utilisation", &found, |f| f.utilisation, theory.utilisation());
        agree("refused", &found, |f| f.refused, theory.refused());
        agree("jobs", &found, |f| f.jobs, theory.jobs());
    }
}

#[test]
fn the_order_of_service_moves_the_tail_and_not_the_mean() {
    let theory = MMc { arrivals: 0.8 / SERVICE, service: SERVICE, servers: 1 };
    let service = Distribution::exponential(SERVICE).unwrap();
    let lifo = || Station::new(1, Discipline::Lifo).unwrap();
    let found = trials(theory.arrivals, lifo, &service);
    agree("mean", &found, |f| f.mean, theory.response());
    agree("utilisation", &found, |f| f.utilisation, theory.utilisation());
    let p99 = found.iter().map(|f| f.p99).sum::<f64>() / SEEDS as f64;
    assert!(p99 > 1.5 * theory.response_quantile(0.99), "{p99}: last come, first served");
}

/// The mean response where requests share a server equally, or in time slices.
fn shared(seed: u64, arrivals: f64, service: &Distribution, slice: Option<Nanos>) -> f64 {
    enum Event {
        Arrival,
        Shared,
        Slice { server: u32, came: Nanos, left: Nanos },
    }
    let [mut gaps, mut services] = [0, 1].map(|purpose| seed::rng(seed, &[purpose]));
    let gap = Distribution::exponential(1.0 / arrivals).unwrap();
    let (mut sharing, mut sliced) = (Sharing::new(1).unwrap(), fifo_of_pairs());
    let (mut agenda, mut alarm) = (Agenda::until(30_000_000_000), Alarm::new());
    let mut responses = Vec::new();
    agenda.at(0, Event::Arrival);
    while let Some(event) = agenda.step().unwrap() {
        let now = agenda.now();
        match event {
            Event::Arrival => {
                let work = service.draw(&mut services);
                match slice {
                    Some(_) => sliced.arrive(now, (now, work)).unwrap(),
                    None => sharing.arrive(now, now, work).unwrap(),
                }
                agenda.after(gap.draw(&mut gaps), Event::Arrival);
            }
            Event::Shared if !alarm.rings(now) => continue,
            Event::Shared => {
                let ended = std::iter::from_fn(|| sharing.end(now));
                responses.extend(ended.map(|came| (now - came) as f64));
            }
            Event::Slice { server, came, left } => {
                sliced.end(now, server);
                match left {
                    0 => responses.push((now - came) as f64),
                    _ => sliced.again(now, (came, left)),
                }
            }
        }
        alarm.set(&mut agenda, sharing.next_event(), || Event::Shared);
        while let Some((server, (came, work))) = sliced.start(now) {
            let takes = work.min(slice.unwrap_or(work));
            agenda.after(takes, Event::Slice { server, came, left: work - takes });
        }
    }
    responses.iter().sum::<f64>() / responses.len() as f64
}

fn fifo_of_pairs() -> Station<(Nanos, Nanos)> {
    Station::new(1, Discipline::Fifo).unwrap()
}

/// Where a server is shared, the mean depends on the mean work alone (Kleinrock 1967): S / (1 − ρ).
#[test]
fn processor_sharing_has_the_mean_of_m_m_1_for_any_distribution_of_work() {
    let part = |ns| Distribution::constant(ns).unwrap();
    let service = Distribution::mixture([(0.9, part(0.5e6)), (0.1, part(5.5e6))]).unwrap();
    let theory = service.mean() / (1.0 - 0.7);
    for slice in [None, Some(25_000)] {
        let means = (1..=SEEDS).map(|seed| shared(seed, 0.7 / service.mean(), &service, slice));
        let (mean, interval) = lab_stats::mean_interval(&means.collect::<Vec<_>>());
        let (low, high) = interval.unwrap();
        println!("{slice:?}: {mean:.4e}, {low:.4e} to {high:.4e}, theory {theory:.4e}");
        // A 95 % interval of 20 seeds is 2.093 standard errors to each side.
        let three_errors = (high - low) / 2.0 / 2.093 * 3.0;
        assert!((mean - theory).abs() <= three_errors, "{mean} ± {three_errors}, not {theory}");
        assert!(three_errors < 0.05 * theory, "{three_errors}");
    }
}
