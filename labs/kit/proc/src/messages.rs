//! The kernel's messages: `/dev/kmsg` (Documentation/ABI/testing/dev-kmsg).

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

/// A message of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// 0 an emergency, 3 an error, 4 a warning, 6 information (syslog(2)).
    pub level: u8,
    /// The time since the machine was started.
    pub at: Duration,
    /// Its first line. The kernel escapes what cannot be printed.
    pub text: String,
}

impl Message {
    /// `6,339,5140900,-;text`, then lines of a dictionary. Bits 3 and up of the first number are
    /// the facility: 0 is the kernel.
    fn parse(record: &str) -> Option<Self> {
        let (head, text) = record.split_once(';')?;
        let mut fields = head.split(',');
        let priority: u64 = fields.next()?.parse().ok()?;
        let at = Duration::from_micros(fields.nth(1)?.parse().ok()?);
        let text = text.lines().next().unwrap_or_default().to_owned();
        (priority >> 3 == 0).then_some(Self { level: priority as u8, at, text })
    }
}

/// The messages that the kernel still keeps, the oldest first.
///
/// # Errors
/// This user may not read them: root may, and every user if `kernel.dmesg_restrict` is 0.
pub fn messages() -> io::Result<Vec<Message>> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("/dev/kmsg: {error}"));
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let opened = OpenOptions::new().read(true).custom_flags(nonblocking).open("/dev/kmsg");
    let mut file = opened.map_err(named)?;
    let mut messages = Vec::new();
    // One call returns one record, and no record is longer.
    let mut record = [0; 8192];
    loop {
        match file.read(&mut record) {
            Ok(0) => return Ok(messages),
            Ok(length) => {
                messages.extend(Message::parse(&String::from_utf8_lossy(&record[..length])))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(messages),
            // The record was overwritten meanwhile: the next call returns the oldest that is left.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(error) => return Err(named(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_its_level_time_and_first_line() {
        let message =
            Message::parse("3,339,5140900,-;I/O error; dev vda\n SUBSYSTEM=block\n").unwrap();
        assert_eq!((message.level, message.at), (3, Duration::from_micros(5_140_900)));
        assert_eq!(message.text, "I/O error; dev vda");
    }

    #[test]
    fn what_a_program_wrote_is_not_the_kernels() {
        assert_eq!(Message::parse("12,340,5140901,-;systemd[1]: hello\n"), None);
        assert_eq!(Message::parse("no record"), None);
    }
}
