//! The loops that are the lesson: what the processor does while it reads memory, computes, or enters
//! the kernel. `cargo bench -p napkin-math --bench loops` times them one by one.

use std::hash::{BuildHasher as _, Hasher as _};
use std::hint::black_box;
use std::ops::BitXor;

use lab_kit::stats::splitmix64;
use sha2::{Digest as _, Sha256};

/// What a cache fetches from memory at a time: 64 bytes.
pub type Line = [u64; 8];

/// Reads lines of a memory, in number: the first one's number, and how many.
pub type ReadSome = fn(&[Line], u64, u64) -> u64;

/// So many bytes of memory, in lines. Each word of it is a one, so each page is there.
pub fn memory(bytes: usize) -> Vec<Line> {
    vec![[1; 8]; bytes / size_of::<Line>()]
}

/// Reads all lines in their order: the processor fetches those that come next before they are asked
/// for.
pub fn in_order(memory: &[Line]) -> u64 {
    black_box(memory).iter().map(whole).fold(0, BitXor::bitxor)
}

/// Reads `count` lines at random places, of which many are fetched at a time. `from` numbers the
/// first: other numbers are other places.
pub fn at_random(memory: &[Line], from: u64, count: u64) -> u64 {
    let lines = (from..from + count).map(|i| whole(&memory[place(i, memory)]));
    lines.fold(0, BitXor::bitxor)
}

/// As [`at_random`], but each place follows from what was read at the last one, so that one line is
/// fetched at a time.
pub fn one_by_one(memory: &[Line], from: u64, count: u64) -> u64 {
    (from..from + count).fold(0, |read, i| whole(&memory[place(i ^ read, memory)]))
}

/// All words of a line in one.
fn whole(line: &Line) -> u64 {
    line.iter().fold(0, BitXor::bitxor)
}

fn place(number: u64, memory: &[Line]) -> usize {
    ((u128::from(splitmix64(0, number)) * memory.len() as u128) >> 64) as usize
}

/// A hash for tables: fast, and no obstacle for somebody who looks for collisions.
pub fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

/// A hash that is safe: the first word of SHA-256.
pub fn digest(bytes: &[u8]) -> u64 {
    let digest = Sha256::digest(bytes);
    u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}

/// Enters the kernel and leaves it again: getppid, which no C library answers by itself.
#[inline(never)]
pub fn system_call() -> i64 {
    // SAFETY: it has no arguments, and it cannot fail.
    unsafe { libc::syscall(libc::SYS_getppid) }
}

/// A call that stays in the program.
#[inline(never)]
pub fn function_call() -> i64 {
    black_box(1)
}
