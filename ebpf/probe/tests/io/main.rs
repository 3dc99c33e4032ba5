//! Probes of the network, block devices, files and memory against programs whose counts are known
//! (`examples/counted.rs`): what the kernel counts is exact, what it times is within 2 % of the
//! program's own clock.
//!
//! Where the kernel or the user's rights refuse BPF, each test says so in one line and passes.

#![cfg(feature = "ebpf")]
#![expect(
    clippy::unwrap_used,
    reason = "in a test's helper as in the test: a panic is the failure"
)]

mod calls;
mod files;
mod functions;
mod memory;
mod support;
mod tcp;
