//! Brooker's queue, simulated: one server, first come first served, asked by an open or a closed
//! world at the same utilisation.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use lab_kit::{Ctx, seed};
use lab_record::Accounting;
use rand_distr::{Distribution as _, Exp1};

/// The simulated spans in milliseconds: two, four and eight million requests, so that chance moves
/// p99 by a percent or so.
pub(crate) const SPANS: [u64; 3] = [250_000, 500_000, 1_000_000];
/// Batch means: responses of neighbours resemble each other, means of long batches hardly do.
const BATCHES: usize = 25;

/// A stream of draws for each purpose, so that every variant meets the same services.
const GAPS: u64 = 1;
const SERVICES: u64 = 2;
const SLOWNESS: u64 = 3;

/// How long the server takes: exponential, and a share of requests slower on average.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    pub(crate) mean_ns: f64,
    pub(crate) slow_mean_ns: f64,
    pub(crate) slow_share: f64,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum World {
    /// Poisson arrivals, whatever became of the others.
    Open,
    /// So many clients, each waiting for its reply and then thinking, exponentially.
    Closed(u32),
}

/// 0.1 ms.
pub(crate) const EXPONENTIAL: Service =
    Service { mean_ns: 1e5, slow_mean_ns: 1e5, slow_share: 0.0 };
/// 0.1 ms, and 10 ms for one in a thousand.
pub(crate) const BIMODAL: Service = Service { mean_ns: 1e5, slow_mean_ns: 1e7, slow_share: 0.001 };

/// One request in nanoseconds of simulated time.
#[derive(Debug, Clone, Copy)]
struct Visit {
    came: f64,
    left: f64,
}

/// Files the responses under `name`, with their mean, its standard error, how busy the server was,
/// and the length of the queue.
pub(crate) fn run(ctx: &mut Ctx, name: &str, service: Service, world: World) -> anyhow::Result<()> {
    let rho = ctx.float("utilisation");
    let (visits, busy_ns) = simulate(ctx.seed(), ctx.timeline().measure, service, world, rho);
    let (mut responses, mut from_send) = (ctx.series(), ctx.series());
    let mut free = 0.0_f64;
    for visit in &visits {
        responses.record_ns(visit.came as u64, (visit.left - visit.came) as u64);
        // A serial connection can send once the reply before is there.
        let sent = free.max(visit.came);
        from_send.record_ns(visit.came as u64, (visit.left - sent) as u64);
        free = visit.left;
    }
    let (mean, error) = batch_means(&visits);
    ctx.metric("mean", mean, "ns");
    ctx.metric("mean_standard_error", error, "ns");
    let ended = visits.last().map_or(1.0, |visit| visit.left);
    ctx.metric("utilisation", busy_ns / ended, "ratio");
    ctx.gauge("queue", "requests", queue_lengths(&visits, Duration::from_secs(1)));
    let offered = visits.len() as u64;
    ctx.account(Accounting {
        offered,
        completed: offered,
        attempts: offered,
        ..Accounting::default()
    });
    ctx.save("from-send", from_send)?;
    ctx.save(name, responses)
}

/// The visits that come within `span`, in their order, and how long the server was busy.
fn simulate(
    seed: u64,
    span: Duration,
    service: Service,
    world: World,
    rho: f64,
) -> (Vec<Visit>, f64) {
    let [mut gaps, mut services] = [GAPS, SERVICES].map(|purpose| seed::rng(seed, &[purpose]));
    let (sources, pause_ns) = world.sources(service, rho);
    let mut pause = || -> f64 {
        let unit: f64 = Exp1.sample(&mut gaps);
        unit * pause_ns
    };
    // The next request of every source, the earliest on top. Times are positive, and such floats
    // are ordered as their bits are.
    let mut coming: BinaryHeap<Reverse<u64>> =
        (0..sources).map(|_| Reverse(pause().to_bits())).collect();
    let mut visits = Vec::new();
    let end = span.as_nanos() as f64;
    let (mut free, mut busy_ns) = (0.0_f64, 0.0);
    while let Some(Reverse(bits)) = coming.pop() {
        let came = f64::from_bits(bits);
        if came >= end {
            // Another may come before the end: all that are later still are dropped one by one.
            continue;
        }
        let unit: f64 = Exp1.sample(&mut services);
        let takes = unit * service.mean_of(seed, visits.len());
        free = free.max(came) + takes;
        busy_ns += takes;
        visits.push(Visit { came, left: free });
        let next = if matches!(world, World::Open) { came } else { free } + pause();
        coming.push(Reverse(next.to_bits()));
    }
    (visits, busy_ns)
}

impl Service {
    pub(crate) const fn overall_mean_ns(&self) -> f64 {
        self.mean_ns * (1.0 - self.slow_share) + self.slow_mean_ns * self.slow_share
    }

    fn mean_of(&self, seed: u64, request: usize) -> f64 {
        let draw = || seed::uniform(seed, &[SLOWNESS, request as u64]);
        if self.slow_share > 0.0 && draw() < self.slow_share {
            self.slow_mean_ns
        } else {
            self.mean_ns
        }
    }
}

impl World {
    /// How many sources there are, and how long each pauses on average, so that the server is busy
    /// for `rho` of the time.
    fn sources(self, service: Service, rho: f64) -> (u32, f64) {
        let mean = service.overall_mean_ns();
        match self {
            Self::Open => (1, mean / rho),
            Self::Closed(clients) => (clients, mean * think_time(clients, rho)),
        }
    }
}

/// How long each of `clients` must think, in mean service times, to keep the server busy for `rho`
/// of the time: exact for exponential service, and for one client whatever its service.
fn think_time(clients: u32, rho: f64) -> f64 {
    // More thought, less load: halve the interval in which the answer lies.
    let (mut low, mut high) = (0.0, f64::from(clients) / rho);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if utilisation(clients, middle) > rho { low = middle } else { high = middle }
    }
    low
}

/// Mean value analysis (Reiser & Lavenberg, JACM 1980): a client that comes finds the queue that
/// one client fewer would leave.
fn utilisation(clients: u32, think: f64) -> f64 {
    let (mut queue, mut throughput) = (0.0, 0.0);
    for n in 1..=clients {
        let response = 1.0 + queue;
        throughput = f64::from(n) / (response + think);
        queue = throughput * response;
    }
    throughput
}

/// The mean response, and its standard error from the means of equal batches.
fn batch_means(visits: &[Visit]) -> (f64, f64) {
    let mean_of = |batch: &[Visit]| {
        batch.iter().map(|visit| visit.left - visit.came).sum::<f64>() / batch.len() as f64
    };
    let means: Vec<f64> = visits.chunks_exact(visits.len() / BATCHES).map(mean_of).collect();
    let (n, mean) = (means.len() as f64, mean_of(visits));
    let variance = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// How many were there at each millisecond of the first `span`: seconds and requests.
fn queue_lengths(visits: &[Visit], span: Duration) -> Vec<(f64, f64)> {
    let there = |ms: u128| {
        let at = ms as f64 * 1e6;
        // First come, first served: both columns ascend.
        let came = visits.partition_point(|visit| visit.came <= at);
        let left = visits.partition_point(|visit| visit.left <= at);
        (ms as f64 / 1e3, (came - left) as f64)
    };
    (0..span.as_millis()).map(there).collect()
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
        let mean = service.overall_mean_ns();
        let expected = mean + RHO / mean * second_moment / (2.0 * (1.0 - RHO));
        let (visits, _) = simulate(7, 2 * MINUTE, service, World::Open, RHO);
        let (found, error) = batch_means(&visits);
        assert!((found - expected).abs() < 3.0 * error, "{found} ± {error}, not {expected}");
        assert!(error < 0.05 * expected, "{error}");
    }

    #[test]
    fn ten_clients_keep_the_server_busy_for_four_fifths() {
        let (visits, busy_ns) = simulate(1, MINUTE, EXPONENTIAL, World::Closed(10), RHO);
        let utilisation = busy_ns / visits[visits.len() - 1].left;
        assert!((utilisation - RHO).abs() < 0.005, "{utilisation}");
    }

    #[test]
    fn the_queue_is_those_who_came_less_those_who_left() {
        let ms = |came: f64, left: f64| Visit { came: came * 1e6, left: left * 1e6 };
        let visits = [ms(0.5, 2.5), ms(1.5, 3.5)];
        let lengths: Vec<f64> =
            queue_lengths(&visits, Duration::from_millis(5)).iter().map(|(_, n)| *n).collect();
        assert_eq!(lengths, [0.0, 1.0, 2.0, 1.0, 0.0]);
    }
}
