//! End-to-end tests: each runs the real commands in a workspace of its own.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails its test")]

mod action;
mod answer;
mod bad_input;
mod compare;
mod damage;
mod falsify;
mod flame;
mod imports;
mod learn;
mod limits;
mod misbehaviour;
mod new_lab;
mod odd_places;
mod probe;
mod record;
#[path = "../../ebpf/probe/tests/cpu/refusal.rs"]
mod refusal;
mod resume;
mod runs;
mod signals;
mod verbs;
mod workshop;
