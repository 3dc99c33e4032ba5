//! What became of a queue's requests: means, percentiles, and how many were there.

use lab_kit::sim::{Nanos, Visit};
use lab_kit::stats::{Estimate, batch_means};

/// Requests that were served, and what an onlooker saw.
#[derive(Debug, Default)]
pub(crate) struct Served {
    pub(crate) visits: Vec<Visit>,
    /// Seconds, and how many were there then, waiting or served.
    pub(crate) looks: Vec<(f64, f64)>,
}

/// A percentile needs this many requests beyond it.
const BEYOND: f64 = 10.0;
/// An interval needs this many batches, and these need this many requests.
const BATCHES: usize = 20;
const BATCH: usize = 100;

impl Served {
    /// In nanoseconds; of no requests, 0.
    pub(crate) fn mean_response(&self) -> f64 {
        self.mean(|visit| (visit.ended - visit.came) as f64)
    }

    /// The same in units of `service`, with its interval by the means of long batches: neighbours
    /// in a line are alike.
    pub(crate) fn mean_response_in(&self, service: f64) -> Estimate {
        let response = |visit: &Visit| (visit.ended - visit.came) as f64 / service;
        let responses: Vec<f64> = self.visits.iter().map(response).collect();
        let (_, interval) = batch_means(&responses, BATCHES);
        let interval = interval.filter(|_| responses.len() >= BATCHES * BATCH);
        Estimate { value: self.mean_response() / service, interval }
    }

    /// The mean work of a request in nanoseconds.
    pub(crate) fn mean_work(&self) -> f64 {
        self.mean(|visit| visit.work as f64)
    }

    /// The mean work of the requests that [`Served::throughput`] counts: all but the first to end.
    pub(crate) fn mean_counted_work(&self) -> f64 {
        let first =
            self.visits.iter().min_by_key(|visit| visit.ended).map_or(0, |visit| visit.work);
        let all: Nanos = self.visits.iter().map(|visit| visit.work).sum();
        (all - first) as f64 / self.visits.len().saturating_sub(1).max(1) as f64
    }

    /// In nanoseconds; `None` where there are too few requests to tell.
    pub(crate) fn response_quantile(&self, q: f64) -> Option<f64> {
        let mut responses: Vec<Nanos> = self.visits.iter().map(|v| v.ended - v.came).collect();
        if responses.len() as f64 * (1.0 - q) < BEYOND {
            return None;
        }
        let place = (q * responses.len() as f64) as usize;
        Some(*responses.select_nth_unstable(place).1 as f64)
    }

    /// The variance of waiting over that of the work; `None` where the work does not vary.
    pub(crate) fn spread(&self) -> Option<f64> {
        let variance = |of: fn(&Visit) -> f64| {
            let mean = self.mean(of);
            self.mean(|visit| (of(visit) - mean).powi(2))
        };
        let work = variance(|visit| visit.work as f64);
        (work > 0.0).then(|| variance(|visit| (visit.started - visit.came) as f64) / work)
    }

    /// What the onlooker saw, added up over time: how many, times how many seconds.
    pub(crate) fn request_seconds(&self) -> f64 {
        let until_next = |two: &[(f64, f64)]| two[0].1 * (two[1].0 - two[0].0);
        self.looks.windows(2).map(until_next).sum()
    }

    /// The share of the time up to the last answer in which at least one request was there.
    pub(crate) fn busy_share(&self) -> f64 {
        let mut stays: Vec<_> = self.visits.iter().map(|visit| (visit.came, visit.ended)).collect();
        stays.sort_unstable();
        let (mut busy, mut until) = (0, 0);
        for (came, ended) in stays {
            busy += ended.saturating_sub(came.max(until));
            until = until.max(ended);
        }
        busy as f64 / until.max(1) as f64
    }

    /// Answers a second, from the first to the last; 0 where there are not two.
    pub(crate) fn throughput(&self) -> f64 {
        let ends = || self.visits.iter().map(|visit| visit.ended);
        let (Some(first), Some(last)) = (ends().min(), ends().max()) else { return 0.0 };
        (self.visits.len() - 1) as f64 * 1e9 / (last - first).max(1) as f64
    }

    /// Of these requests alone.
    pub(crate) fn only(mut self, which: impl Fn(&Visit) -> bool) -> Self {
        self.visits.retain(which);
        self
    }

    fn mean(&self, of: impl Fn(&Visit) -> f64) -> f64 {
        self.visits.iter().map(of).sum::<f64>() / self.visits.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(stays: &[(Nanos, Nanos)]) -> Served {
        let visit = |(came, ended): &(Nanos, Nanos)| {
            let work = (ended - came) / 2;
            Visit { number: 0, came: *came, work, started: came + work, ended: *ended }
        };
        let looks = vec![(0.0, 2.0), (1.0, 0.0), (1.5, 4.0), (2.0, 1.0)];
        Served { visits: stays.iter().map(visit).collect(), looks }
    }

    #[test]
    fn time_with_two_requests_counts_once() {
        assert_eq!(served(&[(0, 10), (5, 8), (20, 40)]).busy_share(), 30.0 / 40.0);
        assert_eq!(served(&[]).busy_share(), 0.0);
    }

    #[test]
    fn what_was_seen_counts_until_the_next_look() {
        assert_eq!(served(&[]).request_seconds(), 2.0 + 2.0);
    }

    #[test]
    fn a_percentile_of_too_few_requests_is_unknown() {
        let hundreds = |n: u64| served(&(0..n).map(|i| (0, i)).collect::<Vec<_>>());
        assert_eq!(hundreds(999).response_quantile(0.99), None);
        assert_eq!(hundreds(1_000).response_quantile(0.99), Some(990.0));
    }

    #[test]
    fn work_that_does_not_vary_has_no_spread() {
        assert_eq!(served(&[(0, 10), (0, 10)]).spread(), None);
        assert_eq!(served(&[(0, 10), (0, 20)]).spread(), Some(1.0));
    }
}
