//! The CPU sampler against programs whose truth is known (`examples/workload.rs`).
//!
//! No test needs root. Where the kernel refuses perf events each says so in one line and passes.
//! Rates are judged by CPU time and shares by their standard errors, so a busy machine fails none
//! of them.

#![expect(
    clippy::unwrap_used,
    reason = "in a test's helper as in the test: a panic is the failure"
)]

mod endings;
mod faults;
mod rates;
mod refusal;
mod shares;
mod stacks;
mod support;
