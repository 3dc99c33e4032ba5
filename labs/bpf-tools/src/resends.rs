//! A receiver that drops everything for a while, for tcpretrans.
//!
//! A filter on its socket drops all that arrives, as a bad line would; putting one on needs no
//! rights.

use std::io::{Read as _, Write as _};
use std::mem;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::thread::sleep;
use std::{io, time::Duration};

use anyhow::ensure;
use lab_kit::Ctx;

/// A receiver that never accepts again must not hang the trial.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Sends a kilobyte, and sees how often the kernel had to send it.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let deaf = ctx.duration("deaf");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut sender = TcpStream::connect(listener.local_addr()?)?;
    let (mut receiver, _) = listener.accept()?;
    receiver.set_read_timeout(Some(TIMEOUT))?;
    if !deaf.is_zero()
        && let Err(error) = drop_all(&receiver)
    {
        // As in a sandbox: without it nothing is sent again, and there is nothing to count.
        ensure!(error.kind() == io::ErrorKind::PermissionDenied, "SO_ATTACH_FILTER: {error}");
        ctx.note(format!(
            "no segment was sent again: this user may set no SO_ATTACH_FILTER ({error})"
        ));
        return Ok(());
    }
    sender.write_all(&[1; 1_000])?;
    sleep(deaf);
    if !deaf.is_zero() {
        drop_none(&receiver)?;
    }
    receiver.read_exact(&mut [0; 1_000])?;
    ctx.metric("port", f64::from(listener.local_addr()?.port()), "");
    ctx.metric("resent", f64::from(resent(&sender)?), "count");
    Ok(())
}

fn drop_all(socket: &TcpStream) -> io::Result<()> {
    /// Returns 0: of a segment, no byte is let in.
    const NOTHING: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let mut code = [libc::sock_filter { code: NOTHING, jt: 0, jf: 0, k: 0 }];
    let program = libc::sock_fprog { len: 1, filter: code.as_mut_ptr() };
    set(socket, libc::SO_ATTACH_FILTER, &program)
}

fn drop_none(socket: &TcpStream) -> io::Result<()> {
    set(socket, libc::SO_DETACH_FILTER, &0_i32)
}

fn set<T>(socket: &TcpStream, option: libc::c_int, value: &T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    let (fd, value) = (socket.as_raw_fd(), std::ptr::from_ref(value).cast());
    // SAFETY: the value, and what it points to, live until the call returns.
    check(unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, option, value, len) })
}

/// Segments that the kernel has sent again on a connection, by its own account.
fn resent(socket: &TcpStream) -> io::Result<u32> {
    // SAFETY: the structure is made of integers.
    let mut info: libc::tcp_info = unsafe { mem::zeroed() };
    let mut len = size_of_val(&info) as libc::socklen_t;
    let (fd, value) = (socket.as_raw_fd(), (&raw mut info).cast());
    // SAFETY: the structure and its length live until the call returns.
    check(unsafe { libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, value, &raw mut len) })?;
    Ok(info.tcpi_total_retrans)
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use lab_kit::{Mode, Rehearsal, rehearse};
    use lab_record::Outcome;

    use crate::LAB;

    /// Forbids this thread to filter what a socket receives, as a sandbox does.
    fn forbid_socket_filters() {
        const SETSOCKOPT: u32 = libc::SYS_setsockopt as u32;
        const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
        // Offsets in `struct seccomp_data`: the number of the call, and its third argument.
        let (load, same, answer) = (0x20, 0x15, 0x06);
        let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
        let mut steps = [
            step(load, 0, 0, 0),
            step(same, 0, 3, SETSOCKOPT),
            step(load, 0, 0, 32),
            step(same, 0, 1, libc::SO_ATTACH_FILTER as u32),
            step(answer, 0, 0, REFUSE),
            step(answer, 0, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
        // SAFETY: the program lives until the calls return; both bind this thread alone.
        let forbidden = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
                    == 0
        };
        assert!(forbidden, "{}", std::io::Error::last_os_error());
    }

    #[test]
    fn a_refused_socket_filter_makes_only_its_own_claim_unavailable() {
        let judged = std::thread::spawn(|| {
            forbid_socket_filters();
            let dir = tempfile::tempdir().unwrap();
            let variants = &["deaf-receiver"];
            let what = Rehearsal { mode: Mode::Live, variants, set: &[], measure: None };
            // The trial finishes, so that those after it run.
            rehearse(&LAB, dir.path(), what).unwrap()
        });
        let judged = judged.join().unwrap();
        assert!(judged.iter().all(|j| j.outcome != Outcome::NotReproduced), "{judged:#?}");
    }
}
