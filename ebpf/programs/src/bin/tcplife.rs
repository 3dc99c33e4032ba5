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

/// The arguments are `sk, oldstate, newstate`.
#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state(ctx: BtfTracePointContext) {
    let Some(sock) = Sock::of(&ctx) else { return };
    let key = ctx.arg::<u64>(0);
    match ctx.arg::<u32>(2) {
        state::SYN_SENT => begin(key, false, known()),
        state::SYN_RECEIVED => begin(key, false, Owner::default()),
        state::ESTABLISHED => match SESSIONS.get_ptr_mut(key) {
            // SAFETY: the socket is locked.
            Some(session) => unsafe { (*session).established = 1 },
            None => begin(key, true, Owner::default()),
        },
        // Closing is up to the owner.
        state::FIN_WAIT_1 | state::LAST_ACK => {
            if let Some(session) = SESSIONS.get_ptr_mut(key) {
                // SAFETY: the socket is locked.
                unsafe { (*session).owner = known() };
            }
        }
        state::CLOSED => end(key, sock),
        _ => {}
    }
}

#[inline(always)]
fn begin(key: u64, established: bool, owner: Owner) {
    let session = Session { born_ns: now_ns(), established: established.into(), owner };
    kept(SESSIONS.insert(key, session, 0));
}

/// The running process, if it is observed.
#[inline(always)]
fn known() -> Owner {
    let task = Task::current();
    if observed(task) { task.owner() } else { Owner::default() }
}

#[inline(always)]
fn end(key: u64, sock: Sock) {
    // SAFETY: the socket is locked.
    let Some(&Session { born_ns, established, owner }) = (unsafe { SESSIONS.get(key) }) else {
        return;
    };
    let _ = SESSIONS.remove(key);
    if established == 0 || (owner.tgid == 0 && !observes(EVERYONE)) {
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
