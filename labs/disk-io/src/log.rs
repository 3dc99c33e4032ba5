//! A log of numbered records, and what a crash leaves of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use lab_kit::stats::splitmix64;

/// The length of a record in bytes.
pub(crate) const RECORD: usize = 128;

/// What a log is written to: what was written before a sync survives a crash.
pub(crate) trait Disk {
    fn write(&mut self, bytes: &[u8], at: u64) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
}

impl Disk for File {
    fn write(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Records that have a number and are not written yet.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    bytes: Vec<u8>,
    /// The number of records numbered so far, from the first on.
    pub(crate) numbered: u64,
}

impl Waiting {
    /// Adds the next record, and returns the number of records so far.
    pub(crate) fn add(&mut self) -> u64 {
        self.bytes.extend(record(self.numbered));
        self.numbered += 1;
        self.numbered
    }

    pub(crate) fn count(&self) -> usize {
        self.bytes.len() / RECORD
    }

    /// Takes the oldest records, up to `at_most`.
    pub(crate) fn take(&mut self, at_most: usize) -> Vec<u8> {
        let later = self.bytes.split_off(self.bytes.len().min(at_most.saturating_mul(RECORD)));
        std::mem::replace(&mut self.bytes, later)
    }
}

/// A log that is written one batch after the other.
#[derive(Debug)]
pub(crate) struct Log<D> {
    pub(crate) disk: D,
    /// Whether a batch is made durable before its records are acknowledged.
    syncs: bool,
    /// The length in bytes at which it starts over.
    limit: u64,
    end: u64,
}

impl<D: Disk> Log<D> {
    pub(crate) fn new(disk: D, syncs: bool, limit: u64) -> Self {
        Self { disk, syncs, limit, end: 0 }
    }

    /// Writes a batch. Once this returns, its records may be acknowledged.
    pub(crate) fn commit(&mut self, batch: &[u8]) -> io::Result<()> {
        let length = batch.len() as u64;
        if self.end + length > self.limit {
            self.end = 0;
        }
        self.disk.write(batch, self.end)?;
        self.end += length;
        if self.syncs { self.disk.sync() } else { Ok(()) }
    }
}

/// The number of whole records, from the first on: what a store finds when it restarts.
pub(crate) fn recovered(bytes: &[u8]) -> u64 {
    let whole = bytes.chunks_exact(RECORD).zip(0..).take_while(|(found, n)| **found == record(*n));
    whole.count() as u64
}

/// All bytes of a record follow from its number, so that none is mistaken for another.
fn record(number: u64) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    for (word, n) in record.chunks_exact_mut(8).zip(0..) {
        word.copy_from_slice(&splitmix64(number, n).to_le_bytes());
    }
    record
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    /// The variable with the path of the log for the process that the test starts.
    const LOG: &str = "DISK_IO_TEST_LOG";

    #[test]
    fn helper_process_that_never_syncs() {
        let Some(path) = env::var_os(LOG) else { return };
        let mut log = Log::new(File::create(path).unwrap(), false, u64::MAX);
        let mut waiting = Waiting::default();
        loop {
            let acknowledged = waiting.add();
            log.commit(&waiting.take(1)).unwrap();
            println!("acknowledged {acknowledged}");
        }
    }

    #[test]
    fn killing_the_writer_loses_nothing_since_the_page_cache_outlives_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut writer = Command::new(env::current_exe().unwrap())
            .args(["--exact", "log::tests::helper_process_that_never_syncs", "--nocapture"])
            .env(LOG, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(writer.stdout.take().unwrap()).lines();
        let said = said.map_while(Result::ok).filter_map(|line| {
            line.rsplit_once("acknowledged ").and_then(|(_, count)| count.parse::<u64>().ok())
        });
        let last = said.take(1_000).last().unwrap();
        writer.kill().unwrap();
        writer.wait().unwrap();
        assert!(last >= 1_000 && recovered(&std::fs::read(path).unwrap()) >= last);
    }

    #[test]
    fn a_log_is_recovered_up_to_its_first_record_that_is_not_whole() {
        let mut waiting = Waiting::default();
        for _ in 0..5 {
            waiting.add();
        }
        let first = waiting.take(2);
        let mut bytes = [first, waiting.take(usize::MAX)].concat();
        assert_eq!((recovered(&bytes), waiting.count()), (5, 0));
        assert_eq!(recovered(&bytes[..3 * RECORD + 1]), 3);
        bytes[RECORD + 7] ^= 1;
        assert_eq!(recovered(&bytes), 1);
    }
}
