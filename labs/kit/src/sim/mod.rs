//! Simulated time: events, servers, links and load that run as fast as they can be computed, with
//! byte-identical results for the same seed on every machine.
//!
//! A simulation is a loop over the events of an [`Agenda`], with a `match` on the lab's own enum.
//! The parts know no clock but the `now` that they are given:
//!
//! ```
//! use lab_kit::sim::{Agenda, Discipline, Distribution, Station, theory};
//!
//! enum Event { Arrival, End { server: u32, came: u64 } }
//!
//! # fn main() -> anyhow::Result<()> {
//! let (mut gaps, mut services) = (lab_kit::seed::rng(1, &[0]), lab_kit::seed::rng(1, &[1]));
//! let gap = Distribution::exponential(2e6)?; // nanoseconds
//! let service = Distribution::exponential(1e6)?;
//! let mut server = Station::new(1, Discipline::Fifo)?;
//! let mut agenda = Agenda::until(600_000_000_000);
//! let (mut sum, mut count) = (0, 0);
//! agenda.at(gap.draw(&mut gaps), Event::Arrival);
//! while let Some(event) = agenda.step()? {
//!     let now = agenda.now();
//!     match event {
//!         Event::Arrival => {
//!             let _ = server.arrive(now, now); // a job is the time at which it came
//!             agenda.after(gap.draw(&mut gaps), Event::Arrival);
//!         }
//!         Event::End { server: number, came } => {
//!             server.end(now, number);
//!             (sum, count) = (sum + now - came, count + 1);
//!         }
//!     }
//!     while let Some((server, came)) = server.start(now) {
//!         agenda.after(service.draw(&mut services), Event::End { server, came });
//!     }
//! }
//! let expected = theory::MMc { arrivals: 1.0 / 2e6, service: 1e6, servers: 1 }.response();
//! assert!((sum as f64 / count as f64 / expected - 1.0).abs() < 0.05);
//! # Ok(())
//! # }
//! ```
//!
//! Each random draw takes one uniform number, by inversion, with the logarithm and power of the
//! `libm` crate: the standard library uses the platform's C library, and these differ in the last
//! bit.
//!
//! A server that also runs live is a state machine: given what arrives and the time, it says what
//! to send and when to call it next. Sockets and threads drive it in a live trial; here an
//! [`Alarm`] keeps its next call in the agenda.
//!
//! Values of one simulation resemble their neighbours: [`batch_means`](crate::stats::batch_means)
//! gives their mean an interval.

mod agenda;
mod average;
mod distribution;
mod knots;
mod link;
mod load;
mod normal;
mod profile;
mod queue;
mod sharing;
mod station;
pub mod theory;
mod zipf;

pub use agenda::{Agenda, Alarm, Endless};
pub use average::TimeWeighted;
pub use distribution::Distribution;
pub use knots::Knots;
pub use link::Link;
pub use load::Load;
pub(crate) use normal::standard_normal;
pub use profile::{Profile, Spacing};
pub use queue::{Visit, serve};
pub use sharing::Sharing;
pub use station::{Discipline, Station};
pub use zipf::Zipf;

#[cfg(test)]
mod against_theory;

/// Nanoseconds of simulated time: a time since the trial began, or a duration.
pub type Nanos = u64;

/// The nearest whole number of nanoseconds, within the bounds of [`Nanos`].
pub(crate) fn whole(ns: f64) -> Nanos {
    (ns + 0.5) as Nanos
}
