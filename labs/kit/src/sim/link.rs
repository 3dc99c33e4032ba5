//! The network between two machines.

use anyhow::ensure;
use rand::Rng;

use super::{Distribution, Nanos, whole};
use crate::seed;

/// One direction of a connection: messages wait for earlier ones to leave, each takes its own time
/// on the way, and some are lost.
#[derive(Debug, Clone)]
pub struct Link {
    delay: Distribution,
    ns_per_byte: f64,
    loss: f64,
    free: Nanos,
}

impl Link {
    /// A link where each message takes its own time, so that a later one may overtake an earlier
    /// one, as across connections. Nothing is lost, and a message's length does not matter.
    pub fn new(delay: Distribution) -> Self {
        Self { delay, ns_per_byte: 0.0, loss: 0.0, free: 0 }
    }

    /// Limits the bandwidth: bytes leave one after another, at this rate.
    ///
    /// # Errors
    /// The bandwidth is not above 0.
    pub fn bandwidth(self, bytes_per_second: f64) -> anyhow::Result<Self> {
        ensure!(
            bytes_per_second > 0.0,
            "a link of {bytes_per_second} bytes/s: nothing would ever arrive"
        );
        Ok(Self { ns_per_byte: 1e9 / bytes_per_second, ..self })
    }

    /// Loses this share of messages. They still take bandwidth.
    ///
    /// # Errors
    /// The share is not between 0 and 1.
    pub fn loss(self, share: f64) -> anyhow::Result<Self> {
        ensure!((0.0..=1.0).contains(&share), "a link that loses a share of {share}");
        Ok(Self { loss: share, ..self })
    }

    /// Sends a message, and returns when it arrives; `None` if it is lost. Each takes two numbers
    /// from `rng`, lost or not, so that losing one changes nothing for the next.
    pub fn send(&mut self, now: Nanos, bytes: u64, rng: &mut impl Rng) -> Option<Nanos> {
        let left = self.free.max(now).saturating_add(whole(bytes as f64 * self.ns_per_byte));
        self.free = left;
        let lost = seed::unit(rng.next_u64()) < self.loss;
        let arrives = left.saturating_add(self.delay.draw(rng));
        (!lost).then_some(arrives)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(ns: f64) -> Link {
        Link::new(Distribution::constant(ns).unwrap())
    }

    #[test]
    fn messages_leave_one_after_another_at_the_bandwidth() {
        let mut link = link(1_000.0).bandwidth(1e9).unwrap();
        let mut rng = seed::rng(1, &[]);
        assert_eq!(link.send(0, 500, &mut rng), Some(1_500));
        assert_eq!(link.send(100, 300, &mut rng), Some(1_800), "after the first has left");
        assert_eq!(link.send(5_000, 300, &mut rng), Some(6_300));
    }

    #[test]
    fn a_share_of_messages_is_lost_and_the_others_arrive_as_they_would_have() {
        let arrivals = |loss: f64| {
            let delay = Distribution::exponential(1e6).unwrap();
            let mut link = Link::new(delay).loss(loss).unwrap();
            let mut rng = seed::rng(1, &[]);
            (0..10_000).map(|at| link.send(at, 0, &mut rng)).collect::<Vec<_>>()
        };
        let (some, all) = (arrivals(0.1), arrivals(0.0));
        let lost = some.iter().filter(|at| at.is_none()).count();
        assert!((900..1_100).contains(&lost), "{lost}");
        assert!(some.iter().zip(&all).all(|(some, all)| some.is_none() || some == all));
        assert!(arrivals(1.0).iter().all(Option::is_none));
        let overtaken = all.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!(overtaken > 4_000, "{overtaken}: each takes its own time");
    }

    #[test]
    fn a_link_without_bandwidth_or_with_an_impossible_loss_is_refused() {
        for (refused, value) in [
            (link(0.0).bandwidth(0.0), "0 bytes/s"),
            (link(0.0).bandwidth(-3.0), "-3 bytes/s"),
            (link(0.0).bandwidth(f64::NAN), "NaN bytes/s"),
            (link(0.0).loss(1.5), "1.5"),
            (link(0.0).loss(f64::NAN), "NaN"),
        ] {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains(value), "{error}");
        }
    }
}
