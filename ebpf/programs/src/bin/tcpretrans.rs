//! TCP segments that are sent again.
//!
//! The kernel retransmits on no process's behalf: the owner of a socket is the process that was
//! seen to connect or send.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, RingBuf};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::event::{Owner, TcpRetransmit};
use lab_probe_common::tally::{EVENTS, RING_FULL};
use lab_probe_common::target::EVERYONE;
use lab_probe_common::tcp::state;
use lab_programs::clock::now_ns;
use lab_programs::tally::{count, kept};
use lab_programs::target::{observed, observes};
use lab_programs::task::Task;
use lab_programs::{global, globals, program};

use sock::Sock;

#[path = "../sock.rs"]
mod sock;

program!();

globals! {
    /// Whether the tracepoint has an argument `err`.
    HAS_ERROR: u32 = 0;
}

/// Owners of sockets, by the kernel's address of the socket.
#[map]
static OWNERS: HashMap<u64, Owner> = HashMap::with_max_entries(32768, 0);

#[map]
static EVENTS_RING: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// The arguments are `sk, oldstate, newstate`.
#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state(ctx: BtfTracePointContext) {
    if Sock::of(&ctx).is_none() {
        return;
    }
    match ctx.arg::<u32>(2) {
        state::SYN_SENT => own(ctx.arg(0)),
        state::CLOSED => {
            let _ = OWNERS.remove(ctx.arg::<u64>(0));
        }
        _ => {}
    }
}

/// Runs when a call to send returns.
#[btf_tracepoint(function = "sock_send_length")]
fn sock_send_length(ctx: BtfTracePointContext) {
    let key = ctx.arg::<u64>(0);
    // SAFETY: only the entry's existence is checked.
    if unsafe { OWNERS.get(key) }.is_none() && Sock::of(&ctx).is_some() {
        own(key);
    }
}

#[inline(always)]
fn own(key: u64) {
    let task = Task::current();
    if observed(task) {
        kept(OWNERS.insert(key, task.owner(), 0));
    }
}

/// The arguments are `sk, skb, err`. Older kernels have no `err`, and report only what was sent.
#[btf_tracepoint(function = "tcp_retransmit_skb")]
fn tcp_retransmit_skb(ctx: BtfTracePointContext) {
    // It was not sent: for example, the first copy has not left this machine yet.
    if global!(HAS_ERROR) != 0 && ctx.arg::<u32>(2) != 0 {
        return;
    }
    let Some(sock) = Sock::of(&ctx) else { return };
    // SAFETY: the socket is locked.
    let owner = unsafe { OWNERS.get(ctx.arg::<u64>(0)) }.copied();
    if owner.is_none() && !observes(EVERYONE) {
        return;
    }
    let Some(mut event) = EVENTS_RING.reserve::<TcpRetransmit>(0) else {
        count(RING_FULL);
        return;
    };
    count(EVENTS);
    let owner = owner.unwrap_or_default();
    event.write(TcpRetransmit { time_ns: now_ns(), owner, ends: sock.ends() });
    event.submit(0);
}
