//! Sorts what the kernel reports: samples to the spool, changes of processes to a list, trouble to
//! counters.

use std::path::Path;

use lab_proc::Mapping;
use perf_event::Record;
use perf_event::data::endian::Native;
use perf_event::data::parse::{ParseConfig, ParseResult, Parser};
use perf_event::data::{
    Comm, Exit, Lost, Mmap2, RecordMetadata, Sample, SampleRegsAbi, Throttle, Visitor,
};
use perf_event_open_sys::bindings::{
    PERF_RECORD_MISC_COMM_EXEC, PERF_RECORD_MISC_SWITCH_OUT, PERF_RECORD_MISC_SWITCH_OUT_PREEMPT,
    PERF_RECORD_SWITCH, perf_event_header,
};

use super::changes::{Change, Switch, Way, What};
use super::events::{Events, Owners};
use super::held::Held;
use super::spool::{RawSample, Spool};

/// Addresses from here on are markers between the parts of a call chain, not addresses
/// (PERF_CONTEXT_MAX).
const CONTEXT_MARKERS: u64 = -4095_i64 as u64;

/// After this marker, the addresses are in user space (PERF_CONTEXT_USER).
const CONTEXT_USER: u64 = -512_i64 as u64;

/// The most switches that are kept: a gigabyte of them, or 100,000 a second for ten minutes.
/// Further ones are counted as lost.
const SWITCHES_MAX: usize = 1 << 26;

/// Everything received so far.
pub(crate) struct Intake {
    /// The samples.
    pub(crate) spool: Spool,
    /// The files that are mapped, held open: some are deleted before the end.
    pub(crate) held: Held,
    /// The changes, in the order of arrival.
    pub(crate) changes: Vec<Change>,
    /// The switches of threads, if they are recorded, in the order of arrival.
    pub(crate) switches: Vec<Switch>,
    /// Records for which there was no room: nearly all of them samples, which are much larger.
    pub(crate) lost: u64,
    /// Times the kernel stopped an event for firing too often.
    pub(crate) throttled: u64,
    /// Records that could not be read: from a newer kernel, or damaged.
    pub(crate) unreadable: u64,
}

impl Intake {
    /// Nothing yet; `spool_dir` is where the spool may overflow to.
    pub(crate) fn new(spool_dir: &Path) -> Self {
        Self {
            spool: Spool::new(spool_dir),
            held: Held::default(),
            changes: Vec::new(),
            switches: Vec::new(),
            lost: 0,
            throttled: 0,
            unreadable: 0,
        }
    }

    /// Takes all records from the rings.
    pub(crate) fn drain(&mut self, events: &mut Events) {
        events.drain(|record, config, owners| match parse(record, config) {
            Ok(item) => self.take(item, owners),
            Err(_) => self.unreadable += 1,
        });
    }

    /// Adds a change.
    pub(crate) fn note(&mut self, change: Change) {
        if let What::Map { pid, mapping } = &change.what {
            self.held.hold(*pid, mapping);
        }
        self.changes.push(change);
    }

    fn take(&mut self, item: Item, owners: &Owners) {
        match item {
            Item::Sample { event, sample } if !owners.is_duplicate(sample.tid, event) => {
                self.spool.push(&sample)
            }
            Item::Switch { event, switch } if !owners.is_duplicate(switch.tid, event) => {
                if self.switches.len() < SWITCHES_MAX {
                    self.switches.push(switch);
                } else {
                    self.lost += 1;
                }
            }
            Item::Change(change) => self.note(change),
            Item::Lost(count) => self.lost += count,
            Item::Throttled => self.throttled += 1,
            Item::Sample { .. } | Item::Switch { .. } | Item::Nothing => {}
        }
    }
}

enum Item {
    Sample { event: u64, sample: RawSample },
    Switch { event: u64, switch: Switch },
    Change(Change),
    Lost(u64),
    Throttled,
    Nothing,
}

fn parse(record: &Record<'_>, config: &ParseConfig<Native>) -> ParseResult<Item> {
    let header = perf_event_header {
        type_: record.ty(),
        misc: record.misc(),
        size: (record.len() + 8) as u16,
    };
    let body = record.to_contiguous();
    let mut parser = Parser::new(&*body, config.clone());
    if header.type_ == PERF_RECORD_SWITCH {
        // A switch record has only the fields that end every record, which the parser's usual way
        // cannot read.
        return Ok(switch(&parser.parse_metadata_with_header(header)?.1));
    }
    parser.parse_record_with_header(Sort, header)
}

/// Turns each kind of record into the item that is kept.
struct Sort;

impl<'a> Visitor<'a> for Sort {
    type Output = Item;

    fn visit_unimplemented(self, _: RecordMetadata) -> Item {
        Item::Nothing
    }

    fn visit_sample(self, record: Sample<'a>, _: RecordMetadata) -> Item {
        let is_address = |address: &u64| *address < CONTEXT_MARKERS;
        let chain = record.callchain().unwrap_or(&[]);
        let user = chain.iter().position(|&address| address == CONTEXT_USER);
        let (kernel, user) = chain.split_at(user.unwrap_or(chain.len()));
        let addresses = |chain: &[u64]| chain.iter().copied().filter(is_address).collect();
        let regs = record.regs_user().filter(|regs| regs.abi == SampleRegsAbi::ABI_64);
        let sample = RawSample {
            time_ns: record.time().unwrap_or(0),
            pid: record.pid().unwrap_or(0),
            tid: record.tid().unwrap_or(0),
            weight: record.period().unwrap_or(1),
            kernel: addresses(kernel),
            user: addresses(user),
            regs: regs.map(|regs| regs.regs.to_vec()).unwrap_or_default(),
            stack: record.stack_user().unwrap_or(&[]).to_vec(),
        };
        Item::Sample { event: record.id().unwrap_or(0), sample }
    }

    fn visit_mmap2(self, record: Mmap2<'a>, metadata: RecordMetadata) -> Item {
        let mapping = Mapping {
            start: record.addr,
            end: record.addr.saturating_add(record.len),
            offset: record.pgoff,
            name: record.filename.to_vec(),
        };
        change(&metadata, What::Map { pid: record.pid, mapping })
    }

    fn visit_comm(self, record: Comm<'a>, metadata: RecordMetadata) -> Item {
        let (pid, tid, name) = (record.pid, record.tid, record.comm.to_vec());
        let exec = u32::from(metadata.misc()) & PERF_RECORD_MISC_COMM_EXEC != 0;
        change(
            &metadata,
            if exec { What::Exec { pid, tid, name } } else { What::Name { tid, name } },
        )
    }

    // A FORK record has the fields of an EXIT record.
    fn visit_fork(self, record: Exit, metadata: RecordMetadata) -> Item {
        let Exit { pid, tid, ppid: parent_pid, ptid: parent_tid, .. } = record;
        change(&metadata, What::Fork { pid, tid, parent_pid, parent_tid })
    }

    fn visit_lost(self, record: Lost, _: RecordMetadata) -> Item {
        Item::Lost(record.lost)
    }

    fn visit_throttle(self, _: Throttle, _: RecordMetadata) -> Item {
        Item::Throttled
    }
}

fn switch(metadata: &RecordMetadata) -> Item {
    let (id, misc) = (metadata.sample_id(), u32::from(metadata.misc()));
    let has = |flag| misc & flag != 0;
    let way = if !has(PERF_RECORD_MISC_SWITCH_OUT) {
        Way::In
    } else if has(PERF_RECORD_MISC_SWITCH_OUT_PREEMPT) {
        Way::Preempted
    } else {
        Way::Blocked
    };
    let (time_ns, tid) = (id.time().unwrap_or(0), id.tid().unwrap_or(0));
    Item::Switch { event: id.id().unwrap_or(0), switch: Switch { time_ns, tid, way } }
}

fn change(metadata: &RecordMetadata, what: What) -> Item {
    Item::Change(Change { time_ns: metadata.sample_id().time().unwrap_or(0), what })
}
