//! TCP connections from their first state to their last, with what they carried. Those that never were established,
//! and those older than the probe, are none.
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
    /// Where `tcp_sock` has `bytes_sent`: payload, and again what was sent again.
    TCP_SENT: u32 = 0;
    /// Where `tcp_sock` has `bytes_retrans`.
    TCP_SENT_AGAIN: u32 = 0;
    /// Where `tcp_sock` has `bytes_received`: payload, and one for a FIN.
    TCP_RECEIVED: u32 = 0;
    /// Where `sock_common` has `skc_flags`.
    SOCK_FLAGS: u32 = 0;
}

/// Connections that live, by the kernel's address of their sockets.
#[map]
static SESSIONS: HashMap<u64, Session> = HashMap::with_max_entries(32768, 0);

/// Nanoseconds lived.
#[map]
static LIFETIME: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

#[map]
static EVENTS_RING: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// Connections that ended before anybody was known to have them.
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
    // A process locks its socket as long as it works on it, and a packet that comes meanwhile waits; one that comes
    // otherwise is looked at on whichever thread it has interrupted.
    if to == state::SYN_SENT || sock.read::<u32>(global!(SOCK_OWNED)) != 0 {
        // One who closes it has it, whoever had it before: it may have been handed to a child process.
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

/// The running process has the connection, if it is one that is known, and nobody or `whoever` had it before.
#[inline(always)]
fn own(key: u64, whoever: bool) {
    let Some(session) = SESSIONS.get_ptr_mut(key) else { return };
    // SAFETY: the socket is locked, or it is written by those alone who use it: any of them is right.
    let session = unsafe { &mut *session };
    if session.owner.tgid == 0 || whoever {
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
