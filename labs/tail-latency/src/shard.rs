//! A leaf's data, and the work of answering from it.

use std::sync::Arc;

use lab_kit::Serving;

/// Records in a shard.
const RECORDS: u64 = 256;
/// Different requests; few enough that the root can compute every correct answer beforehand.
pub(crate) const KEYS: u16 = 64;

/// Records sorted by key, the same at both replicas of a shard.
#[derive(Debug)]
pub(crate) struct Shard {
    records: Vec<Record>,
}

#[derive(Debug)]
struct Record {
    key: u64,
    value: [u8; 56],
}

impl Shard {
    /// Makes the data of shard `number`: a function of its number alone, so that root and leaves
    /// agree on it wherever they run.
    pub(crate) fn new(number: u32) -> Self {
        let mut records: Vec<Record> = (0..RECORDS).map(|i| Record::new(number, i)).collect();
        records.sort_by_key(|record| record.key);
        Self { records }
    }

    /// Looks up `work` records and folds their values into a checksum.
    pub(crate) fn look_up(&self, key: u16, work: u64) -> u32 {
        let first = u64::from(key) * RECORDS / u64::from(KEYS);
        (first..first + work).fold(FNV_OFFSET, |sum, i| {
            let key = Record::key(i % RECORDS);
            let found = self.records.binary_search_by_key(&key, |record| record.key);
            let index = found.expect("every key below RECORDS is in every shard");
            fnv1a(sum, &self.records[index].value)
        })
    }

    /// The correct answers for every key.
    pub(crate) fn answers(&self, work: u64) -> Vec<u32> {
        (0..KEYS).map(|key| self.look_up(key, work)).collect()
    }
}

/// The correct answers of every shard, by which the root checks the leaves' answers. Those for one
/// key are adjacent, since a request asks for all of them.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    by_key: Vec<u32>,
    shards: usize,
}

impl Answers {
    /// The number of shards.
    pub(crate) fn shards(&self) -> usize {
        self.shards
    }

    /// The correct answer of a shard; `None` if there is no such shard or key.
    pub(crate) fn get(&self, shard: u32, key: u16) -> Option<u32> {
        let shard = Some(shard as usize).filter(|shard| *shard < self.shards)?;
        self.by_key.get(usize::from(key) * self.shards + shard).copied()
    }
}

/// From the answers of each shard, by key.
impl FromIterator<Vec<u32>> for Answers {
    fn from_iter<I: IntoIterator<Item = Vec<u32>>>(by_shard: I) -> Self {
        let by_shard: Vec<Vec<u32>> = by_shard.into_iter().collect();
        let keys = by_shard.first().map_or(0, Vec::len);
        let of_key = |key: usize| by_shard.iter().map(move |answers| answers[key]);
        Self { by_key: (0..keys).flat_map(of_key).collect(), shards: by_shard.len() }
    }
}

/// What a leaf answers from.
#[derive(Debug, Clone)]
pub(crate) enum Data {
    /// Records: each answer costs its work.
    Records(Arc<Shard>),
    /// Answers computed beforehand: CPU work takes no simulated time, so a simulation would only
    /// repeat the same lookups.
    Answers(Arc<Answers>),
}

impl Data {
    /// The checksum of `work` records of the shard from `key` on.
    pub(crate) fn look_up(&self, number: u32, key: u16, work: u64) -> u32 {
        match self {
            Self::Records(shard) => {
                let _serving = Serving::begin();
                shard.look_up(key, work)
            }
            Self::Answers(answers) => {
                answers.get(number, key).expect("the answers of every shard and key")
            }
        }
    }
}

impl Record {
    fn new(shard: u32, i: u64) -> Self {
        let mut value = [0; 56];
        for (n, byte) in value.iter_mut().enumerate() {
            *byte = ((u64::from(shard) + 1).wrapping_mul(Self::key(i + n as u64)) >> 56) as u8;
        }
        Self { key: Self::key(i), value }
    }

    /// Scatters the keys, so that a lookup has to search: an odd multiplier permutes the 64-bit
    /// numbers.
    fn key(i: u64) -> u64 {
        i.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

const FNV_OFFSET: u32 = 0x811c_9dc5;
const FNV_PRIME: u32 = 0x0100_0193;

/// FNV-1a (Fowler, Noll & Vo): byte by byte, work that a processor cannot skip.
fn fnv1a(seed: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(seed, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(FNV_PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_differ_between_keys_shards_and_amounts_of_work() {
        let shard = Shard::new(3);
        let answers = shard.answers(10);
        let mut distinct = answers.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), usize::from(KEYS));
        assert_ne!(answers, Shard::new(4).answers(10));
        assert_ne!(answers, shard.answers(11));
        assert_eq!(answers, Shard::new(3).answers(10), "the same everywhere");
    }

    #[test]
    fn fnv1a_agrees_with_its_reference() {
        assert_eq!(fnv1a(FNV_OFFSET, b"foobar"), 0xbf9c_f968);
    }
}
