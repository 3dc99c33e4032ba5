//! Load over TCP: a server whose policies are data, and a client that keeps its schedule.
//!
//! A lab chooses how requests are queued, admitted and served, the number of connections, and when
//! a client gives up and retries; sockets, threads and counting are here. Every request carries its
//! own amount of work, so that all policies meet the same requests.

mod ask;
mod client;
mod controller;
pub mod frame;
mod peers;
mod queue;
mod requests;
mod retries;
mod server;
mod simulated;
mod stamped;

pub use ask::Asked;
pub use client::Client;
pub use controller::Controller;
pub use queue::{Admission, Discipline, Queue};
pub use retries::{Backoff, Budget, Retrier, Retries};
pub use server::{Pause, Running, Served, Server, Threads, Work};
pub use simulated::Simulated;

#[cfg(test)]
mod tests;
