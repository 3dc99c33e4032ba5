//! A client of many connections on one thread: how it behaves, apart from when it asks.

use std::time::Duration;

use super::retries::Retries;

/// How clients behave, apart from when they ask.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    /// Connections that take the requests in turn. Each stands for one client with its own budget
    /// of retries.
    pub connections: usize,
    /// The most requests in flight; further ones are dropped and counted.
    pub at_most_in_flight: u64,
    /// How long an attempt may take before the client gives it up.
    pub timeout: Duration,
    /// What the client does after a timeout or refusal.
    pub retries: Retries,
    /// The tick that starts are rounded up to, as in a client with coarse timers; zero for none.
    /// The delay shows in the lateness.
    pub tick: Duration,
}
