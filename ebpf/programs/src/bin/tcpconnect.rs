//! Attempts to connect by TCP: how long they took, and their results. One that fails before a SYN
//! is sent is not counted.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, PerCpuArray, RingBuf};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::event::TcpConnect;
use lab_probe_common::histogram;
use lab_probe_common::tally::{EVENTS, RING_FULL};
use lab_probe_common::tcp::{Session, state};
use lab_programs::clock::now_ns;
use lab_programs::histogram::record;
use lab_programs::tally::{count, kept};
use lab_programs::target::observed;
use lab_programs::task::Task;
use lab_programs::{global, globals, program};

use sock::Sock;

#[path = "../sock.rs"]
mod sock;

program!();

globals! {
    /// Where `sock` has `sk_err`.
    SOCK_ERROR: u32 = 0;
}

/// Attempts in progress, by the kernel's address of their sockets.
#[map]
static ATTEMPTS: HashMap<u64, Session> = HashMap::with_max_entries(32768, 0);

/// Nanoseconds until a connection was established.
#[map]
static LATENCY: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

#[map]
static EVENTS_RING: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// The arguments are `sk, oldstate, newstate`.
#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state(ctx: BtfTracePointContext) {
    let Some(sock) = Sock::of(&ctx) else { return };
    let (key, from, to) = (ctx.arg::<u64>(0), ctx.arg::<u32>(1), ctx.arg::<u32>(2));
    if to == state::SYN_SENT {
        begin(key);
    } else if from == state::SYN_SENT {
        end(key, sock, to == state::CLOSED);
    }
}

#[inline(always)]
fn begin(key: u64) {
    let task = Task::current();
    if observed(task) {
        let attempt =
            Session { born_ns: now_ns(), established: 0, observed: 1, owner: task.owner() };
        kept(ATTEMPTS.insert(key, attempt, 0));
    }
}

#[inline(always)]
fn end(key: u64, sock: Sock, failed: bool) {
    // SAFETY: the socket is locked.
    let Some(&Session { born_ns, owner, .. }) = (unsafe { ATTEMPTS.get(key) }) else { return };
    let _ = ATTEMPTS.remove(key);
    let time_ns = now_ns();
    let took_ns = time_ns.saturating_sub(born_ns);
    /// The caller gave up.
    const ECANCELED: u64 = 125;
    let error = if failed {
        Some(sock.read::<u32>(global!(SOCK_ERROR)).into())
            .filter(|&error| error != 0)
            .unwrap_or(ECANCELED)
    } else {
        0
    };
    if failed {
        count(EVENTS);
    } else {
        record(&LATENCY, took_ns);
    }
    let Some(mut event) = EVENTS_RING.reserve::<TcpConnect>(0) else {
        count(RING_FULL);
        return;
    };
    event.write(TcpConnect { time_ns, took_ns, error, owner, ends: sock.ends() });
    event.submit(0);
}
