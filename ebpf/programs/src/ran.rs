//! How long a thread has run: what its waits leave of the time, where nobody was told of their end.

use lab_programs::clock::now_ns;
use lab_programs::task::Task;
use lab_programs::{global, globals};

globals! {
    /// Where `task_struct` has `se`.
    TASK_SE: u32 = 0;
    /// Where `sched_entity` has `sum_exec_runtime`.
    SE_RAN: u32 = 0;
}

/// In nanoseconds: the scheduler's account, brought up to date when the thread leaves its CPU.
#[inline(always)]
pub fn ran_ns(task: Task) -> u64 {
    task.load(global!(TASK_SE) + global!(SE_RAN))
}

/// How long `task`, which leaves again, was away before it came back untold: all the time since `since_ns`, when it had
/// run for `ran_then_ns`, in which it has not run.
#[inline(always)]
pub fn away_ns(task: Task, since_ns: u64, ran_then_ns: u64) -> u64 {
    let ran = ran_ns(task).saturating_sub(ran_then_ns);
    now_ns().saturating_sub(since_ns).saturating_sub(ran)
}
