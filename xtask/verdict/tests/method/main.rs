//! What the method has to meet: sizes, powers, and answers to bad input, on recorded noise.
//!
//! Every simulation is seeded, so its figures (`--nocapture` prints them) are those that anyone
//! gets.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its own data is a failed test")]

mod noise;

mod burst;
mod comparable;
mod drift;
mod outcomes;
mod output;
mod pooled;
mod power;
mod record;
mod requests;
mod scipy;
mod size;
