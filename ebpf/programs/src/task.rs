//! A thread, as the kernel describes it.

use core::ptr;

use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::helpers::generated::bpf_get_current_task_btf;
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::Comm;
use lab_probe_common::event::Owner;

globals! {
    /// Where `task_struct` has `pid`.
    TASK_PID: u32 = 0;
    /// Where `task_struct` has `tgid`.
    TASK_TGID: u32 = 0;
    /// Where `task_struct` has `comm`.
    TASK_COMM: u32 = 0;
}

/// A `task_struct`, or another structure that it points at.
#[derive(Clone, Copy)]
pub struct Task(*const u8);

impl Task {
    /// Argument `n` of the tracepoint.
    #[inline(always)]
    pub fn arg(ctx: &BtfTracePointContext, n: usize) -> Self {
        Self(ctx.arg(n))
    }

    /// The thread that runs on this CPU.
    #[inline(always)]
    pub fn current() -> Self {
        // SAFETY: the helper has no conditions.
        Self(unsafe { bpf_get_current_task_btf() }.cast::<u8>())
    }

    /// The thread's id: what user space calls a tid. 0 is the idle thread of a CPU.
    #[inline(always)]
    pub fn pid(self) -> u32 {
        self.number(global!(TASK_PID))
    }

    /// The process's id: what user space calls a pid.
    #[inline(always)]
    pub fn tgid(self) -> u32 {
        self.number(global!(TASK_TGID))
    }

    /// As [`Self::tgid`], of a thread that was found by its address: the verifier knows nothing of it.
    #[inline(always)]
    pub fn tgid_by_address(self) -> Option<u32> {
        self.read(global!(TASK_TGID))
    }

    /// The thread's name.
    #[inline(always)]
    pub fn comm(self) -> Comm {
        self.read(global!(TASK_COMM)).unwrap_or_default()
    }

    /// As an event tells it.
    #[inline(always)]
    pub fn owner(self) -> Owner {
        Owner { tgid: self.tgid().into(), comm: self.comm() }
    }

    /// What the field at `offset` points at, as [`Self::load`]: of zeros where that is nothing.
    #[inline(always)]
    pub fn pointed(self, offset: u32) -> Self {
        Self(self.load(offset))
    }

    /// What the field at `offset` points at.
    #[inline(always)]
    pub fn follow(self, offset: u32) -> Option<Self> {
        self.read::<u64>(offset).filter(|&address| address != 0).map(|at| Self(at as *const u8))
    }

    /// A number of 32 bits, as [`Self::load`].
    #[inline(always)]
    pub fn number(self, offset: u32) -> u32 {
        self.load(offset)
    }

    /// A number of a thread that the kernel gave us as one: its verifier knows what lies at the offset, which is a
    /// constant when the program is loaded, so this is a load and no call.
    #[inline(always)]
    pub fn load<T>(self, offset: u32) -> T {
        // SAFETY: the verifier has seen that a field of this size is there.
        unsafe { ptr::read_volatile(self.0.add(offset as usize).cast::<T>()) }
    }

    /// The field at `offset`.
    #[inline(always)]
    pub fn read<T>(self, offset: u32) -> Option<T> {
        // SAFETY: the helper checks the address, and fails where nothing can be read.
        unsafe { bpf_probe_read_kernel(self.0.add(offset as usize).cast::<T>()) }.ok()
    }
}
