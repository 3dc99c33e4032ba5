//! System calls: their number, errors and time.

use anyhow::Result;
use lab_probe_common::syscall::Calls;
use lab_record::table::{Cell, Table};

use crate::bpf::found::{Found, columns};
use crate::bpf::load::{CALL, Loaded};
use crate::bpf::syscall_names::name;
use crate::bpf::{HistogramMap, Probe};

pub(super) const PROBE: Probe = Probe {
    fields: &[CALL],
    read,
    ..Probe::of(
        object!("syscount"),
        &[HistogramMap { map: "LATENCY", name: "syscount", unit: "ns" }],
    )
};

/// Makes a row for each system call, the most time first.
fn read(loaded: &mut Loaded, found: &mut Found) -> Result<()> {
    let mut calls: Vec<(String, Calls)> = loaded
        .per_cpu::<Calls>("CALLS")?
        .into_iter()
        .enumerate()
        .map(|(number, cpus)| (name(number as u32), added(&cpus)))
        .filter(|(_, calls)| calls.count > 0)
        .collect();
    calls.sort_by_key(|(_, calls)| std::cmp::Reverse((calls.total_ns, calls.count)));
    let row = |(name, calls): (String, Calls)| {
        let Calls { count, returned, errors, total_ns, max_ns } = calls;
        let mean = total_ns.checked_div(returned).unwrap_or(0);
        let figures = [count, errors, total_ns, mean, max_ns];
        std::iter::once(Cell::Text(name)).chain(figures.map(Cell::Count)).collect()
    };
    found.tables.push(Table {
        name: "system calls".to_owned(),
        columns: columns(&[
            ("SYSCALL", ""),
            ("COUNT", ""),
            ("ERRORS", ""),
            ("TOTAL", "ns"),
            ("MEAN", "ns"),
            ("MAX", "ns"),
        ]),
        rows: calls.into_iter().map(row).collect(),
    });
    Ok(())
}

/// The sum over all CPUs.
fn added(cpus: &[Calls]) -> Calls {
    cpus.iter().fold(Calls::default(), |all, one| Calls {
        count: all.count + one.count,
        returned: all.returned + one.returned,
        errors: all.errors + one.errors,
        total_ns: all.total_ns + one.total_ns,
        max_ns: all.max_ns.max(one.max_ns),
    })
}
