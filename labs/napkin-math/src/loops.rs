//! The timed loops: the processor reads memory, computes, or enters the kernel. `cargo bench -p
//! napkin-math --bench loops` times them one by one.

use std::hash::{BuildHasher as _, Hasher as _};
use std::hint::black_box;
use std::ops::BitXor;

use lab_kit::stats::splitmix64;
use sha2::{Digest as _, Sha256};

/// A cache line: the 64 bytes that a cache fetches from memory at a time.
pub type Line = [u64; 8];

/// Reads lines of a memory: takes the first line's number and the number of lines.
pub type ReadSome = fn(&[Line], u64, u64) -> u64;

/// This many bytes of memory, in lines. Each word is 1, so each page is mapped.
pub fn memory(bytes: usize) -> Vec<Line> {
    vec![[1; 8]; bytes / size_of::<Line>()]
}

/// Reads all lines in order: the processor prefetches the next ones.
pub fn in_order(memory: &[Line]) -> u64 {
    black_box(memory).iter().map(whole).fold(0, BitXor::bitxor)
}

/// Reads `count` lines at random places, many of which are fetched at the same time. `from` is the
/// number of the first; other numbers give other places.
pub fn at_random(memory: &[Line], from: u64, count: u64) -> u64 {
    let lines = (from..from + count).map(|i| whole(&memory[place(i, memory)]));
    lines.fold(0, BitXor::bitxor)
}

/// As [`at_random`], but each place depends on the line read before it, so that one line is fetched
/// at a time.
pub fn one_by_one(memory: &[Line], from: u64, count: u64) -> u64 {
    (from..from + count).fold(0, |read, i| whole(&memory[place(i ^ read, memory)]))
}

/// Combines all words of a line into one.
fn whole(line: &Line) -> u64 {
    line.iter().fold(0, BitXor::bitxor)
}

fn place(number: u64, memory: &[Line]) -> usize {
    ((u128::from(splitmix64(0, number)) * memory.len() as u128) >> 64) as usize
}

/// A hash for hash tables: fast, but not collision-resistant.
pub fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

/// A cryptographic hash: the first word of SHA-256.
pub fn digest(bytes: &[u8]) -> u64 {
    let digest = Sha256::digest(bytes);
    u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}

/// Enters and leaves the kernel: getppid, which no C library caches.
#[inline(never)]
pub fn system_call() -> i64 {
    // SAFETY: getppid has no arguments and cannot fail.
    unsafe { libc::syscall(libc::SYS_getppid) }
}

/// A call that stays in the program.
#[inline(never)]
pub fn function_call() -> i64 {
    black_box(1)
}
