//! Reading from a connection, with the time at which the kernel received what was read.
//!
//! A client that reads less often than replies come would count its own delay as the server's. So
//! the kernel notes when a segment came in (`SO_TIMESTAMPNS`, socket(7); for TCP since Linux 4.14),
//! by `CLOCK_REALTIME`. Segments that are read together all get the time of the last one: a reply
//! may seem later than it was, never earlier.

use std::cell::Cell;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::clock::Clock;

/// Has the kernel note when segments come in. If it does not, they count as coming when they are
/// read.
pub(super) fn stamp(stream: &TcpStream) {
    let on: libc::c_int = 1;
    let (option, size) = (&raw const on, size_of_val(&on) as libc::socklen_t);
    let (level, name) = (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS);
    // SAFETY: the kernel reads an integer that lives until the call returns.
    unsafe { libc::setsockopt(stream.as_raw_fd(), level, name, option.cast(), size) };
}

/// A stream that knows when the bytes last read from it came in.
#[derive(Debug)]
pub(super) struct Stamped<'a> {
    stream: &'a TcpStream,
    /// When the bytes last read came in, by `CLOCK_REALTIME`.
    stamp: Cell<Option<Duration>>,
}

impl<'a> Stamped<'a> {
    pub(super) fn new(stream: &'a TcpStream) -> Self {
        Self { stream, stamp: Cell::new(None) }
    }

    /// When the bytes last read came in, if there was nothing to read at `since`: always between
    /// `since` and now, even if the system's clock is set meanwhile.
    pub(super) fn came(&self, clock: Clock, since: Duration) -> Duration {
        // The time between the two clock readings makes the result slightly later.
        let age = self.stamp.get().map(|stamp| time_of_day().saturating_sub(stamp));
        clock.now().saturating_sub(age.unwrap_or_default()).max(since)
    }
}

impl io::Read for &Stamped<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
        let mut notes = [0_u64; 8];
        // SAFETY: all zeros are a valid `msghdr`.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
        message.msg_control = (&raw mut notes).cast();
        message.msg_controllen = size_of_val(&notes) as _;
        // SAFETY: the kernel writes no more into `bytes` and `notes` than their lengths say.
        let read = unsafe { libc::recvmsg(self.stream.as_raw_fd(), &raw mut message, 0) };
        // SAFETY: the kernel has filled `message`, and `notes` lives.
        self.stamp.set(unsafe { stamp_of(&message) });
        usize::try_from(read).map_err(|_| io::Error::last_os_error())
    }
}

/// # Safety
/// `message` was filled by `recvmsg`, and its notes live.
unsafe fn stamp_of(message: &libc::msghdr) -> Option<Duration> {
    // SAFETY: as the caller promises; the kernel writes whole notes.
    unsafe {
        let note = libc::CMSG_FIRSTHDR(message);
        let stamps = (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS);
        if note.is_null() || ((*note).cmsg_level, (*note).cmsg_type) != stamps {
            return None;
        }
        let time: libc::timespec = libc::CMSG_DATA(note).cast::<libc::timespec>().read_unaligned();
        Some(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    }
}

fn time_of_day() -> Duration {
    let now = clock_gettime(ClockId::Realtime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread::sleep;

    use super::*;

    const PAUSE: Duration = Duration::from_millis(20);

    /// Two ends of a connection, of which the first is stamped. Stamping begins a moment after it
    /// is asked for.
    fn pair() -> [TcpStream; 2] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stamp(&near);
        let (mut far, _) = listener.accept().unwrap();
        for _ in 0..100 {
            far.write_all(b"?").unwrap();
            let stamped = Stamped::new(&near);
            (&stamped).read_exact(&mut [0]).unwrap();
            if stamped.stamp.get().is_some() {
                return [near, far];
            }
            sleep(PAUSE);
        }
        panic!("this kernel stamps nothing");
    }

    #[test]
    fn what_is_read_late_came_when_it_was_sent() {
        let ([near, mut far], clock) = (pair(), Clock::live());
        let sent = clock.now();
        far.write_all(b"1").unwrap();
        sleep(PAUSE);
        let read = clock.now();
        let stamped = Stamped::new(&near);
        (&stamped).read_exact(&mut [0]).unwrap();
        let came = stamped.came(clock, Duration::ZERO);
        assert!((sent..read).contains(&came), "{sent:?} {came:?} {read:?}");
    }

    #[test]
    fn what_is_read_together_came_with_the_last() {
        let ([near, mut far], clock) = (pair(), Clock::live());
        far.write_all(b"1").unwrap();
        sleep(PAUSE);
        let sent = clock.now();
        far.write_all(b"2").unwrap();
        let stamped = Stamped::new(&near);
        assert_eq!((&stamped).read(&mut [0; 9]).unwrap(), 2);
        assert!(stamped.came(clock, Duration::ZERO) >= sent);
    }

    #[test]
    fn nothing_came_before_there_was_nothing_to_read() {
        let ([near, mut far], clock) = (pair(), Clock::live());
        far.write_all(b"1").unwrap();
        let since = clock.now();
        let stamped = Stamped::new(&near);
        (&stamped).read_exact(&mut [0]).unwrap();
        assert_eq!(stamped.came(clock, since + PAUSE), since + PAUSE);
        stamped.stamp.set(None);
        assert!(stamped.came(clock, Duration::ZERO) >= since, "it comes when it is read");
    }
}
