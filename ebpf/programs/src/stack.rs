//! Where the running thread stands: its stacks, by their number in the stack map.

use aya_ebpf::bindings::BPF_F_USER_STACK;
use aya_ebpf::macros::map;
use aya_ebpf::maps::StackTrace;
use aya_ebpf::programs::tracing::StackIdContext;
use lab_probe_common::stack::{NO_STACK, StackKey};
use lab_probe_common::tally::STACK_LOST;

use lab_programs::tally::count;
use lab_programs::task::Task;

/// Distinct stacks. One that falls on the place of another is lost, and counted.
#[map]
static STACKS: StackTrace = StackTrace::with_max_entries(32768, 0);

/// For [`stack`]: the user's, walked by frame pointers.
pub const USER: u64 = BPF_F_USER_STACK as u64;
/// For [`stack`]: the kernel's.
pub const KERNEL: u64 = 0;

/// The running thread, with the numbers of its stacks.
#[inline(always)]
pub fn standing(task: Task, user: i32, kernel: i32) -> StackKey {
    StackKey { tgid: task.tgid(), pid: task.pid(), user, kernel, comm: task.comm() }
}

/// The number of the running thread's stack.
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
