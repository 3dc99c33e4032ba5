//! Keeps raw samples until the program has ended: the first in memory, the rest in an unlinked file
//! beside the output.
//!
//! Unwinding while sampling would take CPU from what is measured. Each sample is stored as
//! little-endian words `time pid tid weight kernel_len user_len regs_len`, then the addresses in
//! the kernel and in user space, the registers and the stack's bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::tempfile_in;

/// Bytes held in memory. They stay there when the rest goes to the file: moving them would take
/// longer than a ring takes to overflow.
const MEMORY_BYTES: usize = 64 << 20;

/// The most bytes in memory and file: an hour of one busy CPU at 99 Hz. Later samples are dropped
/// and counted.
const LIMIT_BYTES: u64 = 6 << 30;

/// The words in front of each sample.
const HEADER_WORDS: usize = 7;

/// One sample as the kernel gave it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawSample {
    /// Nanoseconds on CLOCK_MONOTONIC.
    pub(crate) time_ns: u64,
    /// The process.
    pub(crate) pid: u32,
    /// The thread.
    pub(crate) tid: u32,
    /// Addresses in the kernel, leaf first; empty when it ran in user space.
    pub(crate) kernel: Vec<u64>,
    /// The user's addresses as the kernel finds them by frame pointers, leaf first: correct only if
    /// all code keeps these.
    pub(crate) user: Vec<u64>,
    /// The number of events that it stands for.
    pub(crate) weight: u64,
    /// The user registers that unwinding needs, in the order of the kernel's mask; empty if there
    /// is no user stack.
    pub(crate) regs: Vec<u64>,
    /// The user stack from the stack pointer up.
    pub(crate) stack: Vec<u8>,
}

/// The samples so far.
pub(crate) struct Spool {
    dir: PathBuf,
    memory: Vec<u8>,
    file: Option<File>,
    /// Time, offset and size of each sample.
    index: Vec<(u64, u64, usize)>,
    buffer: Vec<u8>,
    end: u64,
    dropped: u64,
}

impl Spool {
    /// An empty spool. If it needs a file, that goes to `dir`, without a name.
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            // Memory is committed only as it is written.
            memory: Vec::with_capacity(MEMORY_BYTES),
            file: None,
            index: Vec::new(),
            buffer: Vec::new(),
            end: 0,
            dropped: 0,
        }
    }

    /// Adds a sample. If there is no room left, it is dropped and counted.
    pub(crate) fn push(&mut self, sample: &RawSample) {
        encode(sample, &mut self.buffer);
        if self.end < LIMIT_BYTES && self.write().is_ok() {
            self.index.push((sample.time_ns, self.end, self.buffer.len()));
            self.end += self.buffer.len() as u64;
        } else {
            self.dropped += 1;
        }
    }

    /// Appends the buffer. After a failed write, the next one overwrites what was written.
    fn write(&mut self) -> io::Result<()> {
        if self.file.is_none() && self.memory.len() + self.buffer.len() <= MEMORY_BYTES {
            self.memory.extend_from_slice(&self.buffer);
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile_in(&self.dir)?),
        };
        file.write_all_at(&self.buffer, self.end - self.memory.len() as u64)
    }

    /// Reads the sample at `offset` into the buffer.
    fn read(&mut self, offset: u64, bytes: usize) -> io::Result<()> {
        self.buffer.resize(bytes, 0);
        let kept = self.memory.len() as u64;
        match &self.file {
            Some(file) if offset >= kept => file.read_exact_at(&mut self.buffer, offset - kept),
            _ => {
                let start = offset as usize;
                self.buffer.copy_from_slice(&self.memory[start..start + bytes]);
                Ok(())
            }
        }
    }

    /// Samples for which there was no room.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Passes every sample to `each`, in order of time, since the rings of several CPUs arrive one
    /// after the other.
    pub(crate) fn replay(mut self, mut each: impl FnMut(&RawSample)) -> Result<()> {
        self.index.sort_unstable();
        let mut sample = RawSample::default();
        for (_, offset, bytes) in std::mem::take(&mut self.index) {
            self.read(offset, bytes).context("read back the sample spool")?;
            decode(&self.buffer, &mut sample).context("the sample spool is damaged")?;
            each(&sample);
        }
        Ok(())
    }
}

fn encode(sample: &RawSample, bytes: &mut Vec<u8>) {
    let RawSample { time_ns, pid, tid, weight, kernel, user, regs, stack } = sample;
    let [kernel_len, user_len, regs_len] = [kernel, user, regs].map(|words| words.len() as u64);
    let (pid, tid) = ((*pid).into(), (*tid).into());
    let header = [*time_ns, pid, tid, *weight, kernel_len, user_len, regs_len];
    bytes.clear();
    for word in header.iter().chain(kernel).chain(user).chain(regs) {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend_from_slice(stack);
}

/// The inverse of [`encode`], into a sample whose buffers are reused. `None` if a length does not
/// fit.
fn decode(bytes: &[u8], sample: &mut RawSample) -> Option<()> {
    let (header, rest) = bytes.split_at_checked(HEADER_WORDS * 8)?;
    let mut header = words(header);
    sample.time_ns = header.next()?;
    sample.pid = header.next()?.try_into().ok()?;
    sample.tid = header.next()?.try_into().ok()?;
    sample.weight = header.next()?;
    let mut rest = rest;
    for list in [&mut sample.kernel, &mut sample.user, &mut sample.regs] {
        let (bytes, after) = rest.split_at_checked((header.next()? as usize).checked_mul(8)?)?;
        list.clear();
        list.extend(words(bytes));
        rest = after;
    }
    sample.stack.clear();
    sample.stack.extend_from_slice(rest);
    Some(())
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_back_whole_and_in_time_order() {
        let sample = |time_ns, kernel: &[u64], stack: &[u8]| RawSample {
            time_ns,
            pid: 7,
            tid: 8,
            weight: 3,
            kernel: kernel.to_vec(),
            user: vec![9],
            regs: vec![1, 2, u64::MAX],
            stack: stack.to_vec(),
        };
        let (late, early) = (sample(20, &[5, 6], b"stack"), sample(10, &[], b""));
        let mut spool = Spool::new(&std::env::temp_dir());
        spool.push(&late);
        spool.push(&early);
        let mut seen = Vec::new();
        spool.replay(|sample| seen.push(sample.clone())).unwrap();
        assert_eq!(seen, [early, late]);
    }

    #[test]
    fn samples_that_exceed_memory_are_read_back_from_the_file() {
        let sample = |time_ns: u64| RawSample {
            time_ns,
            stack: vec![time_ns as u8; MEMORY_BYTES / 3],
            ..RawSample::default()
        };
        let mut spool = Spool::new(&std::env::temp_dir());
        (0..5).for_each(|time_ns| spool.push(&sample(time_ns)));
        assert_eq!(spool.memory.len() / (MEMORY_BYTES / 3), 2, "and the third begins in the file");
        assert_eq!(spool.dropped(), 0);
        let mut next = 0;
        let back = spool.replay(|seen| {
            assert!(*seen == sample(next), "sample {next}");
            next += 1;
        });
        back.unwrap();
        assert_eq!(next, 5);
    }
}
