//! Tests kernel features by trying them: sysctls say little under seccomp or in a container.
//!
//! Layouts are those of `linux/perf_event.h` (first published size, 64 bytes) and of `linux/bpf.h`
//! (the first 48 bytes of `union bpf_attr` for `BPF_PROG_LOAD`).

use std::os::fd::{FromRawFd as _, OwnedFd};

/// The result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attempt {
    Works,
    /// Refused, with the kernel's reason.
    Refused(String),
}

const PERF_TYPE_HARDWARE: u32 = 0;
const PERF_TYPE_SOFTWARE: u32 = 1;
const PERF_COUNT_HW_CPU_CYCLES: u64 = 0;
const PERF_COUNT_SW_CPU_CLOCK: u64 = 0;
const FLAG_DISABLED: u64 = 1;
const FLAG_EXCLUDE_KERNEL: u64 = 1 << 5;
const FLAG_EXCLUDE_HV: u64 = 1 << 6;

/// The first published part of `struct perf_event_attr`.
#[repr(C)]
struct PerfEventAttr {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    config1: u64,
}

/// A software clock event over user and kernel code, as the sampler opens it.
pub(super) fn sample_user_and_kernel() -> Attempt {
    open_event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, 0)
}

/// A software clock event over user code only, which more users may open.
pub(super) fn sample_user() -> Attempt {
    let flags = FLAG_EXCLUDE_KERNEL | FLAG_EXCLUDE_HV;
    open_event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, flags)
}

/// The cycle counter: there is a PMU if it opens.
pub(super) fn count_cycles() -> Attempt {
    let flags = FLAG_EXCLUDE_KERNEL | FLAG_EXCLUDE_HV;
    open_event(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, flags)
}

fn open_event(kind: u32, config: u64, flags: u64) -> Attempt {
    let size = size_of::<PerfEventAttr>() as u32;
    let attr = PerfEventAttr {
        kind,
        size,
        config,
        sample_period: 0,
        sample_type: 0,
        read_format: 0,
        flags: flags | FLAG_DISABLED,
        wakeup_events: 0,
        bp_type: 0,
        config1: 0,
    };
    let (this_process, any_cpu, no_group, cloexec) = (0, -1, -1, 8_u64);
    // SAFETY: the kernel reads `size` bytes of `attr`, which lives to the end of the call; the
    // other arguments are plain numbers.
    let fd = unsafe {
        libc::syscall(libc::SYS_perf_event_open, &attr, this_process, any_cpu, no_group, cloexec)
    };
    outcome(fd)
}

/// The first 48 bytes of `union bpf_attr`, as `BPF_PROG_LOAD` reads them.
#[repr(C)]
struct BpfProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
}

/// Loads `return 0` as a program of the kind that samples.
pub(super) fn load_bpf() -> Attempt {
    const BPF_PROG_LOAD: i32 = 5;
    const BPF_PROG_TYPE_PERF_EVENT: u32 = 7;
    // mov64 r0, 0; exit
    let program: [u64; 2] = [0x0000_0000_0000_00b7, 0x0000_0000_0000_0095];
    let attr = BpfProgLoad {
        prog_type: BPF_PROG_TYPE_PERF_EVENT,
        insn_cnt: program.len() as u32,
        insns: program.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
        kern_version: 0,
        prog_flags: 0,
    };
    // SAFETY: the kernel reads the given size of `attr`, and through it `program` and the licence;
    // all three live to the end of the call.
    let fd = unsafe {
        libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &attr, size_of::<BpfProgLoad>() as u32)
    };
    outcome(fd)
}

/// Takes what a call returned: a descriptor, which is closed again, or -1.
fn outcome(fd: libc::c_long) -> Attempt {
    if fd < 0 {
        let error = std::io::Error::last_os_error().to_string();
        let reason = error.split(" (os error").next().unwrap_or(&error);
        return Attempt::Refused(reason.to_owned());
    }
    // SAFETY: the kernel has just returned this descriptor, and nothing else owns it.
    drop(unsafe { OwnedFd::from_raw_fd(fd as i32) });
    Attempt::Works
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn struct_layouts_match_the_kernels() {
        assert_eq!(size_of::<PerfEventAttr>(), 64);
        assert_eq!(size_of::<BpfProgLoad>(), 48);
    }

    #[test]
    fn every_probed_feature_gets_a_valid_kernel_answer() {
        let attempts = [sample_user_and_kernel(), sample_user(), count_cycles(), load_bpf()];
        for attempt in attempts {
            let blames_us = |reason: &String| reason.contains("Invalid") || reason.contains("Bad");
            assert!(
                !matches!(&attempt, Attempt::Refused(reason) if blames_us(reason)),
                "{attempt:?}"
            );
        }
    }
}
