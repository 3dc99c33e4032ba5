//! The running thread's stacks, by their numbers in the stack map.

use aya_ebpf::bindings::BPF_F_USER_STACK;
use aya_ebpf::macros::map;
use aya_ebpf::maps::StackTrace;
use aya_ebpf::programs::tracing::StackIdContext;
use lab_probe_common::stack::{NO_STACK, StackKey};
use lab_probe_common::tally::STACK_LOST;

use lab_programs::tally::count;
use lab_programs::task::Task;

/// Distinct stacks. One that hashes to the slot of another is lost, and counted.
#[map]
static STACKS: StackTrace = StackTrace::with_max_entries(32768, 0);

/// For [`stack`]: the user stack, walked by frame pointers.
pub const USER: u64 = BPF_F_USER_STACK as u64;
/// For [`stack`]: the kernel stack.
pub const KERNEL: u64 = 0;

/// `task` with the numbers of its stacks: the key that times are summed by.
#[inline(always)]
pub fn key_of(task: Task, user: i32, kernel: i32) -> StackKey {
    StackKey { tgid: task.tgid(), pid: task.pid(), user, kernel, comm: task.comm() }
}

/// The number of the running thread's stack; [`NO_STACK`] if it has none, or it is lost.
#[inline(always)]
pub fn stack(ctx: &impl StackIdContext, which: u64) -> i32 {
    /// The thread has no such stack.
    const EFAULT: i32 = -14;
    match ctx.get_stackid(&STACKS, which) {
        Ok(id) => id as i32,
        Err(error) => {
            if error != EFAULT {
                count(STACK_LOST);
            }
            NO_STACK
        }
    }
}
