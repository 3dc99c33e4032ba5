//! Brooker's queue, simulated: one server, first come first served, asked by an open or a closed
//! world at the same utilisation.

use std::time::Duration;

use lab_kit::sim::{
    Discipline, Distribution, Load, Profile, Spacing, Station, Visit, serve, theory,
};
use lab_kit::{Ctx, seed, stats};
use lab_record::Accounting;

/// The simulated spans in milliseconds: two, four and eight million requests, so that chance moves
/// p99 by a percent or so.
pub(crate) const SPANS: [u64; 3] = [250_000, 500_000, 1_000_000];
/// The number of batches: successive responses resemble each other, means of long batches hardly
/// do.
const BATCHES: usize = 25;

/// A stream of draws for each purpose, so that every variant meets the same services.
const GAPS: u64 = 1;
const SERVICES: u64 = 2;

/// How long the server takes: exponential, and a share of requests slower on average.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    pub(crate) mean_ns: f64,
    pub(crate) slow_mean_ns: f64,
    pub(crate) slow_share: f64,
}

/// The source of the requests.
#[derive(Debug, Clone, Copy)]
pub(crate) enum World {
    /// Poisson arrivals, independent of the answers.
    Open,
    /// This number of clients, each waiting for its reply and then thinking, exponentially.
    Closed(u32),
}

/// 0.1 ms.
pub(crate) const EXPONENTIAL: Service =
    Service { mean_ns: 1e5, slow_mean_ns: 1e5, slow_share: 0.0 };
/// 0.1 ms, and 10 ms for one in a thousand.
pub(crate) const BIMODAL: Service = Service { mean_ns: 1e5, slow_mean_ns: 1e7, slow_share: 0.001 };

/// What a trial found besides the single requests.
struct Found {
    responses: Vec<f64>,
    utilisation: f64,
    lengths: Vec<(f64, f64)>,
}

/// Files the responses under `name`, with their mean, its standard error, how busy the server was,
/// and the length of the queue.
pub(crate) fn run(ctx: &mut Ctx, name: &str, service: Service, world: World) -> anyhow::Result<()> {
    let (mut series, mut from_send) = (ctx.series(), ctx.series());
    let (span, rho) = (ctx.timeline().measure, ctx.float("utilisation"));
    let found = simulate(ctx.seed(), span, service, world, rho, |visit| {
        series.record_ns(visit.came, visit.ended - visit.came);
        // A serial connection can send once the reply before is there: as the server starts.
        from_send.record_ns(visit.came, visit.ended - visit.started);
    })?;
    let (mean, error) = mean_and_error(&found.responses);
    ctx.metric("mean", mean, "ns");
    ctx.metric("mean_standard_error", error, "ns");
    ctx.metric("utilisation", found.utilisation, "ratio");
    ctx.gauge("queue", "requests", found.lengths);
    let offered = found.responses.len() as u64;
    ctx.account(Accounting {
        offered,
        completed: offered,
        attempts: offered,
        ..Accounting::default()
    });
    ctx.save("from-send", from_send)?;
    ctx.save(name, series)
}

/// Serves the requests that come within `span`; `each` is given every request as it leaves.
fn simulate(
    seed: u64,
    span: Duration,
    service: Service,
    world: World,
    rho: f64,
    mut each: impl FnMut(Visit),
) -> anyhow::Result<Found> {
    let [gaps, mut services] = [GAPS, SERVICES].map(|purpose| seed::rng(seed, &[purpose]));
    let service = service.distribution()?;
    let load = match world {
        World::Open => {
            let arrivals = Profile::new().hold(1e9 * rho / service.mean(), span)?;
            Load::open(arrivals.starts(span, Spacing::Poisson, gaps)?)
        }
        World::Closed(clients) => {
            let think = Distribution::exponential(service.mean() * think_time(clients, rho))?;
            Load::Closed { clients, think, rng: gaps, until: span.as_nanos() as u64 }
        }
    };
    // Each millisecond of the first second is looked at.
    let mut station = Station::new(1, Discipline::Fifo)?.watched(1_000_000, 1_000_000_000);
    let mut responses = Vec::new();
    let ended = serve(
        &mut station,
        load,
        |_| service.draw(&mut services),
        |visit| {
            let visit = visit.expect("the queue has no bound");
            responses.push((visit.ended - visit.came) as f64);
            each(visit);
        },
    )?;
    let utilisation = station.utilisation(ended);
    Ok(Found { responses, utilisation, lengths: station.lengths(ended) })
}

impl Service {
    fn distribution(&self) -> anyhow::Result<Distribution> {
        let exponential = Distribution::exponential;
        Distribution::mixture([
            (1.0 - self.slow_share, exponential(self.mean_ns)?),
            (self.slow_share, exponential(self.slow_mean_ns)?),
        ])
    }
}

/// How long each of `clients` must think, in mean service times, to keep the server busy for `rho`
/// of the time: exact for exponential service, and with one client for any service.
fn think_time(clients: u32, rho: f64) -> f64 {
    // More thought, less load: halve the interval in which the answer lies.
    let (mut low, mut high) = (0.0, f64::from(clients) / rho);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if utilisation(clients, middle) > rho { low = middle } else { high = middle }
    }
    low
}

/// At a mean service of 1, the server is busy for as long as it answers in.
fn utilisation(clients: u32, think: f64) -> f64 {
    theory::mean_value_analysis(&[1.0], think, clients).throughput
}

/// The mean response, and its standard error.
fn mean_and_error(responses: &[f64]) -> (f64, f64) {
    let (mean, interval) = stats::batch_means(responses, BATCHES);
    let half = interval.map_or(f64::INFINITY, |(low, high)| (high - low) / 2.0);
    (mean, half / stats::Student { df: BATCHES - 1 }.quantile_95())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_think_time_keeps_the_server_as_busy_as_asked() {
        // One client: service / (service + think) = 0.8.
        assert!((think_time(1, 0.8) - 0.25).abs() < 1e-9);
        assert!((utilisation(10, think_time(10, 0.8)) - 0.8).abs() < 1e-9);
    }

    const RHO: f64 = 0.8;
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_simulated_queue_has_the_mean_of_pollaczek_and_khinchine() {
        let service = Service { mean_ns: 1e5, slow_mean_ns: 5e5, slow_share: 0.1 };
        // Of mixed exponentials, E[S²] is twice the mixed squares of the means.
        let second_moment = 2.0 * (0.9 * 1e10 + 0.1 * 25e10);
        let mean = 0.9 * 1e5 + 0.1 * 5e5;
        let expected = mean + RHO / mean * second_moment / (2.0 * (1.0 - RHO));
        let found = simulate(7, 2 * MINUTE, service, World::Open, RHO, |_| ()).unwrap();
        let (found, error) = mean_and_error(&found.responses);
        assert!((found - expected).abs() < 3.0 * error, "{found} ± {error}, not {expected}");
        assert!(error < 0.05 * expected, "{error}");
    }

    #[test]
    fn ten_clients_keep_the_server_busy_for_four_fifths() {
        let found = simulate(1, MINUTE, EXPONENTIAL, World::Closed(10), RHO, |_| ()).unwrap();
        assert!((found.utilisation - RHO).abs() < 0.005, "{}", found.utilisation);
    }
}
