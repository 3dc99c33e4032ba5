//! Computation on bytes in the cache: hashing, sorting, serialising and compressing.

use std::hint::black_box;
use std::io::{self, Read as _, Write as _};
use std::time::Instant;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use lab_kit::Ctx;
use lab_kit::rows::{Row, measure};
use lab_kit::sim::Zipf;
use rand::{Rng as _, RngExt as _};
use serde::{Deserialize, Serialize};

use crate::loops::{Line, digest, hash};

const HASHES: u64 = 10_000;
const NUMBERS: usize = 1_000_000;
const RECORDS: u64 = 1_000;
const TEXT: usize = 256 << 10;
const WORDS: u32 = 4_096;
/// Purposes of random numbers, each with a stream of its own.
const ORDER: u64 = 0;
const TEXTS: u64 = 1;

/// Hashes of 64 cached bytes, and the sorting of a million numbers.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let safe = if ctx.text("digest") == "sha-256" { digest } else { hash };
    let hashes = |name, of: fn(&[u8]) -> u64| {
        let bytes = [7; size_of::<Line>()];
        Row::of(name, bytes.len(), HASHES, move || of(black_box(&bytes)))
    };
    let mut rng = ctx.rng(&[ORDER]);
    let mut numbers: Vec<u64> = (0..NUMBERS).map(|_| rng.next_u64()).collect();
    if ctx.text("numbers") == "sorted" {
        numbers.sort_unstable();
    }
    let mut sorted = numbers.clone();
    let sort = Row::timed("sort", size_of::<u64>(), NUMBERS as u64, || {
        sorted.copy_from_slice(&numbers);
        let begun = Instant::now();
        black_box(&mut sorted).sort_unstable();
        Ok(begun.elapsed())
    });
    measure(ctx, vec![hashes("hash", hash), hashes("digest", safe), sort])
}

/// Records as JSON and as raw bytes, and the compression of a text.
pub(crate) fn encode(ctx: &mut Ctx) -> anyhow::Result<()> {
    let records: Vec<Record> = (0..RECORDS).map(Record::new).collect();
    let raw = Record::all_to_bytes(&records);
    let json = serde_json::to_vec(&records)?;
    let text = text(ctx)?;
    let quick = lz4_flex::compress(&text);
    let mut rows = Vec::new();
    let (raw_bytes, json_bytes) = (raw.len() / records.len(), json.len() / records.len());
    let write_raw = || {
        black_box(Record::all_to_bytes(black_box(&records)));
        Ok(())
    };
    let read_raw = || {
        black_box(Record::all_of(black_box(&raw)));
        Ok(())
    };
    rows.push(Row::new("raw_write", raw_bytes, RECORDS, write_raw));
    rows.push(Row::new("raw_read", raw_bytes, RECORDS, read_raw));
    if ctx.text("format") == "json" {
        rows.push(Row::new("json_write", json_bytes, RECORDS, || {
            black_box(serde_json::to_vec(black_box(&records))?);
            Ok(())
        }));
        rows.push(Row::new("json_read", json_bytes, RECORDS, || {
            black_box(serde_json::from_slice::<Vec<Record>>(black_box(&json))?);
            Ok(())
        }));
    } else {
        rows.push(Row::new("json_write", raw_bytes, RECORDS, write_raw));
        rows.push(Row::new("json_read", raw_bytes, RECORDS, read_raw));
    }
    rows.push(Row::new("compress", TEXT, 1, || {
        black_box(lz4_flex::compress(black_box(&text)));
        Ok(())
    }));
    rows.push(Row::new("decompress", TEXT, 1, || {
        black_box(lz4_flex::decompress(black_box(&quick), TEXT).map_err(io::Error::other)?);
        Ok(())
    }));
    let smaller = |less: usize| TEXT as f64 / less as f64;
    ctx.metric("compress_ratio", smaller(quick.len()), "times");
    for (name, level) in LEVELS {
        let less = deflate(&text, level)?;
        // Checks that the result is correct.
        let mut back = Vec::new();
        DeflateDecoder::new(&less[..]).read_to_end(&mut back)?;
        anyhow::ensure!(back == text, "deflate {level} lost something");
        ctx.metric(&format!("{name}_ratio"), smaller(less.len()), "times");
        let text = &text;
        rows.push(Row::new(name, TEXT, 1, move || {
            deflate(text, level).map(|less| drop(black_box(less)))
        }));
    }
    measure(ctx, rows)
}

const LEVELS: [(&str, u32); 2] = [("deflate_1", 1), ("deflate_9", 9)];

fn deflate(text: &[u8], level: u32) -> io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(text)?;
    encoder.finish()
}

/// Words of which a few are frequent, as in a language; or random bytes.
fn text(ctx: &Ctx) -> anyhow::Result<Vec<u8>> {
    let mut rng = ctx.rng(&[TEXTS]);
    let mut text = Vec::with_capacity(TEXT + 16);
    if ctx.text("text") == "random" {
        text.resize(TEXT, 0);
        rng.fill_bytes(&mut text);
        return Ok(text);
    }
    let word = |_| -> Vec<u8> {
        let letters = rng.random_range(2..10);
        (0..letters).map(|_| b'a' + rng.random_range(0..26)).collect()
    };
    let words: Vec<Vec<u8>> = (0..WORDS).map(word).collect();
    let zipf = Zipf::new(WORDS, 1.0)?;
    while text.len() < TEXT {
        text.extend_from_slice(&words[zipf.draw(&mut rng)]);
        text.push(b' ');
    }
    text.truncate(TEXT);
    Ok(text)
}

/// A line of a log.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Record {
    number: u64,
    at_ns: u64,
    bytes: u32,
    status: u32,
    share: f64,
}

impl Record {
    const BYTES: usize = 32;

    fn new(number: u64) -> Self {
        let at_ns = 1_700_000_000_000_000_000 + number * 1_234_567;
        let bytes = (number * 7_919 % 65_536) as u32;
        Self { number, at_ns, bytes, status: 200, share: 1.0 / (number + 3) as f64 }
    }

    fn all_to_bytes(records: &[Self]) -> Vec<u8> {
        let mut all = Vec::with_capacity(records.len() * Self::BYTES);
        for record in records {
            all.extend_from_slice(&record.number.to_le_bytes());
            all.extend_from_slice(&record.at_ns.to_le_bytes());
            all.extend_from_slice(&record.bytes.to_le_bytes());
            all.extend_from_slice(&record.status.to_le_bytes());
            all.extend_from_slice(&record.share.to_le_bytes());
        }
        all
    }

    fn all_of(bytes: &[u8]) -> Vec<Self> {
        let (records, _) = bytes.as_chunks::<{ Self::BYTES }>();
        let word = |record: &[u8; Self::BYTES], at: usize| {
            u64::from_le_bytes(record[at..at + 8].try_into().expect("eight bytes"))
        };
        let one = |record| {
            let both = word(record, 16);
            Self {
                number: word(record, 0),
                at_ns: word(record, 8),
                bytes: both as u32,
                status: (both >> 32) as u32,
                share: f64::from_bits(word(record, 24)),
            }
        };
        records.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_written() {
        let records: Vec<Record> = (0..10).map(Record::new).collect();
        assert_eq!(Record::all_of(&Record::all_to_bytes(&records)), records);
    }
}
