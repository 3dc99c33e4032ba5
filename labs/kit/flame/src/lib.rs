//! Folded stacks as flame graphs, differential flame graphs and exports.
//!
//! Everything here is pure: bytes in, bytes out. The caller finds the files and names the outputs.
//! Slow functions are not generic: a generic function is compiled in the crate that calls it, and
//! the runner is built without optimisation.
//!
//! ```
//! use lab_flame::{draw, folded::Folded};
//!
//! let folded = Folded::parse("example", b"main;parse 20\nmain;run 80\n")?;
//! let mut svg = Vec::new();
//! draw::draw(&folded, &draw::Options::default(), &mut svg)?;
//! assert!(String::from_utf8(svg)?.contains("run (80 samples, 80.00%)"));
//! # Ok::<(), anyhow::Error>(())
//! ```

pub mod diff;
pub mod draw;
pub mod drawn;
pub mod export;
pub mod folded;
mod input;
pub mod strip;
