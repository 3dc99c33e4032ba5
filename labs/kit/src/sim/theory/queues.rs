//! Open queues: Poisson arrivals, first come, first served.

/// M/M/c: exponential service, `servers` equal servers. M/M/1 has a single server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MMc {
    /// Arrivals per unit of time.
    pub arrivals: f64,
    /// The mean service time.
    pub service: f64,
    /// The number of servers.
    pub servers: u32,
}

impl MMc {
    /// The share of the servers' time in which they are busy. From 1 on there is no equilibrium,
    /// and the other methods' results mean nothing.
    pub fn utilisation(&self) -> f64 {
        self.offered() / f64::from(self.servers)
    }

    /// The probability that a request finds all servers busy and waits: Erlang's C formula (Erlang
    /// 1917), from Erlang's B by its recursion.
    pub fn waits(&self) -> f64 {
        let offered = self.offered();
        let blocked = (1..=self.servers)
            .fold(1.0, |blocked, n| offered * blocked / (f64::from(n) + offered * blocked));
        blocked / (1.0 - self.utilisation() * (1.0 - blocked))
    }

    /// The mean time in the queue, over all requests.
    pub fn wait(&self) -> f64 {
        self.waits() / self.drain()
    }

    /// The mean time from arrival to answer.
    pub fn response(&self) -> f64 {
        self.wait() + self.service
    }

    /// The probability of a response longer than `t`: a request that waits does so exponentially,
    /// and is then served exponentially (Kleinrock, Queueing Systems I, 1975).
    pub fn longer_than(&self, t: f64) -> f64 {
        let (end, drain) = (1.0 / self.service, self.drain());
        let served = libm::exp(-end * t);
        let both = if (end - drain).abs() < 1e-9 * end {
            (1.0 + end * t) * served
        } else {
            (end * libm::exp(-drain * t) - drain * served) / (end - drain)
        };
        served + self.waits() * (both - served)
    }

    /// The response that a share `q` of requests stays below.
    pub fn response_quantile(&self, q: f64) -> f64 {
        quantile(q, self.response(), |t| self.longer_than(t))
    }

    /// The number of servers that the load keeps busy.
    fn offered(&self) -> f64 {
        self.arrivals * self.service
    }

    /// The rate at which the queue shortens while all servers are busy.
    fn drain(&self) -> f64 {
        f64::from(self.servers) / self.service - self.arrivals
    }
}

/// M/G/1: one server, any service time (Pollaczek 1930, Khinchine 1932).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Single {
    /// Arrivals per unit of time.
    pub arrivals: f64,
    /// The mean service time.
    pub service: f64,
    /// The mean of the square of the service time.
    pub second_moment: f64,
}

impl Single {
    /// The share of time in which the server is busy.
    pub fn utilisation(&self) -> f64 {
        self.arrivals * self.service
    }

    /// The mean time in the queue: `λ E[S²] / 2(1 − ρ)`.
    pub fn wait(&self) -> f64 {
        self.arrivals * self.second_moment / (2.0 * (1.0 - self.utilisation()))
    }

    /// The mean time from arrival to answer.
    pub fn response(&self) -> f64 {
        self.wait() + self.service
    }
}

/// The time in the queue that a share `q` of the requests of M/D/1 stays below, one server and
/// equal service times (Erlang, Nyt Tidsskrift for Matematik B 1909).
///
/// `None` where it cannot be computed: the sum alternates, and beyond 25 mean gaps between arrivals
/// its terms are larger than a double can resolve.
pub fn md1_wait_quantile(arrivals: f64, service: f64, q: f64) -> Option<f64> {
    let within = |t: f64| {
        let term = |k: u32| {
            let x = arrivals * (t - f64::from(k) * service);
            let power = (1..=k).fold(1.0, |power, i| power * -x / f64::from(i));
            power * libm::exp(x)
        };
        (1.0 - arrivals * service) * (0..=(t / service) as u32).map(term).sum::<f64>()
    };
    let longest = 25.0 / arrivals;
    let found = bisect(0.0, longest, |t| within(t) < q);
    (found < longest * 0.999).then_some(found)
}

/// M/M/1/K: exponential service, one server, and room for `room` requests including the one in
/// service; a request that finds it full is refused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MM1K {
    /// Arrivals per unit of time, including refused ones.
    pub arrivals: f64,
    /// The mean service time.
    pub service: f64,
    /// The most requests in the system: those that wait and the one in service.
    pub room: u32,
}

impl MM1K {
    /// The probability of `n` requests in the system, which is also what an arrival finds
    /// (Kleinrock 1975).
    pub fn probability_of(&self, n: u32) -> f64 {
        let power = |n: u32| libm::pow(self.arrivals * self.service, f64::from(n));
        power(n) / (0..=self.room).map(power).sum::<f64>()
    }

    /// The share of requests that are refused.
    pub fn refused(&self) -> f64 {
        self.probability_of(self.room)
    }

    /// The share of time in which the server is busy.
    pub fn utilisation(&self) -> f64 {
        1.0 - self.probability_of(0)
    }

    /// The mean number of requests in the system.
    pub fn jobs(&self) -> f64 {
        (0..=self.room).map(|n| f64::from(n) * self.probability_of(n)).sum()
    }

    /// The mean time from arrival to answer of requests that are not refused, by Little's law.
    pub fn response(&self) -> f64 {
        self.jobs() / (self.arrivals * (1.0 - self.refused()))
    }

    /// The probability that a request that is not refused takes longer than `t`: one that finds n
    /// requests ends after n + 1 exponential times.
    pub fn longer_than(&self, t: f64) -> f64 {
        let x = t / self.service;
        let (mut term, mut erlang, mut sum) = (libm::exp(-x), 0.0, 0.0);
        for n in 0..self.room {
            erlang += term;
            sum += self.probability_of(n) * erlang;
            term *= x / f64::from(n + 1);
        }
        sum / (1.0 - self.refused())
    }

    /// The response that a share `q` of the requests that are not refused stays below.
    pub fn response_quantile(&self, q: f64) -> f64 {
        quantile(q, self.response(), |t| self.longer_than(t))
    }
}

fn quantile(q: f64, mean: f64, longer_than: impl Fn(f64) -> f64) -> f64 {
    let mut high = mean;
    while longer_than(high) > 1.0 - q {
        high *= 2.0;
    }
    bisect(0.0, high, |t| longer_than(t) > 1.0 - q)
}

/// The place up to which `before` holds.
fn bisect(mut low: f64, mut high: f64, before: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if before(middle) { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, expected: f64, within: f64) {
        assert!((got / expected - 1.0).abs() < within, "{got} is not {expected}");
    }

    #[test]
    fn m_m_1_matches_the_textbook_formulas() {
        let queue = MMc { arrivals: 0.8, service: 1.0, servers: 1 };
        near(queue.waits(), 0.8, 1e-12);
        near(queue.response(), 5.0, 1e-12);
        near(queue.response_quantile(0.99), 5.0 * 100.0_f64.ln(), 1e-9);
    }

    #[test]
    fn erlang_c_agrees_with_published_tables() {
        // Gross & Harris, Fundamentals of Queueing Theory: M/M/3 at 2 erlangs, 4/9 wait.
        near(MMc { arrivals: 2.0, service: 1.0, servers: 3 }.waits(), 4.0 / 9.0, 1e-12);
        // 10 servers at 8 erlangs: C = 0.4092, W_q = 0.2046.
        let ten = MMc { arrivals: 8.0, service: 1.0, servers: 10 };
        near(ten.waits(), 0.4092, 2e-4);
        near(ten.wait(), 0.2046, 2e-4);
        // Here the queue shortens as fast as one server works, so the two exponential rates are
        // equal.
        let alike = MMc { arrivals: 3.0, service: 1.0, servers: 4 };
        let beside = MMc { arrivals: 3.000_001, ..alike };
        near(alike.longer_than(2.0), beside.longer_than(2.0), 1e-5);
    }

    #[test]
    fn deterministic_service_halves_the_wait_of_exponential_service() {
        let exponential = Single { arrivals: 0.8, service: 1.0, second_moment: 2.0 };
        let constant = Single { second_moment: 1.0, ..exponential };
        near(exponential.response(), 5.0, 1e-12);
        near(constant.wait(), 2.0, 1e-12);
    }

    #[test]
    fn the_wait_of_equal_services_has_the_mean_of_its_distribution() {
        // E[W] is the area under the quantiles of W; the part above 0.9999 is a hundredth of it.
        let steps = 20_000;
        let at = |i: u32| 0.9999 * (f64::from(i) + 0.5) / f64::from(steps);
        let wait = |q| md1_wait_quantile(0.5, 1.0, q).unwrap();
        let mean = (0..steps).map(|i| wait(at(i))).sum::<f64>() / f64::from(steps);
        near(mean, 0.5, 0.005);
        assert_eq!(wait(0.3), wait(0.1), "half of them do not wait");
        near(wait(0.7), (0.7_f64 / 0.5).ln() / 0.5, 1e-9); // within one service: (1 − ρ) e^λt
        assert_eq!(md1_wait_quantile(0.99, 1.0, 0.999_99), None);
    }

    #[test]
    fn a_bounded_queue_with_ample_room_equals_an_unbounded_one() {
        let bounded = MM1K { arrivals: 0.5, service: 1.0, room: 60 };
        near(bounded.response(), 2.0, 1e-9);
        near(bounded.response_quantile(0.99), 2.0 * 100.0_f64.ln(), 1e-6);
        // Room for one: Erlang's loss, ρ / (1 + ρ).
        let loss = MM1K { arrivals: 0.5, service: 1.0, room: 1 };
        near(loss.refused(), 1.0 / 3.0, 1e-12);
        near(loss.response(), 1.0, 1e-12);
        // At utilisation 1 all lengths are equally likely.
        near(MM1K { arrivals: 1.0, service: 1.0, room: 4 }.refused(), 0.2, 1e-12);
    }
}
