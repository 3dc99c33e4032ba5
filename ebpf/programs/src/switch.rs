//! `sched_switch`: one thread leaves a CPU and another takes it. Runs on the leaving thread, with
//! interrupts off.

use aya_ebpf::programs::BtfTracePointContext;

use crate::task::Task;

/// The tracepoint's arguments: `preempt, prev, next, prev_state`.
pub struct Switch {
    /// The thread that is switched out.
    pub prev: Task,
    /// The thread that is switched in.
    pub next: Task,
    /// Why `prev` leaves.
    pub leaves: Leaves,
}

/// Why a thread leaves its CPU.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    /// It could go on, but its slice is over or another thread is more urgent.
    Preempted,
    /// It waits for something.
    Blocked,
    /// It has ended.
    Dead,
}

impl Switch {
    /// Reads the arguments.
    #[inline(always)]
    pub fn of(ctx: &BtfTracePointContext) -> Self {
        const TASK_RUNNING: u32 = 0;
        const TASK_DEAD: u32 = 0x80;
        let state = ctx.arg::<u32>(3);
        // A thread preempted on its way to sleep has a sleeper's state, and does not sleep yet.
        let leaves = if ctx.arg::<u64>(0) as u8 != 0 || state == TASK_RUNNING {
            Leaves::Preempted
        } else if state & TASK_DEAD != 0 {
            Leaves::Dead
        } else {
            Leaves::Blocked
        };
        Self { prev: Task::arg(ctx, 1), next: Task::arg(ctx, 2), leaves }
    }
}
