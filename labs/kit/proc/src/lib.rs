//! Readers of `/proc`, `/sys` and cgroups: one parser for each file, without tokio.
#![warn(missing_docs)]
