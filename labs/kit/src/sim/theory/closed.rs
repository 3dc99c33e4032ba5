//! Closed networks: clients that wait for their answers.

/// The results for a closed network.
#[derive(Debug, Clone, PartialEq)]
pub struct Closed {
    /// Answers per unit of time.
    pub throughput: f64,
    /// The mean time from a client's question to its answer.
    pub response: f64,
    /// The mean number of requests at each station.
    pub jobs: Vec<f64>,
}

/// Mean value analysis (Reiser & Lavenberg, JACM 1980): `clients` think for `think` on average,
/// then ask for `demands[i]` of work at each station i, which has one server. Exact for exponential
/// work, first come, first served, and for processor sharing with any work: a request that comes to
/// a station finds the mean queue of a network with one client fewer.
pub fn mean_value_analysis(demands: &[f64], think: f64, clients: u32) -> Closed {
    let mut closed = Closed { throughput: 0.0, response: 0.0, jobs: vec![0.0; demands.len()] };
    for n in 1..=clients {
        let times: Vec<f64> =
            demands.iter().zip(&closed.jobs).map(|(demand, jobs)| demand * (1.0 + jobs)).collect();
        closed.response = times.iter().sum();
        closed.throughput = f64::from(n) / (closed.response + think);
        closed.jobs = times.iter().map(|time| closed.throughput * time).collect();
    }
    closed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_never_waits_and_many_saturate_the_slowest_station() {
        let one = mean_value_analysis(&[0.2, 0.3], 1.5, 1);
        assert!((one.throughput - 0.5).abs() < 1e-12 && (one.response - 0.5).abs() < 1e-12);
        let many = mean_value_analysis(&[0.2, 0.3], 1.5, 500);
        assert!((many.throughput * 0.3 - 1.0).abs() < 1e-9, "{many:?}");
        // Little's law over the whole network, thinking included.
        assert!((many.throughput * (many.response + 1.5) - 500.0).abs() < 1e-9);
    }

    #[test]
    fn two_clients_agree_with_the_chain_written_out() {
        // One station, mean work 1, mean thinking time 1: states of 0, 1 and 2 requests have
        // weights 1 : 2 : 2.
        let two = mean_value_analysis(&[1.0], 1.0, 2);
        assert!((two.throughput - 4.0 / 5.0).abs() < 1e-12, "{two:?}");
        assert!((two.jobs[0] - 6.0 / 5.0).abs() < 1e-12, "{two:?}");
    }
}
