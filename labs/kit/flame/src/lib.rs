//! Folded stacks as flame graphs, differential flame graphs and exports.
//!
//! Everything here is pure: bytes in, bytes out. Finding the files and naming the outputs is the
//! business of the caller. What takes long is not generic: it would be compiled in its caller, and
//! the runner is not optimised.
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
