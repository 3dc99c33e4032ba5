//! A receiver that lets nothing in for a while, for tcpretrans.
//!
//! A filter on its socket drops whatever arrives, as a bad line would; putting one on needs no rights.

use std::io::{Read as _, Write as _};
use std::mem;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::thread::sleep;
use std::{io, time::Duration};

use lab_kit::Ctx;

/// A receiver that stays deaf for ever must not hang the trial.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends a kilobyte, and sees how often the kernel had to send it.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let deaf = ctx.duration("deaf");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut sender = TcpStream::connect(listener.local_addr()?)?;
    let (mut receiver, _) = listener.accept()?;
    receiver.set_read_timeout(Some(PATIENCE))?;
    if !deaf.is_zero() {
        drop_all(&receiver)?;
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
