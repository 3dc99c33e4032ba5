//! What mathematics says the lab must measure: closed forms, and service distributions calibrated
//! to printed tables.
//!
//! Nothing here reads a clock, a socket or a random generator: every distribution is a pure
//! function of uniform draws, so a server gets its time from (seed, request, leaf) and keeps no
//! state. Times are milliseconds in `f64`, the unit of the sources; `Duration` begins where the
//! servers do.

pub mod bigtable;
pub mod fanout;
pub mod table1;
pub mod table2;
pub mod tied;
