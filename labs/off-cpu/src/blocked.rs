//! A blocked thread, looked at twice: its stack pointer, its next instruction and its stack.
//!
//! `/proc/self/task/TID/syscall` shows in which system call a thread is blocked, and where it will
//! go on; its stack is memory of this process. Neither needs rights.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use lab_kit::Ctx;
use lab_kit::thread::{self, named};

/// The bytes of stack that are compared: all frames between the system call and the thread's work.
const STACK_BYTES: usize = 2_048;
/// How long a block lasts at least.
const BLOCK: Duration = Duration::from_millis(5);
/// A thread that has not blocked within this time never will.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Where a blocked thread is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Look {
    /// The system call, its arguments, the stack pointer and the next instruction.
    syscall: String,
    stack: Vec<u8>,
}

/// Looks at a thread as it begins to block and shortly before it is woken, in many blocks.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (blocks, across) = (ctx.int("blocks"), ctx.text("look") == "across");
    let until = Instant::now() + ctx.timeline().measure;
    let (thread, (wake, woken)) = (&AtomicI32::new(0), channel());
    let mut looks = Ok(Vec::new());
    thread::run(vec![named("blocks", move || block_here_and_there(thread, &woken))], || {
        looks = watch(thread, &wake, blocks, until, across);
        drop(wake);
    })?;
    let looks = match looks {
        Err(error) => {
            let fix = "a kernel that has this file: CONFIG_HAVE_ARCH_TRACEHOOK";
            ctx.unavailable(format!("/proc/self/task/TID/syscall: {error}"), fix);
            return Ok(());
        }
        Ok(looks) => looks,
    };
    let same = looks.iter().filter(|(begun, ended)| begun == ended).count();
    ctx.proportion("same_stack", same as u64, looks.len() as u64);
    let places: std::collections::HashSet<&Look> = looks.iter().map(|(begun, _)| begun).collect();
    ctx.metric("places", places.len() as f64, "count");
    Ok(())
}

/// Both looks at each block; or, across blocks, the first look at one and the last at the next.
fn watch(
    thread: &AtomicI32,
    wake: &Sender<()>,
    blocks: u64,
    until: Instant,
    across: bool,
) -> anyhow::Result<Vec<(Look, Look)>> {
    let memory = File::open("/proc/self/mem").context("open /proc/self/mem")?;
    let mut looks = Vec::new();
    while (looks.len() as u64) < blocks && (Instant::now() < until || looks.is_empty()) {
        let begun = look_when_blocked(thread, &memory)?;
        if across {
            wake.send(()).context("the thread has ended")?;
            // It may be running on its way to the next block, or be there already.
            sleep(BLOCK);
        }
        sleep(BLOCK);
        let ended = look_when_blocked(thread, &memory)?;
        looks.push((begun, ended));
        wake.send(()).context("the thread has ended")?;
        sleep(BLOCK);
    }
    Ok(looks)
}

fn look_when_blocked(thread: &AtomicI32, memory: &File) -> anyhow::Result<Look> {
    let begun = Instant::now();
    loop {
        anyhow::ensure!(begun.elapsed() < TIMEOUT, "the thread does not block");
        let tid = thread.load(Relaxed);
        if tid != 0 {
            let text = fs::read_to_string(format!("/proc/self/task/{tid}/syscall"))?;
            let fields: Vec<&str> = text.split_whitespace().collect();
            // Nine fields: the call, six arguments, stack pointer, instruction. Else it is running.
            if let [_, .., stack_pointer, _] = fields[..]
                && fields.len() == 9
            {
                let from = u64::from_str_radix(stack_pointer.trim_start_matches("0x"), 16)?;
                let mut stack = vec![0; STACK_BYTES];
                memory.read_exact_at(&mut stack, from)?;
                return Ok(Look { syscall: text, stack });
            }
        }
        sleep(Duration::from_micros(200));
    }
}

/// Blocks in one place and then in another, until the sender of wake-ups is gone.
fn block_here_and_there(thread: &AtomicI32, woken: &Receiver<()>) -> anyhow::Result<()> {
    thread.store(rustix::thread::gettid().as_raw_nonzero().get(), Relaxed);
    let mut here = true;
    while if here { block_here(woken) } else { block_there(woken, [1; 64]) } {
        here = !here;
    }
    Ok(())
}

#[inline(never)]
fn block_here(woken: &Receiver<()>) -> bool {
    woken.recv().is_ok()
}

/// The same with something on the stack.
#[inline(never)]
fn block_there(woken: &Receiver<()>, mut aside: [u64; 64]) -> bool {
    let was_woken = woken.recv().is_ok();
    std::hint::black_box(&mut aside);
    was_woken
}
