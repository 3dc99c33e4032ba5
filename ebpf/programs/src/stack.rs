//! Where the running thread stands: its stacks, by their number in the stack map.
//!
//! User stacks are walked by frame pointers, in the kernel.

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

/// Where `task`, which is the running thread, stands.
#[inline(always)]
pub fn standing(ctx: &impl StackIdContext, task: Task) -> StackKey {
    StackKey {
        tgid: task.tgid(),
        pid: task.pid(),
        user: stack(ctx, BPF_F_USER_STACK.into()),
        kernel: stack(ctx, 0),
        comm: task.comm(),
    }
}

#[inline(always)]
fn stack(ctx: &impl StackIdContext, flags: u64) -> i32 {
    /// The thread has no such stack.
    const EFAULT: i32 = -14;
    match ctx.get_stackid(&STACKS, flags) {
        Ok(id) => id as i32,
        Err(error) => {
            if error != EFAULT {
                count(STACK_LOST);
            }
            NO_STACK
        }
    }
}
