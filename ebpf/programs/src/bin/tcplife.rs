//! TCP connections from their first state to their last, with the bytes that they carried. Those
//! that were never established, and those older than the probe, are not counted.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, PerCpuArray, RingBuf};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::event::{Owner, TcpSession};
use lab_probe_common::histogram;
use lab_probe_common::tally::RING_FULL;
use lab_probe_common::target::EVERYONE;
use lab_probe_common::tcp::{Session, state};
use lab_programs::add::add;
use lab_programs::clock::now_ns;
use lab_programs::histogram::record;
use lab_programs::tally::{count, kept};
use lab_programs::target::{observed, observes};
use lab_programs::task::Task;
use lab_programs::{global, globals, program};

use sock::Sock;

#[path = "../sock.rs"]
mod sock;

program!();

globals! {
    /// Where `sock` has `sk_lock`, and that has `owned`.
    SOCK_OWNED: u32 = 0;
    /// Where `tcp_sock` has `bytes_sent`: payload, with retransmissions.
    TCP_SENT: u32 = 0;
    /// Where `tcp_sock` has `bytes_retrans`.
    TCP_SENT_AGAIN: u32 = 0;
    /// Where `tcp_sock` has `bytes_received`: payload, and 1 for a FIN.
    TCP_RECEIVED: u32 = 0;
    /// Where `sock_common` has `skc_flags`.
    SOCK_FLAGS: u32 = 0;
}

/// Open connections, by the kernel's address of their sockets.
#[map]
static SESSIONS: HashMap<u64, Session> = HashMap::with_max_entries(32768, 0);

/// Lifetimes in nanoseconds.
#[map]
static LIFETIME: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

#[map]
static EVENTS_RING: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// Connections that ended before a process was seen to use them.
#[map]
static UNOWNED: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// The arguments are `sk, oldstate, newstate`.
#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state(ctx: BtfTracePointContext) {
    let Some(sock) = Sock::of(&ctx) else { return };
    let (key, to) = (ctx.arg::<u64>(0), ctx.arg::<u32>(2));
    match to {
        state::SYN_SENT | state::SYN_RECEIVED => begin(key, false),
        state::ESTABLISHED => match SESSIONS.get_ptr_mut(key) {
            // SAFETY: the socket is locked.
            Some(session) => unsafe { (*session).established = 1 },
            None => begin(key, true),
        },
        _ => {}
    }
    // While a process works on its socket the socket is locked, and packets wait. At other times a
    // packet is handled on the thread that it happens to interrupt.
    if to == state::SYN_SENT || sock.read::<u32>(global!(SOCK_OWNED)) != 0 {
        // The process that closes it owns it, even if another did before: it may have been passed
        // to a child process.
        own(key, matches!(to, state::FIN_WAIT_1 | state::LAST_ACK));
    }
    if to == state::CLOSED {
        end(key, sock);
    }
}

/// Runs when a call to send returns.
#[btf_tracepoint(function = "sock_send_length")]
fn sock_send_length(ctx: BtfTracePointContext) {
    if Sock::of(&ctx).is_some() {
        own(ctx.arg(0), false);
    }
}

/// Runs when a call to receive returns.
#[btf_tracepoint(function = "sock_recv_length")]
fn sock_recv_length(ctx: BtfTracePointContext) {
    if Sock::of(&ctx).is_some() {
        own(ctx.arg(0), false);
    }
}

#[inline(always)]
fn begin(key: u64, established: bool) {
    let session = Session {
        born_ns: now_ns(),
        established: established.into(),
        observed: 0,
        owner: Owner::default(),
    };
    kept(SESSIONS.insert(key, session, 0));
}

/// Makes the running process the owner of a known connection, if it has none or `replace` is set.
#[inline(always)]
fn own(key: u64, replace: bool) {
    let Some(session) = SESSIONS.get_ptr_mut(key) else { return };
    // SAFETY: the socket is locked, or only processes that use it write here: any of them is
    // correct.
    let session = unsafe { &mut *session };
    if session.owner.tgid == 0 || replace {
        let task = Task::current();
        session.observed = observed(task).into();
        session.owner = task.owner();
    }
}

#[inline(always)]
fn end(key: u64, sock: Sock) {
    // SAFETY: the socket is locked.
    let Some(&Session { born_ns, established, observed, owner }) = (unsafe { SESSIONS.get(key) })
    else {
        return;
    };
    let _ = SESSIONS.remove(key);
    if established == 0 {
        return;
    }
    if owner.tgid == 0
        && let Some(unowned) = UNOWNED.get_ptr_mut(0)
    {
        add(unowned, 1);
    }
    if observed == 0 && !(owner.tgid == 0 && observes(EVERYONE)) {
        return;
    }
    let time_ns = now_ns();
    let lived_ns = time_ns.saturating_sub(born_ns);
    record(&LIFETIME, lived_ns);
    let Some(mut event) = EVENTS_RING.reserve::<TcpSession>(0) else {
        count(RING_FULL);
        return;
    };
    /// The bit of SOCK_DONE: the other end's FIN was received.
    const DONE: u64 = 1 << 1;
    let finished = sock.read::<u64>(global!(SOCK_FLAGS)) & DONE != 0;
    event.write(TcpSession {
        time_ns,
        lived_ns,
        sent: sock
            .read::<u64>(global!(TCP_SENT))
            .saturating_sub(sock.read::<u32>(global!(TCP_SENT_AGAIN)).into()),
        received: sock.read::<u64>(global!(TCP_RECEIVED)).saturating_sub(finished.into()),
        owner,
        ends: sock.ends(),
    });
    event.submit(0);
}
