//! A thread in the kernel.

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
    /// The inode of the loader's pid namespace; 0 in the initial one, whose numbers `task_struct`
    /// has itself.
    NAMESPACE: u32 = 0;
    /// Where `task_struct` has `group_leader`.
    TASK_LEADER: u32 = 0;
    /// Where `task_struct` has `thread_pid`.
    TASK_NUMBERS: u32 = 0;
    /// Where `pid` has `level`.
    PID_LEVEL: u32 = 0;
    /// Where `pid` has `numbers`.
    PID_NUMBERS: u32 = 0;
    /// Where `upid` has `nr`.
    NUMBER: u32 = 0;
    /// Where `upid` has `ns`.
    NUMBER_NAMESPACE: u32 = 0;
    /// Where `pid_namespace` has the inode.
    NAMESPACE_INODE: u32 = 0;
}

/// A `task_struct`, or a structure that it points at.
#[derive(Clone, Copy)]
pub struct Task(*const u8);

impl Task {
    /// Argument `n` of the tracepoint.
    #[inline(always)]
    pub fn arg(ctx: &BtfTracePointContext, n: usize) -> Self {
        Self(ctx.arg(n))
    }

    /// The structure at an address in the kernel.
    #[inline(always)]
    pub fn at(address: u64) -> Self {
        Self(address as *const u8)
    }

    /// The field at `offset`, itself a structure.
    #[inline(always)]
    pub fn within(self, offset: u32) -> Self {
        Self(self.0.wrapping_add(offset as usize))
    }

    /// The thread that runs on this CPU.
    #[inline(always)]
    pub fn current() -> Self {
        // SAFETY: the helper has no conditions.
        Self(unsafe { bpf_get_current_task_btf() }.cast::<u8>())
    }

    /// The thread's id in the loader's namespace: what user space calls a tid. 0 for the idle
    /// thread of a CPU, and for a thread without an id there.
    #[inline(always)]
    pub fn pid(self) -> u32 {
        if global!(NAMESPACE) == 0 {
            self.number(global!(TASK_PID))
        } else {
            self.number_in_namespace()
        }
    }

    /// The process's id in the loader's namespace: what user space calls a pid.
    #[inline(always)]
    pub fn tgid(self) -> u32 {
        if global!(NAMESPACE) == 0 {
            self.number(global!(TASK_TGID))
        } else {
            self.follow(global!(TASK_LEADER)).map_or(0, Self::number_in_namespace)
        }
    }

    /// As [`Self::tgid`], for a thread found by its address: the verifier does not know its type.
    #[inline(always)]
    pub fn tgid_by_address(self) -> Option<u32> {
        if global!(NAMESPACE) == 0 { self.read(global!(TASK_TGID)) } else { Some(self.tgid()) }
    }

    /// The number in the loader's namespace. A thread has one in each namespace from the initial
    /// one down to its own. 0 if the loader's is none of them, and for a thread that has released
    /// its numbers, which is the last thing that it does.
    #[inline(never)]
    fn number_in_namespace(self) -> u32 {
        /// The kernel's MAX_PID_NS_LEVEL.
        const LEVELS: u32 = 32;
        /// Bytes of a `upid`.
        const SIZE: u32 = 16;
        let Some(numbers) = self.follow(global!(TASK_NUMBERS)) else { return 0 };
        let own: u32 = numbers.read(global!(PID_LEVEL)).unwrap_or(0);
        for above in 0..=LEVELS {
            if above > own {
                break;
            }
            let at = global!(PID_NUMBERS) + (own - above) * SIZE;
            let namespace = numbers.follow(at + global!(NUMBER_NAMESPACE));
            let inode = namespace.and_then(|it| it.read::<u32>(global!(NAMESPACE_INODE)));
            if inode == Some(global!(NAMESPACE)) {
                return numbers.read(at + global!(NUMBER)).unwrap_or(0);
            }
        }
        0
    }

    /// The thread's name.
    #[inline(always)]
    pub fn comm(self) -> Comm {
        self.read(global!(TASK_COMM)).unwrap_or_default()
    }

    /// The thread's process and name, as events have them.
    #[inline(always)]
    pub fn owner(self) -> Owner {
        Owner { tgid: self.tgid().into(), comm: self.comm() }
    }

    /// What the field at `offset` points at, read as by [`Self::load`]: all zero if the pointer is
    /// null.
    #[inline(always)]
    pub fn pointed(self, offset: u32) -> Self {
        Self(self.load(offset))
    }

    /// What the field at `offset` points at.
    #[inline(always)]
    pub fn follow(self, offset: u32) -> Option<Self> {
        self.read::<u64>(offset).filter(|&address| address != 0).map(|at| Self(at as *const u8))
    }

    /// A 32-bit number, read as by [`Self::load`].
    #[inline(always)]
    pub fn number(self, offset: u32) -> u32 {
        self.load(offset)
    }

    /// A field of a thread that the kernel passed as an argument. The verifier knows its type, and
    /// the offset is a constant when the program is loaded: so this is a load, not a helper call.
    #[inline(always)]
    pub fn load<T>(self, offset: u32) -> T {
        // SAFETY: the verifier checks that a field of this size is there.
        unsafe { ptr::read_volatile(self.0.add(offset as usize).cast::<T>()) }
    }

    /// The field at `offset`.
    #[inline(always)]
    pub fn read<T>(self, offset: u32) -> Option<T> {
        // SAFETY: the helper checks the address, and fails where nothing can be read.
        unsafe { bpf_probe_read_kernel(self.0.add(offset as usize).cast::<T>()) }.ok()
    }
}
