//! How long tasks waited for a resource: `/proc/pressure` (Linux 4.20,
//! Documentation/accounting/psi.rst).

use std::io;
use std::time::Duration;

use crate::files::{lacks, text};

/// The pressure on `cpu`, `memory` or `io`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pressure {
    /// Time since the machine was started in which at least one task waited.
    pub some: Duration,
    /// The part of it in which all tasks that were not idle waited.
    pub full: Duration,
    /// The share of the last 10 s in which at least one task waited, in percent.
    pub some_avg10: f64,
}

impl Pressure {
    /// `some avg10=1.66 avg60=… avg300=… total=<µs>`, and the same for `full`, which CPUs lack
    /// before Linux 5.13.
    fn parse(text: &str) -> Option<Self> {
        let value = |line: &str, name: &str| -> Option<f64> {
            let line = text.lines().find_map(|found| found.strip_prefix(line))?;
            line.split(' ').find_map(|field| field.strip_prefix(name))?.parse().ok()
        };
        let total = |line| value(line, "total=").map(|us| Duration::from_micros(us as u64));
        Some(Self {
            some: total("some ")?,
            full: total("full ").unwrap_or_default(),
            some_avg10: value("some ", "avg10=")?,
        })
    }
}

/// The waits for `resource`.
///
/// # Errors
/// This kernel keeps no account of them: before Linux 4.20, or started with `psi=0`.
pub fn pressure(resource: &str) -> io::Result<Pressure> {
    let path = format!("/proc/pressure/{resource}");
    Pressure::parse(&text(&path)?).ok_or_else(|| lacks(&path, "line `some`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_microseconds_and_full_may_be_missing() {
        let some = "some avg10=1.66 avg60=0.50 avg300=0.10 total=2500000\n";
        let both = format!("{some}full avg10=0.00 avg60=0.00 avg300=0.00 total=1000\n");
        let waited = Pressure::parse(&both).unwrap();
        assert_eq!((waited.some_avg10, waited.some), (1.66, Duration::from_millis(2_500)));
        assert_eq!(waited.full, Duration::from_millis(1));
        assert_eq!(Pressure::parse(some).unwrap().full, Duration::ZERO);
        assert_eq!(Pressure::parse(""), None);
    }
}
