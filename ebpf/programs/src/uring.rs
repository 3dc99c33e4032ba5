//! Requests by io_uring, which are not system calls: they are counted, and not looked into.

use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::tally::UNSEEN;

use lab_programs::tally::count;
use lab_programs::target::observed;
use lab_programs::task::Task;
use lab_programs::{global, globals};

globals! {
    /// Where `io_kiocb` has `opcode`.
    REQUEST_OPCODE: u32 = 0;
}

/// Counts the request, which is the tracepoint's argument, if `is_unseen` accepts its operation.
#[inline(always)]
pub fn submitted(ctx: &BtfTracePointContext, is_unseen: impl Fn(u8) -> bool) {
    let opcode: Option<u8> = Task::arg(ctx, 0).read(global!(REQUEST_OPCODE));
    if opcode.is_some_and(is_unseen) && observed(Task::current()) {
        count(UNSEEN);
    }
}
