//! The probes against programs that know what they do (`examples/observed.rs`): exact where the
//! kernel counts, within 2 % where it times.
//!
//! They need the right to load BPF programs; without it each says so in one line and passes.

#![expect(
    clippy::unwrap_used,
    reason = "in a test's helper as in the test: a panic is the failure"
)]

mod counts;
mod endings;
mod losses;
mod requests;
mod rights;
mod support;
mod targets;
mod times;
