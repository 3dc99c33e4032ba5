//! Counters of the network protocols: `/proc/net/snmp` and `/proc/net/netstat` (RFC 1213; Linux's
//! own are `TcpExt`).

use std::io;

use crate::files::text;

/// Counters since the network namespace was made: for each protocol a line of names and one of
/// numbers.
#[derive(Debug, Clone, Default)]
pub struct Protocols(String);

impl Protocols {
    /// Reads those of this network namespace. If one of the files is missing, only its counters
    /// are.
    ///
    /// # Errors
    /// This system has neither file.
    pub fn read() -> io::Result<Self> {
        match (text("/proc/net/snmp"), text("/proc/net/netstat")) {
            (Ok(snmp), netstat) => Ok(Self(snmp + &netstat.unwrap_or_default())),
            (_, Ok(netstat)) => Ok(Self(netstat)),
            (Err(error), _) => Err(error),
        }
    }

    /// A counter, by protocol and name: `Tcp`, `RetransSegs`.
    pub fn count(&self, protocol: &str, name: &str) -> Option<u64> {
        let of =
            |line: &'_ str| line.strip_prefix(protocol).is_some_and(|rest| rest.starts_with(':'));
        let mut lines = self.0.lines().filter(|line| of(line));
        while let (Some(names), Some(numbers)) = (lines.next(), lines.next()) {
            if let Some(at) = names.split(' ').position(|found| found == name) {
                return numbers.split(' ').nth(at)?.parse().ok();
            }
        }
        None
    }
}

impl From<&str> for Protocols {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_found_by_its_protocol_and_column() {
        let protocols = Protocols::from(
            "Tcp: MaxConn InSegs RetransSegs\nTcp: -1 30 4\nUdp: InErrors\nUdp: 2\n\
             TcpExt: ListenDrops\nTcpExt: 9\n",
        );
        assert_eq!(protocols.count("Tcp", "RetransSegs"), Some(4));
        assert_eq!(protocols.count("Tcp", "MaxConn"), None, "no limit is no count");
        assert_eq!(protocols.count("TcpExt", "ListenDrops"), Some(9));
        assert_eq!(protocols.count("Udp", "ListenDrops"), None);
    }
}
