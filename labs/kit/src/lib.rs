//! The library that labs are written with, so that a lab contains only its experiment.
//!
//! A lab is a [`Lab`] value and a one-line `main`: [`main`](fn@main) turns it into a program that
//! can `describe` itself, `run` one trial and `judge` a whole run. A variant's function gets a
//! [`Ctx`], plans its [`Schedule`], paces it with [`pace`], files the end of every request in a
//! [`Ledger`], and records its own [`Series`].
//!
//! The kit also has what labs need of the machine: [`cpus`], a quota ([`cgroup`]), files on a disk
//! ([`scratch`]), a file system of its own ([`volume`]), untouched [`memory`], child processes
//! ([`child`]), the kernel's counters of a [`thread`], operations timed in turns ([`rows`]), and
//! work that takes CPU time ([`spin`]). A variant that lacks one of them calls
//! [`Ctx::unavailable`] and returns.
//!
#![doc = include_str!("../TUTORIAL.md")]

mod allocations;
mod arrivals;
pub mod cgroup;
mod chart;
mod check;
pub mod child;
mod clock;
pub mod cpus;
mod ctx;
mod diagnosis;
mod evidence;
mod falsify;
mod finding;
mod hiccup;
mod knob;
mod lab;
mod ledger;
mod lesson;
mod limits;
pub mod load;
pub mod loopback;
pub mod memory;
mod observation;
mod observer;
mod pace;
mod profile;
mod program;
mod rehearse;
mod request;
pub mod rows;
mod sampler;
pub mod scratch;
pub mod seed;
mod series;
mod settings;
mod sides;
pub mod sim;
pub mod spin;
mod story;
pub mod thread;
pub mod volume;

pub use allocations::{allocations, live_bytes};
pub use arrivals::{Arrivals, Schedule};
pub use chart::{Bar, Chart, ShownBy};
pub use check::{Assertion, Check, closed_form, live, observed, simulated};
pub use clap;
pub use clock::Clock;
pub use ctx::Ctx;
pub use diagnosis::Diagnosis;
pub use evidence::{Evidence, line_through};
pub use falsify::check_lab;
pub use finding::{Figure, Finding, Gap, Judged, statements};
pub use knob::Knob;
pub use lab::{Claim, Lab, Source, Variant, Verb};
pub use lab_proc as proc;
pub use lab_record::{CurveKind, End, Grid, How, Mode, parse_duration};
pub use lab_stats as stats;
pub use ledger::Ledger;
pub use lesson::{Answer, Figures, Lesson};
pub use limits::allow_open_files;
pub use observation::Observation;
pub use observer::Observer;
pub use pace::{Waking, pace, tighten_timer, wait_until};
pub use profile::CpuProfile;
pub use program::main;
pub use rehearse::{
    Rehearsal, fails_alone, judge_figures, rehearse, rehearse_observed, rehearse_probed, stub,
};
pub use request::Serving;
pub use sampler::{Samples, sample};
pub use series::{Series, Timeline};
pub use settings::Settings;
pub use sides::{Side, sample_in_turns};
pub use story::{Next, Story};
