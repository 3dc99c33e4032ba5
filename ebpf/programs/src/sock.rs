//! A TCP socket in the kernel.

use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::event::Ends;

use lab_programs::task::Task;
use lab_programs::{global, globals};

globals! {
    /// Where `sock` has `sk_protocol`.
    SOCK_PROTOCOL: u32 = 0;
    /// Where `sock_common` has `skc_state`.
    SOCK_STATE: u32 = 0;
    /// Where `sock_common` has `skc_family`.
    SOCK_FAMILY: u32 = 0;
    /// Where `inet_sock` has `inet_sport`, which stays when `skc_num` is released.
    SOCK_LOCAL_PORT: u32 = 0;
    /// Where `sock_common` has `skc_dport`.
    SOCK_REMOTE_PORT: u32 = 0;
    /// Where `sock_common` has `skc_rcv_saddr`.
    SOCK_LOCAL: u32 = 0;
    /// Where `sock_common` has `skc_daddr`.
    SOCK_REMOTE: u32 = 0;
    /// Where `sock_common` has `skc_v6_rcv_saddr`.
    SOCK_LOCAL_6: u32 = 0;
    /// Where `sock_common` has `skc_v6_daddr`.
    SOCK_REMOTE_6: u32 = 0;
}

const IPV6: u16 = 10;

/// A `sock`. `sock_common`, `inet_sock` and `tcp_sock` begin at the same address.
#[derive(Clone, Copy)]
pub struct Sock(Task);

impl Sock {
    /// The first argument of the tracepoint, if it is a TCP socket.
    #[inline(always)]
    pub fn of(ctx: &BtfTracePointContext) -> Option<Self> {
        const TCP: u16 = 6;
        let sock = Self(Task::arg(ctx, 0));
        (sock.read::<u16>(global!(SOCK_PROTOCOL)) == TCP).then_some(sock)
    }

    /// The field at `offset`; zero if it cannot be read.
    #[inline(always)]
    pub fn read<T: Default>(self, offset: u32) -> T {
        self.0.read(offset).unwrap_or_default()
    }

    /// Addresses, ports and state.
    #[inline(always)]
    pub fn ends(self) -> Ends {
        let mut ends = Ends {
            family: self.read(global!(SOCK_FAMILY)),
            local_port: u16::from_be(self.read(global!(SOCK_LOCAL_PORT))),
            remote_port: u16::from_be(self.read(global!(SOCK_REMOTE_PORT))),
            state: self.read::<u8>(global!(SOCK_STATE)).into(),
            ..Ends::default()
        };
        if ends.family == IPV6 {
            ends.local = self.read(global!(SOCK_LOCAL_6));
            ends.remote = self.read(global!(SOCK_REMOTE_6));
        } else {
            ends.local[..4].copy_from_slice(&self.read::<[u8; 4]>(global!(SOCK_LOCAL)));
            ends.remote[..4].copy_from_slice(&self.read::<[u8; 4]>(global!(SOCK_REMOTE)));
        }
        ends
    }
}
