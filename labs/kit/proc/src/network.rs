//! Network interfaces: `/proc/net/dev`, and their speed in `/sys/class/net`.

use std::io;

use crate::files::{lacks, line, text};

const PATH: &str = "/proc/net/dev";

/// The traffic of one direction of an interface since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes, with the link's headers.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Packets with errors.
    pub errors: u64,
    /// Packets dropped for lack of room.
    pub dropped: u64,
}

/// An interface of this network namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// `eth0`, `lo`.
    pub name: String,
    /// Traffic received.
    pub received: Traffic,
    /// Traffic sent.
    pub sent: Traffic,
}

impl Interface {
    /// `eth0: bytes packets errs drop fifo frame compressed multicast` of what was received, and
    /// eight more numbers of what was sent.
    fn parse(line: &str) -> Option<Self> {
        let (name, numbers) = line.rsplit_once(':')?;
        let numbers: Vec<u64> =
            numbers.split_whitespace().map_while(|number| number.parse().ok()).collect();
        let traffic = |at: usize| {
            let &[bytes, packets, errors, dropped] = numbers.get(at..at + 4)?.first_chunk()?;
            Some(Traffic { bytes, packets, errors, dropped })
        };
        Some(Self { name: name.trim().to_owned(), received: traffic(0)?, sent: traffic(8)? })
    }
}

/// All interfaces of this network namespace.
///
/// # Errors
/// This system has no /proc/net/dev.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let found: Vec<_> = text(PATH)?.lines().filter_map(Interface::parse).collect();
    if found.is_empty() { Err(lacks(PATH, "interface")) } else { Ok(found) }
}

/// The speed of an interface in one direction, in bytes per second; `None` if its driver does
/// not know it, as with most virtual ones.
pub fn speed(name: &str) -> Option<f64> {
    let mbit: f64 = line(&format!("/sys/class/net/{name}/speed"))?.parse().ok()?;
    (mbit > 0.0).then_some(mbit * 1e6 / 8.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_of_an_interface_are_read() {
        let line = "  eth0.1:573 35 1 2    0     0          0         0   254033    2752    4    5    0     0  0 0";
        let found = Interface::parse(line).unwrap();
        assert_eq!(found.name, "eth0.1");
        assert_eq!(found.received, Traffic { bytes: 573, packets: 35, errors: 1, dropped: 2 });
        assert_eq!(found.sent, Traffic { bytes: 254_033, packets: 2_752, errors: 4, dropped: 5 });
        assert_eq!(Interface::parse(" face |bytes    packets errs drop fifo"), None);
    }
}
