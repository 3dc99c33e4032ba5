//! LAB-13: a recursion without an end, until the stack has no room.

use std::hint::black_box;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use lab_kit::{Ctx, Diagnosis, Evidence, Figure, Gap};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, getrlimit, set_dumpable_behavior, setrlimit,
};

use crate::account::{end, note, noted, usage};
use crate::{has_problem, part};

/// The share of processes that ended by SIGSEGV.
pub(crate) const CRASHED: &str = "crashed";
/// What such a process touched of its stack, in MiB.
pub(crate) const TOUCHED: &str = "touched";
/// Room for the stack of a process, in MiB.
pub(crate) const ROOM_MIB: u64 = 16;

pub(crate) const DIAGNOSIS: Diagnosis = Diagnosis {
    resource: "memory",
    functions: &["walk"],
    ask: "`walk` calls itself until its process ends. How many MiB of stack has it touched then?",
    of: "MiB",
    count: |e| match noted(e, "2", CRASHED)? {
        1.0 => Ok(Figure::exact(noted(e, "2", TOUCHED)?, "MiB")),
        _ => Err(Gap::Invalid("not every process of it ended as it does".into())),
    },
    tolerance: 0.15,
    because: "`walk` finds no end, and each call needs a frame: the stack grows by page faults up to \
              its limit of 16 MiB, and the next page is the kernel's SIGSEGV. Then it is started \
              again.",
};

/// A walk without an end, or one that turns back at this depth.
const ENDLESS: &str = "a";
const BOUNDED: &str = "b";
/// Touches hardly any stack: what starting a process costs.
const NONE: &str = "c";

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    if getrlimit(Resource::Stack).maximum.is_some_and(|most| most < ROOM_MIB << 20) {
        let fix = format!("ulimit -Hs {}, as root", ROOM_MIB << 10);
        ctx.unavailable("a hard limit (ulimit -Hs) is lower than it needs", fix);
        return Ok(());
    }
    let until = end(ctx);
    let what = if has_problem(ctx) { ENDLESS } else { BOUNDED };
    let start = |what: &str| -> anyhow::Result<(bool, f64)> {
        let before = usage(libc::RUSAGE_CHILDREN).ru_minflt;
        let ended = part::run("2", what, Stdio::null())?;
        let crashed = ended.signal() == Some(Signal::SEGV.as_raw());
        ensure!(crashed || ended.success(), "a process of program 2 {ended}");
        Ok((crashed, (usage(libc::RUSAGE_CHILDREN).ru_minflt - before) as f64))
    };
    let (_, to_start) = start(NONE)?;
    let (mut crashed, mut started, mut faults) = (0.0, 0.0, 0.0);
    while Instant::now() < until {
        let (crash, touched) = start(what)?;
        (crashed, started) = (crashed + f64::from(u8::from(crash)), started + 1.0);
        faults += touched - to_start;
    }
    let pages_a_mib = ((1 << 20) / lab_kit::proc::page_bytes()) as f64;
    note(ctx, CRASHED, crashed / f64::max(started, 1.0));
    note(ctx, TOUCHED, faults / f64::max(started, 1.0) / pages_a_mib);
    Ok(())
}

/// One of the processes.
///
/// # Errors
/// The kernel's.
pub(crate) fn part(what: &str) -> anyhow::Result<()> {
    let limit = |resource, bytes| {
        let Rlimit { maximum, .. } = getrlimit(resource);
        setrlimit(resource, Rlimit { current: Some(bytes), maximum })
    };
    // With a limit of one byte no core file is written, and no program is given one, either.
    limit(Resource::Core, 1)
        .or_else(|_| set_dumpable_behavior(DumpableBehavior::NotDumpable))
        .context("leave no core file")?;
    limit(Resource::Stack, ROOM_MIB << 20).context("limit the stack")?;
    // SAFETY: the standard library's handler, which would end the process by SIGABRT, is not needed.
    unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
    let depth = match what {
        ENDLESS => u64::MAX,
        BOUNDED => 400,
        _ => 0,
    };
    black_box(walk(0, depth));
    Ok(())
}

/// The bytes of a frame, and how many of them it takes until a node has to be waited for.
const FRAME: usize = 1_000;
const NODES: u64 = 8;
const WAIT: Duration = Duration::from_micros(200);

#[inline(never)]
fn walk(at: u64, depth: u64) -> u64 {
    let mut node = [0_u8; FRAME];
    black_box(&mut node);
    if at.is_multiple_of(NODES) {
        sleep(WAIT);
    }
    let below = if at < depth { walk(at + 1, depth) } else { 0 };
    below + u64::from(black_box(&node)[at as usize % FRAME])
}

/// Whether every process ended so, and how much stack it had touched.
///
/// # Errors
/// As [`noted`].
pub(crate) fn crashed(e: &Evidence) -> Result<(bool, f64), Gap> {
    Ok((noted(e, "2", CRASHED)? == 1.0, noted(e, "2", TOUCHED)?))
}
