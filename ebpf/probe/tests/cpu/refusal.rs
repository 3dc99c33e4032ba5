//! A kernel that refuses a system call, as in a container. The end-to-end tests include this file
//! too.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// For `command` and all that it starts this system call fails with EPERM; all else passes.
pub(crate) fn forbid(command: &mut Command, call: libc::c_long) {
    // SAFETY: between fork and exec only system calls are made.
    unsafe { command.pre_exec(move || filter(call)) };
}

fn filter(call: libc::c_long) -> std::io::Result<()> {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let filter = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0), // the system call's number
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, call as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the flag takes no pointers.
    let unprivileged = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    // SAFETY: the kernel copies the program, which lives until the call is over.
    let filtered =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if unprivileged == 0 && filtered == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
