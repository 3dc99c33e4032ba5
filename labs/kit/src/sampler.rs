//! Samples one thread from inside: a timer interrupts it, and its frame pointers give the callers.
//!
//! For labs whose subject is sampling itself. The rate is exact (an hrtimer, not the scheduler's
//! tick), it needs no permission, and ten thousand samples a second cost a few percent. What it
//! cannot see: kernel frames, inlined functions (they count for the one that contains them), and
//! callers beyond a function built without frame pointers. A sample that finds a function in its
//! first or last instruction misses that function's caller.
//!
//! The timer runs in real time: sample work that computes and does not wait.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;

/// The samples of a thread.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    /// A stack for each sample, in order of time: frames joined by `;`, root first.
    pub stacks: Vec<String>,
    /// Samples that were dropped for lack of room.
    pub dropped: u64,
}

impl Samples {
    /// Folded stacks: one line a distinct stack, with its count.
    pub fn folded(&self) -> String {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for stack in &self.stacks {
            *counts.entry(stack).or_default() += 1;
        }
        let mut text = String::new();
        for (stack, count) in counts {
            writeln!(text, "{stack} {count}").expect("a string takes all");
        }
        text
    }

    /// Adds the samples of another session.
    pub fn extend(&mut self, other: Self) {
        self.stacks.extend(other.stacks);
        self.dropped += other.dropped;
    }
}

/// Runs `work` on this thread and takes a sample every `period`. Stacks begin with `work` itself.
/// Only one thread of a process is sampled at a time; others wait.
///
/// # Errors
/// The kernel gives no timer, or this is neither x86-64 nor AArch64.
pub fn sample<T>(period: Duration, work: impl FnOnce() -> T) -> anyhow::Result<(T, Samples)> {
    static TURN: Mutex<()> = Mutex::new(());
    // A panic during sampling leaves no half-written state here.
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let bottom = 0_usize;
    let mut buffer = SampleBuffer {
        words: Vec::with_capacity(ROOM),
        stack_end: ptr::from_ref(&bottom).addr(),
        dropped: 0,
    };
    let session = Session::start(period, &mut buffer)?;
    let done = in_a_frame_of_its_own(work);
    drop(session);
    Ok((done, buffer.into_samples()))
}

/// Frames up to here are the sampler's own.
#[inline(never)]
fn in_a_frame_of_its_own<T, W: FnOnce() -> T>(work: W) -> T {
    std::hint::black_box(work())
}

/// The size of the buffer in words; memory is committed only as it is used.
const ROOM: usize = 1 << 22;
/// Deeper stacks lose their roots.
const DEEPEST: usize = 256;

/// What the handler writes: for each sample its number of frames, then their addresses, leaf first.
struct SampleBuffer {
    words: Vec<usize>,
    /// No frame of the work lies above this address.
    stack_end: usize,
    dropped: u64,
}

/// The buffer of the handler; null while nothing is sampled.
static BUFFER: AtomicPtr<SampleBuffer> = AtomicPtr::new(ptr::null_mut());

/// Where a thread was interrupted.
struct Registers {
    instruction: usize,
    frame: usize,
    stack: usize,
}

/// Called by the kernel on the sampled thread, between any two instructions, so it neither
/// allocates nor locks.
extern "C" fn on_timer(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let buffer = BUFFER.load(Ordering::Relaxed);
    if buffer.is_null() {
        return;
    }
    // SAFETY: only `sample` sets the pointer, for the thread that this timer interrupts, and it
    // touches the buffer only after the pointer is null again. The kernel passes a ucontext_t.
    let (buffer, registers) = unsafe { (&mut *buffer, registers(&*context.cast())) };
    buffer.add(&registers);
}

impl SampleBuffer {
    fn add(&mut self, registers: &Registers) {
        if self.words.capacity() - self.words.len() < DEEPEST + 1 {
            self.dropped += 1;
            return;
        }
        let depth_at = self.words.len();
        self.words.push(1);
        self.words.push(registers.instruction);
        let (mut frame, mut above) = (registers.frame, registers.stack);
        // Whatever the register holds, only the thread's own stack is read, and always further up.
        while frame >= above && frame < self.stack_end - 16 && frame.is_multiple_of(8) {
            if self.words[depth_at] == DEEPEST {
                break;
            }
            // SAFETY: the two words lie between the thread's stack pointer and a variable of
            // `sample`, on one mapped stack, and are aligned.
            let (caller, return_address) = unsafe {
                let frame = ptr::with_exposed_provenance::<usize>(frame);
                (*frame, *frame.add(1))
            };
            self.words.push(return_address);
            self.words[depth_at] += 1;
            (above, frame) = (frame + 16, caller);
        }
    }

    fn into_samples(self) -> Samples {
        let mut names = HashMap::new();
        let mut stacks = Vec::new();
        let mut rest = self.words.as_slice();
        while let [depth, after @ ..] = rest {
            let (frames, next) = after.split_at(*depth);
            let named = |(at, &address): (usize, &usize)| {
                // `resolve` expects return addresses, and looks up the instruction before one,
                // since a call may be the last instruction of its function. The leaf's address is
                // exact.
                let address = if at == 0 { address.wrapping_add(1) } else { address };
                names.entry(address).or_insert_with(|| name(address)).clone()
            };
            let frames = frames.iter().enumerate().map(named);
            let mut frames: Vec<String> =
                frames.take_while(|frame| !frame.contains("in_a_frame_of_its_own")).collect();
            frames.reverse();
            // A sample in the work's own caller has no frame of the work.
            if !frames.is_empty() {
                stacks.push(frames.join(";"));
            }
            rest = next;
        }
        Samples { stacks, dropped: self.dropped }
    }
}

/// The function at an address: the one with a body of its own, not what was inlined there.
fn name(address: usize) -> String {
    let mut name = None;
    let address = ptr::without_provenance_mut(address);
    backtrace::resolve(address, |symbol| {
        name = symbol.name().map(|name| format!("{name:#}").replace(';', ":"));
    });
    name.unwrap_or_else(|| "[unknown]".into())
}

#[cfg(target_arch = "x86_64")]
fn registers(context: &libc::ucontext_t) -> Registers {
    let at = |register: libc::c_int| context.uc_mcontext.gregs[register as usize] as usize;
    Registers { instruction: at(libc::REG_RIP), frame: at(libc::REG_RBP), stack: at(libc::REG_RSP) }
}

#[cfg(target_arch = "aarch64")]
fn registers(context: &libc::ucontext_t) -> Registers {
    let machine = &context.uc_mcontext;
    Registers {
        instruction: machine.pc as usize,
        frame: machine.regs[29] as usize,
        stack: machine.sp as usize,
    }
}

/// A timer that interrupts this thread for as long as this value lives.
struct Session {
    timer: libc::timer_t,
}

impl Session {
    fn start(period: Duration, buffer: &mut SampleBuffer) -> anyhow::Result<Self> {
        let signal = libc::SIGRTMIN() + 5;
        handle(signal).context("handle the sampler's signal")?;
        let timer = timer(signal).context("make the sampler's timer")?;
        let session = Self { timer };
        BUFFER.store(buffer, Ordering::Release);
        let every = libc::timespec {
            tv_sec: period.as_secs().cast_signed(),
            tv_nsec: period.subsec_nanos().into(),
        };
        let setting = libc::itimerspec { it_interval: every, it_value: every };
        // SAFETY: the timer exists, and the setting outlives the call.
        let set = unsafe { libc::timer_settime(timer, 0, &raw const setting, ptr::null_mut()) };
        done(set).context("start the sampler's timer")?;
        Ok(session)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: the timer was made by `start` and is deleted once.
        unsafe { libc::timer_delete(self.timer) };
        // A signal still on its way finds no buffer.
        BUFFER.store(ptr::null_mut(), Ordering::Release);
    }
}

fn handle(signal: libc::c_int) -> io::Result<()> {
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_timer;
    // SAFETY: all zeros is a valid sigaction, and the handler has the signature of SA_SIGINFO.
    let set = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        libc::sigaction(signal, &raw const action, ptr::null_mut())
    };
    done(set)
}

/// A timer of CLOCK_MONOTONIC that signals this thread and no other.
fn timer(signal: libc::c_int) -> io::Result<libc::timer_t> {
    let mut timer: libc::timer_t = ptr::null_mut();
    // SAFETY: all zeros is a valid sigevent, gettid has no preconditions, and both pointers
    // outlive the call.
    let made = unsafe {
        let mut event: libc::sigevent = std::mem::zeroed();
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = signal;
        event.sigev_notify_thread_id = libc::gettid();
        libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer)
    };
    done(made).map(|()| timer)
}

fn done(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::time::Instant;

    use super::*;

    #[inline(never)]
    fn inner(steps: u64) -> u64 {
        (0..steps).fold(1, |x, i| black_box(x ^ i.wrapping_mul(x | 1)))
    }

    #[inline(never)]
    fn outer(steps: u64) -> u64 {
        black_box(inner(steps)) + 1
    }

    #[inline(never)]
    fn busy_for(span: Duration) {
        let start = Instant::now();
        while start.elapsed() < span {
            black_box(outer(10_000));
        }
    }

    #[test]
    fn a_busy_function_is_found_under_its_caller() {
        let span = Duration::from_millis(400);
        let ((), samples) = sample(Duration::from_millis(1), || busy_for(span)).unwrap();
        let count = samples.stacks.len();
        // A busy machine gives fewer samples, never more.
        assert!((20..=401).contains(&count), "{count}");
        let inner = samples
            .stacks
            .iter()
            .filter(|s| s.contains("busy_for;") && s.contains("outer;") && s.ends_with("inner"));
        assert!(inner.count() * 10 >= count * 9, "{}", samples.folded());
        assert!(!samples.folded().contains("in_a_frame_of_its_own"), "{}", samples.folded());
    }

    #[test]
    fn no_sample_is_taken_after_the_work() {
        let (seven, samples) = sample(Duration::from_secs(60), || 7).unwrap();
        assert_eq!((seven, samples.stacks.len(), samples.folded().as_str()), (7, 0, ""));
        std::thread::sleep(Duration::from_millis(5));
        assert!(BUFFER.load(Ordering::Relaxed).is_null());
    }

    #[test]
    fn samples_of_the_sampler_itself_are_left_out() {
        let own = in_a_frame_of_its_own::<u64, fn() -> u64> as fn(fn() -> u64) -> u64 as usize;
        let words = vec![1, own, 2, inner as fn(u64) -> u64 as usize, own + 1];
        let samples = SampleBuffer { words, stack_end: 0, dropped: 0 }.into_samples();
        assert_eq!(samples.stacks.len(), 1, "{samples:?}");
        assert!(samples.stacks[0].ends_with("inner"), "{samples:?}");
    }

    #[test]
    fn an_invalid_frame_pointer_is_not_followed() {
        let stack = [0_usize; 4];
        let at = ptr::from_ref(&stack).expose_provenance();
        let mut buffer =
            SampleBuffer { words: Vec::with_capacity(600), stack_end: at + 32, dropped: 0 };
        for frame in [0, 1, at - 8, at + 3, at + 32, usize::MAX - 7] {
            buffer.add(&Registers { instruction: 1, frame, stack: at });
        }
        assert_eq!(buffer.words, [1, 1].repeat(6), "a depth of 1 and the instruction");
        buffer.words.extend([0; 400]);
        buffer.add(&Registers { instruction: 1, frame: 0, stack: at });
        assert_eq!(buffer.dropped, 1);
    }
}
