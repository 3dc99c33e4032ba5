//! The hit ratio of the page cache.
//!
//! The ratio is that of Gregg's cachestat, (hits - dirties) / (hits + misses). It counts calls of
//! functions that no tracepoint shows; here, accesses are pages that reads ask for, faults on
//! mapped files, and pages that become dirty. Pages that a fault maps around the faulting one are
//! not accesses, and a page that was read ahead but not asked for is a miss.

use anyhow::Result;
use lab_probe_common::page_cache::{DIRTIED, FAULTED, MISSED, READ};
use lab_record::table::{Cell, Table};

use crate::bpf::Probe;
use crate::bpf::btf::Field;
use crate::bpf::found::{Found, columns};
use crate::bpf::load::{CALL, Loaded};

pub(super) const PROBE: Probe = Probe {
    fields: &[
        CALL,
        &[
            Field { global: "FOLIO_FLAGS", structure: "folio", field: "flags" },
            Field { global: "FOLIO_ORDER", structure: "folio", field: "_flags_1" },
        ],
    ],
    values: &[("FOLIO_LARGE_BIT", "PG_head")],
    read,
    ..Probe::of(object!("cachestat"), &[])
};

fn read(loaded: &mut Loaded, found: &mut Found) -> Result<()> {
    let pages = loaded.slots("PAGES")?;
    let [read, faulted, missed, dirtied] =
        [READ, FAULTED, MISSED, DIRTIED].map(|what| pages[what as usize]);
    let accesses = read + faulted + dirtied;
    let hits = accesses.saturating_sub(missed);
    let ratio = match accesses.max(missed) {
        0 => Cell::Text("none".to_owned()),
        all => Cell::Number(hits.saturating_sub(dirtied) as f64 / all as f64 * 100.0),
    };
    found.tables.push(Table {
        name: "pages".to_owned(),
        columns: columns(&[
            ("HITS", ""),
            ("MISSES", ""),
            ("DIRTIES", ""),
            ("READ", ""),
            ("FAULTED", ""),
            ("READ HIT %", ""),
        ]),
        rows: vec![
            [hits, missed, dirtied, read, faulted]
                .map(Cell::Count)
                .into_iter()
                .chain([ratio])
                .collect(),
        ],
    });
    Ok(())
}
