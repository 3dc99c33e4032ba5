//! A thread's stacks, without walking those that were walked before: a walk takes a microsecond or
//! more.
//!
//! A stack is walked once, and recognised by a hash from then on. For a user stack it is the hash
//! of the return addresses.
//!
//! For a kernel stack, the walk looks up each frame's layout in the kernel's unwinding tables. The
//! return addresses decide what it finds. So the hash is over all words that could be a return
//! address, from the tracepoint out to the entry of the system call. Beyond that the kernel leaves
//! a gap of random size, with remains of older calls. An older call may also have left the entry's
//! own address in a frame that was not overwritten: then the hash covers too few words. The number
//! of the system call, which is in the hash too, and one walk in [`AUDITED`] guard against that.

use core::ffi::c_void;

use aya_ebpf::EbpfContext as _;
use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_user};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{HashMap, PerCpuArray};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::stack::{NO_STACK, StackKey};
use lab_probe_common::tally::STACK_LOST;
use lab_programs::tally::count;
use lab_programs::task::Task;
use lab_programs::verifier::{below, number};
use lab_programs::{global, globals};

use crate::stack::{KERNEL, USER, key_of, stack};

/// Bytes of a thread's kernel stack on x86-64. Where the size is another, no stack is recognised:
/// all are walked.
const THREAD_SIZE: u64 = 16384;

/// Words of 8 bytes that are hashed of a stack. A deeper one is walked.
const WORDS: usize = 256;

/// The same in bytes.
const SIZE: u64 = WORDS as u64 * 8;

/// Frames that are hashed of a user stack. One with more is walked.
const FRAMES: u32 = 64;

/// One in this many recognised stacks is walked all the same, to check it.
const AUDITED: u64 = 64;

/// Leaves out the innermost frames, which are not hashed: [`known`], [`stacks_of`], the program and
/// its caller.
const KERNEL_BUT_OURS: u64 = KERNEL | 4;

globals! {
    /// Where `task_struct` has `stack`, the stack's lowest address.
    TASK_STACK: u32 = 0;
    /// The lower half of the address of the kernel function that all system calls enter by.
    SYSCALL_ENTRY: u32 = 0;
    /// Its size in bytes; 0 if it is not known: then all kernel stacks are walked.
    SYSCALL_ENTRY_SIZE: u32 = 0;
}

/// This CPU's copy of the stacks of the thread that it looks at.
#[repr(C)]
struct Copy {
    /// The kernel stack, from the tracepoint's arguments outwards.
    kernel: [u64; WORDS],
    /// The user stack, from its innermost word outwards.
    user: [u64; WORDS],
    /// Stacks recognised so far.
    known: u64,
}

#[map]
static COPY: PerCpuArray<Copy> = PerCpuArray::with_max_entries(1, 0);

/// The number of a stack in the stack map, by its hash. Once it is full, other stacks are walked.
#[map]
static KNOWN: HashMap<u64, i32> = HashMap::with_max_entries(32768, 0);

/// The stacks of `task`, the running thread. Call it with interrupts off.
#[inline(never)]
pub fn stacks_of(ctx: &BtfTracePointContext, task: Task) -> StackKey {
    let Some(copy) = COPY.get_ptr_mut(0) else { return key_of(task, NO_STACK, NO_STACK) };
    // SAFETY: nothing else uses this CPU's copy while interrupts are off.
    let copy = unsafe { &mut *copy };
    let words = copied(ctx, task, &mut copy.kernel);
    let (user, kernel) = (user_hash(copy, words), kernel_hash(&copy.kernel, words));
    let user = known(ctx, user, USER, &mut copy.known);
    key_of(task, user, known(ctx, kernel, KERNEL_BUT_OURS, &mut copy.known))
}

/// The number in the stack map of the stack with this hash; 0 stands for a stack without one, which
/// is walked.
#[inline(never)]
fn known(ctx: &BtfTracePointContext, hash: u64, which: u64, times: &mut u64) -> i32 {
    // SAFETY: entries are a word, written whole.
    let known = unsafe { KNOWN.get(&hash) }.copied().unwrap_or(NO_STACK);
    if known != NO_STACK {
        *times += 1;
        if *times % AUDITED != 0 {
            return known;
        }
    }
    let found = stack(ctx, which);
    if known != NO_STACK && found != known {
        count(STACK_LOST);
    }
    if hash != 0 && found != known {
        let _ = KNOWN.insert(&hash, found, 0);
    }
    found
}

/// Copies the kernel stack, from the tracepoint's arguments, which lie just outside the program's
/// own frames, to its end. Returns its words, or 0 if they are too many.
#[inline(always)]
fn copied(ctx: &BtfTracePointContext, task: Task, stack: &mut [u64; WORDS]) -> u64 {
    let here = ctx.as_ptr();
    let end = number(task.load(global!(TASK_STACK))).wrapping_add(THREAD_SIZE);
    let depth = end.wrapping_sub(number(here));
    if depth >= SIZE {
        return 0;
    }
    let depth = below::<SIZE>(depth);
    // SAFETY: the copy has room for that many bytes, and the helper checks the address.
    let error = unsafe { bpf_probe_read_kernel(stack.as_mut_ptr().cast(), depth as u32, here) };
    if error == 0 { depth / 8 } else { 0 }
}

/// A register of the `pt_regs` at the end of a kernel stack, by its distance from the end in words.
#[inline(always)]
fn register(stack: &[u64; WORDS], words: u64, from_end: u64) -> u64 {
    let at = below::<{ WORDS as u64 }>(words.wrapping_sub(from_end));
    stack.get(at as usize).copied().unwrap_or_default()
}

/// The hash of a user stack's return addresses, found as the kernel does, by frame pointers. 0 if
/// they lead too far, or the code is not 64-bit.
#[inline(always)]
fn user_hash(copy: &mut Copy, words: u64) -> u64 {
    const CODE_OF_64_BITS: u64 = 0x33;
    let of = |from_end| register(&copy.kernel, words, from_end);
    let (base, code, sp) = (of(17), of(4), of(2));
    let (mut hash, mut frame) = (mixed(1, of(5)), base);
    if words == 0 || code != CODE_OF_64_BITS {
        return 0;
    }
    // SAFETY: the copy has room for SIZE bytes, and the helper checks the address.
    let error = unsafe {
        bpf_probe_read_user(copy.user.as_mut_ptr().cast(), SIZE as u32, sp as *const c_void)
    };
    if error != 0 {
        return 0;
    }
    for _ in 0..FRAMES {
        if frame == 0 {
            return hash;
        }
        let at = frame.wrapping_sub(sp);
        if at >= SIZE - 8 || at % 8 != 0 {
            return 0;
        }
        let at = below::<{ WORDS as u64 }>(at / 8) as usize;
        let (Some(&next), Some(&returns)) = (copy.user.get(at), copy.user.get(at + 1)) else {
            return 0;
        };
        (hash, frame) = (mixed(hash, returns), next);
    }
    0
}

/// The hash of the words that decide what a walk of the kernel stack finds. 0 if the stack is too
/// deep, or not that of a system call.
#[inline(always)]
fn kernel_hash(stack: &[u64; WORDS], words: u64) -> u64 {
    /// Above all numbers of system calls. In an interrupt or a fault the number is -1.
    const CALLS: u64 = 4096;
    let call = register(stack, words, 6);
    if words == 0 || call >= CALLS {
        return 0;
    }
    let mut hash = mixed(2, call);
    for (at, &word) in stack.iter().enumerate() {
        if at as u64 >= words {
            break;
        }
        if could_be_code(word) {
            hash = mixed(hash, word ^ (at as u64) << 32);
            if (word as u32).wrapping_sub(global!(SYSCALL_ENTRY)) < global!(SYSCALL_ENTRY_SIZE) {
                return hash;
            }
        }
    }
    0
}

/// Whether a word may be an address in the kernel's code: the kernel and its modules lie in the
/// last 2 GiB of addresses, and end before the last 16 MiB.
#[inline(always)]
fn could_be_code(word: u64) -> bool {
    (-(1 << 31)..-(1 << 24)).contains(&word.cast_signed())
}

#[inline(always)]
fn mixed(hash: u64, word: u64) -> u64 {
    /// 2^64 divided by the golden ratio, made odd: spreads a word's bits over the hash.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    (hash ^ word).wrapping_mul(SPREAD).rotate_left(29)
}
