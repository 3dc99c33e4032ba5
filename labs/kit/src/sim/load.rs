//! Load: an open system, whose requests do not wait for answers, or a closed one, whose requests
//! do.

use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Distribution, Nanos};

/// Where requests come from.
pub enum Load<'a> {
    /// Requests at these times, ascending: those of a [`Profile`](super::Profile), or of a schedule
    /// that a live trial uses too.
    Open(Box<dyn Iterator<Item = Nanos> + 'a>),
    /// Clients that think, ask, wait for the answer, and think again.
    Closed {
        /// The number of clients.
        clients: u32,
        /// How long each thinks before it asks.
        think: Distribution,
        /// Draws the thinking times.
        rng: Xoshiro256PlusPlus,
        /// From this time on, no client asks.
        until: Nanos,
    },
}

impl std::fmt::Debug for Load<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open(_) => f.write_str("Open"),
            Self::Closed { clients, think, .. } => write!(f, "Closed({clients}, {think:?})"),
        }
    }
}

impl<'a> Load<'a> {
    /// An open system with requests at these times, ascending.
    pub fn open(starts: impl IntoIterator<Item = Nanos, IntoIter: 'a>) -> Self {
        Self::Open(Box::new(starts.into_iter()))
    }

    /// When the first requests come: one of an open system, one for each client of a closed one.
    pub fn first(&mut self) -> Vec<Nanos> {
        match self {
            Self::Open(starts) => starts.next().into_iter().collect(),
            Self::Closed { clients, .. } => {
                (0..*clients).filter_map(|_| self.next_after_answer(0)).collect()
            }
        }
    }

    /// A request has come: when the next one comes that waits for no answer.
    #[inline]
    pub fn next_after_arrival(&mut self) -> Option<Nanos> {
        match self {
            Self::Open(starts) => starts.next(),
            Self::Closed { .. } => None,
        }
    }

    /// A request has ended `now`: when the next request of its client comes.
    #[inline]
    pub fn next_after_answer(&mut self, now: Nanos) -> Option<Nanos> {
        match self {
            Self::Open(_) => None,
            Self::Closed { think, rng, until, .. } => {
                Some(now.saturating_add(think.draw(rng))).filter(|at| at < until)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_world_asks_without_answers_and_a_closed_one_does_not() {
        let mut open = Load::open([3, 5]);
        assert_eq!((open.first(), open.next_after_answer(4)), (vec![3], None));
        assert_eq!((open.next_after_arrival(), open.next_after_arrival()), (Some(5), None));
        let think = Distribution::constant(10.0).unwrap();
        let rng = crate::seed::rng(1, &[]);
        let mut closed = Load::Closed { clients: 2, think, rng, until: 50 };
        assert_eq!((closed.first(), closed.next_after_arrival()), (vec![10, 10], None));
        assert_eq!((closed.next_after_answer(30), closed.next_after_answer(40)), (Some(40), None));
    }
}
