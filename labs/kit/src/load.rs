//! Load over TCP: a server whose policies are data, and a client that keeps its schedule.
//!
//! A lab says how requests are queued, admitted and worked on, how many connections ask, when a client
//! gives up and tries again; sockets, threads and accounts are here. Every request says itself how much
//! work it is, so that all policies meet the same requests.

mod client;
mod controller;
pub mod frame;
mod queue;
mod server;

pub use client::{Asked, Client, Retries};
pub use controller::Controller;
pub use queue::{Admission, Discipline, Queue};
pub use server::{Pause, Running, Served, Server, Threads, Work};

#[cfg(test)]
mod tests;
