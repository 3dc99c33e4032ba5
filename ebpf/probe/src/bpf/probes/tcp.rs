//! Shared by the TCP probes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use lab_probe_common::event::{Ends, Owner};
use lab_record::table::Cell;

use crate::bpf::btf::Field;
use crate::bpf::maps;

/// The fields with the ends of a socket.
pub(super) const SOCKET: &[Field] = &[
    Field { global: "SOCK_PROTOCOL", structure: "sock", field: "sk_protocol" },
    Field { global: "SOCK_STATE", structure: "sock_common", field: "skc_state" },
    Field { global: "SOCK_FAMILY", structure: "sock_common", field: "skc_family" },
    Field { global: "SOCK_LOCAL_PORT", structure: "inet_sock", field: "inet_sport" },
    Field { global: "SOCK_REMOTE_PORT", structure: "sock_common", field: "skc_dport" },
    Field { global: "SOCK_LOCAL", structure: "sock_common", field: "skc_rcv_saddr" },
    Field { global: "SOCK_REMOTE", structure: "sock_common", field: "skc_daddr" },
    Field { global: "SOCK_LOCAL_6", structure: "sock_common", field: "skc_v6_rcv_saddr" },
    Field { global: "SOCK_REMOTE_6", structure: "sock_common", field: "skc_v6_daddr" },
];

/// Process id and name; 0 and empty if unknown.
pub(super) fn owner(owner: &Owner) -> [Cell; 2] {
    let comm = maps::name(&owner.comm.bytes());
    [Cell::Count(owner.tgid), Cell::Text(comm)]
}

/// `address:port` of the local and of the remote end.
pub(super) fn ends(ends: &Ends) -> [Cell; 2] {
    let local = address(ends.family, ends.local, ends.local_port);
    let remote = address(ends.family, ends.remote, ends.remote_port);
    [local, remote].map(|address| Cell::Text(address.to_string()))
}

fn address(family: u16, bytes: [u8; 16], port: u16) -> SocketAddr {
    const IPV6: u16 = 10;
    let ip = if family == IPV6 {
        // An IPv4 address of an IPv6 socket is shown as IPv4.
        Ipv6Addr::from(bytes).to_canonical()
    } else {
        let [a, b, c, d, ..] = bytes;
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    SocketAddr::new(ip, port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_usual() {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&[127, 0, 0, 1]);
        assert_eq!(address(2, bytes, 80).to_string(), "127.0.0.1:80");
        assert_eq!(address(10, Ipv6Addr::LOCALHOST.octets(), 80).to_string(), "[::1]:80");
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets();
        assert_eq!(address(10, mapped, 80).to_string(), "127.0.0.1:80");
    }
}
