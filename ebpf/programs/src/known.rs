//! Where a thread stands, without a walk where one has stood there before: a walk takes a microsecond and more.
//!
//! A stack is walked once, and known by a sum from then on. Of the user's it is a sum of the addresses that a walk finds.
//!
//! Over the kernel's a walk looks up the layout of each frame in the kernel's unwinding tables. What it finds is decided
//! by the return addresses that it meets, so the sum is of all words that could be one, from the tracepoint out to where
//! the system call was entered. Beyond that the kernel leaves a gap of random size, with remains of older calls. An older
//! call may also have left the entry's own address in a frame that was not written since: the words then end too soon,
//! and the number of the system call, which is in the sum too, and one walk in [`AUDITED`] vouch for the rest.

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

use crate::stack::{KERNEL, USER, stack, standing};

/// Of a thread's kernel stack on x86-64. Where it is another, nothing is known again: all stacks are walked.
const THREAD_SIZE: u64 = 16384;

/// Of 8 bytes: what is looked at of a stack. A deeper one is walked.
const WORDS: usize = 256;

/// In bytes.
const SIZE: u64 = WORDS as u64 * 8;

/// Frames. A user stack of more is walked.
const FRAMES: u32 = 64;

/// Of how many stacks that are known one is walked all the same, to see that it is the one.
const AUDITED: u64 = 64;

/// Without the innermost frames, which lie before what is summed: of [`known`], [`stands`], the program and its caller.
const KERNEL_BUT_OURS: u64 = KERNEL | 4;

globals! {
    /// Where `task_struct` has `stack`: its lowest address.
    TASK_STACK: u32 = 0;
    /// The lower half of the address of the kernel's function that all system calls come through.
    SYSCALL_ENTRY: u32 = 0;
    /// Its bytes; 0 where it is not known, and all kernel stacks are walked.
    SYSCALL_ENTRY_SIZE: u32 = 0;
}

/// What this CPU has of whoever leaves it.
#[repr(C)]
struct Copy {
    /// Its kernel stack, from the tracepoint's arguments out.
    kernel: [u64; WORDS],
    /// Its user stack, from its innermost word out.
    user: [u64; WORDS],
    /// Stacks that were known.
    known: u64,
}

#[map]
static COPY: PerCpuArray<Copy> = PerCpuArray::with_max_entries(1, 0);

/// The number in the stack map, by the sum of a stack. Once it is full, others are walked.
#[map]
static KNOWN: HashMap<u64, i32> = HashMap::with_max_entries(32768, 0);

/// Where `task`, which is the running thread, stands. With interrupts off.
#[inline(never)]
pub fn stands(ctx: &BtfTracePointContext, task: Task) -> StackKey {
    let Some(copy) = COPY.get_ptr_mut(0) else { return standing(task, NO_STACK, NO_STACK) };
    // SAFETY: nothing else uses this CPU's copy while interrupts are off.
    let copy = unsafe { &mut *copy };
    let words = copied(ctx, task, &mut copy.kernel);
    let (user, kernel) = (user_sum(copy, words), kernel_sum(&copy.kernel, words));
    let user = known(ctx, user, USER, &mut copy.known);
    standing(task, user, known(ctx, kernel, KERNEL_BUT_OURS, &mut copy.known))
}

/// The number in the stack map of the stack of this `sum`, which is 0 where nothing is known of it.
#[inline(never)]
fn known(ctx: &BtfTracePointContext, sum: u64, which: u64, times: &mut u64) -> i32 {
    // SAFETY: entries are a word, written whole.
    let known = unsafe { KNOWN.get(&sum) }.copied().unwrap_or(NO_STACK);
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
    if sum != 0 && found != known {
        let _ = KNOWN.insert(&sum, found, 0);
    }
    found
}

/// Copies the stack from the tracepoint's arguments, which lie on it beyond what is the program's own, to its end. Its
/// words, or 0 where they are too many.
#[inline(always)]
fn copied(ctx: &BtfTracePointContext, task: Task, stack: &mut [u64; WORDS]) -> u64 {
    let here = ctx.as_ptr();
    let end = number(task.load(global!(TASK_STACK))).wrapping_add(THREAD_SIZE);
    let depth = end.wrapping_sub(number(here));
    if depth >= SIZE {
        return 0;
    }
    let depth = below::<SIZE>(depth);
    // SAFETY: there is room for that, and the helper checks what it reads.
    let error = unsafe { bpf_probe_read_kernel(stack.as_mut_ptr().cast(), depth as u32, here) };
    if error == 0 { depth / 8 } else { 0 }
}

/// One of `pt_regs`, which are the last of a stack: in words from their end.
#[inline(always)]
fn register(stack: &[u64; WORDS], words: u64, from_end: u64) -> u64 {
    let at = below::<{ WORDS as u64 }>(words.wrapping_sub(from_end));
    stack.get(at as usize).copied().unwrap_or_default()
}

/// As the kernel walks, by frame pointers. 0 where they lead too far, or the code is not of 64 bits.
#[inline(always)]
fn user_sum(copy: &mut Copy, words: u64) -> u64 {
    const CODE_OF_64_BITS: u64 = 0x33;
    let of = |from_end| register(&copy.kernel, words, from_end);
    let (base, code, sp) = (of(17), of(4), of(2));
    let (mut sum, mut frame) = (with(1, of(5)), base);
    if words == 0 || code != CODE_OF_64_BITS {
        return 0;
    }
    // SAFETY: there is room for that, and the helper checks the address.
    let error = unsafe {
        bpf_probe_read_user(copy.user.as_mut_ptr().cast(), SIZE as u32, sp as *const c_void)
    };
    if error != 0 {
        return 0;
    }
    for _ in 0..FRAMES {
        if frame == 0 {
            return sum;
        }
        let at = frame.wrapping_sub(sp);
        if at >= SIZE - 8 || at % 8 != 0 {
            return 0;
        }
        let at = below::<{ WORDS as u64 }>(at / 8) as usize;
        let (Some(&next), Some(&returns)) = (copy.user.get(at), copy.user.get(at + 1)) else {
            return 0;
        };
        (sum, frame) = (with(sum, returns), next);
    }
    0
}

/// Of the words that decide what a walk finds. 0 where the stack is too deep, or not a system call's.
#[inline(always)]
fn kernel_sum(stack: &[u64; WORDS], words: u64) -> u64 {
    /// More than there are. Of an interrupt or a fault this is -1.
    const CALLS: u64 = 4096;
    let call = register(stack, words, 6);
    if words == 0 || call >= CALLS {
        return 0;
    }
    let mut sum = with(2, call);
    for (at, &word) in stack.iter().enumerate() {
        if at as u64 >= words {
            break;
        }
        if could_be_code(word) {
            sum = with(sum, word ^ (at as u64) << 32);
            if (word as u32).wrapping_sub(global!(SYSCALL_ENTRY)) < global!(SYSCALL_ENTRY_SIZE) {
                return sum;
            }
        }
    }
    0
}

/// The kernel and its modules lie in the last 2 GiB of addresses, and end before the last 16 MiB.
#[inline(always)]
fn could_be_code(word: u64) -> bool {
    (-(1 << 31)..-(1 << 24)).contains(&word.cast_signed())
}

#[inline(always)]
fn with(sum: u64, word: u64) -> u64 {
    /// 2^64 over the golden ratio, made odd: spreads a word's bits over all.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    (sum ^ word).wrapping_mul(SPREAD).rotate_left(29)
}
