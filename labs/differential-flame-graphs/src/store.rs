//! A store that writes blocks with a checksum, and after an upgrade compresses them first: the
//! shape of the article's example, in which a file system's compression was switched on.

use std::hint::black_box;

use lab_kit::seed;

const BLOCK: usize = 16 * 1024;
/// How far back a match may lie, and how many of its candidates are tried.
const WINDOW: usize = 4_096;
const CANDIDATES: usize = 8;
const SHORTEST: usize = 4;
const LONGEST: usize = 258;

/// Keeps blocks.
pub(crate) struct Store {
    block: Vec<u8>,
    /// Whether blocks are compressed.
    pub compresses: bool,
    /// What has been written, in bytes.
    pub written: u64,
}

impl Store {
    /// A store whose blocks hold words of a seeded text.
    pub(crate) fn new(seed: u64, compresses: bool) -> Self {
        const WORDS: [&str; 8] =
            ["request ", "accepted ", "from ", "client ", "and ", "answered ", "in ", "time "];
        let word = |at| WORDS[(seed::uniform(seed, &[at]) * WORDS.len() as f64) as usize];
        let block = (0..).flat_map(|at| word(at).bytes()).take(BLOCK).collect();
        Self { block, compresses, written: 0 }
    }

    /// Writes one block.
    #[inline(never)]
    pub(crate) fn write_block(&mut self) {
        let packed = self.compresses.then(|| compress_block(&self.block));
        let bytes = packed.as_deref().unwrap_or(&self.block);
        self.written += bytes.len() as u64;
        black_box(checksum(bytes));
    }
}

/// Bytes as they are, or a distance and a length: LZ77 (Ziv & Lempel 1977), found by a chain of
/// earlier positions with the same first bytes.
#[inline(never)]
fn compress_block(block: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(block.len());
    let mut newest = vec![usize::MAX; 1 << 12];
    let mut older = vec![usize::MAX; block.len()];
    let mut at = 0;
    while at < block.len() {
        let (distance, length) = longest_match(block, at, &newest, &older);
        let step = if length >= SHORTEST {
            packed.extend([1, distance as u8, (distance >> 8) as u8, (length - SHORTEST) as u8]);
            length
        } else {
            packed.extend([0, block[at]]);
            1
        };
        for position in at..(at + step).min(block.len().saturating_sub(SHORTEST)) {
            let slot = &mut newest[hash(block, position)];
            older[position] = std::mem::replace(slot, position);
        }
        at += step;
    }
    packed
}

/// The farthest-reaching earlier occurrence of what stands at `at`: its distance and length.
#[inline(never)]
fn longest_match(block: &[u8], at: usize, newest: &[usize], older: &[usize]) -> (usize, usize) {
    if at + SHORTEST > block.len() {
        return (0, 0);
    }
    let mut best = (0, 0);
    let mut candidate = newest[hash(block, at)];
    for _ in 0..CANDIDATES {
        if candidate == usize::MAX || at - candidate > WINDOW {
            break;
        }
        let pairs = block[candidate..].iter().zip(&block[at..]);
        let length = pairs.take(LONGEST).take_while(|(a, b)| a == b).count();
        if length > best.1 {
            best = (at - candidate, length);
        }
        candidate = older[candidate];
    }
    best
}

fn hash(block: &[u8], at: usize) -> usize {
    let word = u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    (word.wrapping_mul(0x9e37_79b1) >> 20) as usize
}

/// FNV-1a.
#[inline(never)]
fn checksum(bytes: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(packed: &[u8]) -> Vec<u8> {
        let mut block: Vec<u8> = Vec::new();
        let mut rest = packed;
        loop {
            rest = match rest {
                [0, byte, after @ ..] => {
                    block.push(*byte);
                    after
                }
                [1, low, high, length, after @ ..] => {
                    let from = block.len() - usize::from(u16::from_le_bytes([*low, *high]));
                    for i in 0..usize::from(*length) + SHORTEST {
                        block.push(block[from + i]);
                    }
                    after
                }
                [] => return block,
                _ => panic!("neither a byte nor a match: {rest:?}"),
            };
        }
    }

    #[test]
    fn a_block_survives_compression_and_shrinks() {
        let store = Store::new(1, true);
        let packed = compress_block(&store.block);
        assert_eq!(unpack(&packed), store.block);
        assert!(packed.len() * 2 < BLOCK, "{}", packed.len());
        for odd in [&b""[..], b"a", b"abc", b"abcabcabcabcabc", &[7; 1_000]] {
            assert_eq!(unpack(&compress_block(odd)), odd);
        }
    }
}
