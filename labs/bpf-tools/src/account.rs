//! What the kernel keeps account of for every thread, without rights: `/proc/thread-self/io`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use anyhow::Context as _;

const PATH: &str = "/proc/thread-self/io";

/// Calls and bytes of a thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// Calls that read: all of read's siblings, whatever they returned.
    pub(crate) reads: u64,
    /// Bytes that they returned, from wherever.
    pub(crate) read_bytes: u64,
    /// Bytes that came from a block device on behalf of the thread, read ahead or past the cache.
    pub(crate) fetched_bytes: u64,
}

impl Account {
    /// What the calling thread does in `work`, and the work's result. Reading the account is itself
    /// a read, which is left out.
    ///
    /// # Errors
    /// This kernel keeps no such account; or the work's own.
    pub(crate) fn of<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(Self, T)> {
        let file = File::open(PATH).context(PATH)?;
        let (before, own_bytes) = read(&file)?;
        let done = work()?;
        let (after, _) = read(&file)?;
        let account = Self {
            reads: after.reads - before.reads - 1,
            read_bytes: after.read_bytes - before.read_bytes - own_bytes,
            fetched_bytes: after.fetched_bytes - before.fetched_bytes,
        };
        Ok((account, done))
    }
}

/// By one call, which the next account holds; and its length.
fn read(file: &File) -> anyhow::Result<(Account, u64)> {
    let mut text = [0; 512];
    let length = file.read_at(&mut text, 0).context(PATH)?;
    let text = String::from_utf8_lossy(&text[..length]);
    Ok((parse(&text).context(PATH)?, length as u64))
}

fn parse(text: &str) -> io::Result<Account> {
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value
            .and_then(|value| value.parse().ok())
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no {name}")))
    };
    Ok(Account {
        reads: field("syscr")?,
        read_bytes: field("rchar")?,
        fetched_bytes: field("read_bytes")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_by_its_names() {
        let text = "rchar: 10\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 4096\nwrite_bytes: 0\n";
        let expected = Account { reads: 3, read_bytes: 10, fetched_bytes: 4096 };
        assert_eq!(parse(text).unwrap(), expected);
        assert!(parse("rchar: 10\nread_bytes: 7\n").is_err());
    }

    #[test]
    fn work_is_counted_and_the_counting_is_not() {
        let zero = File::open("/dev/zero").unwrap();
        for (reads, bytes) in [(0, 0), (3, 7)] {
            let work = || (0..reads).try_for_each(|_| Ok(zero.read_exact_at(&mut [0; 7], 0)?));
            let (account, ()) = Account::of(work).unwrap();
            assert_eq!((account.reads, account.read_bytes), (reads, reads * bytes));
        }
    }
}
