//! Where a lab's requests spend their time on the threads that serve them, and the cost of
//! measuring it.

use anyhow::Result;
use lab_probe_common::request::{Class, Serving, Spent};
use lab_record::table::{Cell, Table};

use crate::bpf::found::{Found, columns};
use crate::bpf::load::Loaded;
use crate::bpf::{HistogramMap, Probe};

pub(super) const PROBE: Probe = Probe {
    read,
    ..Probe::of(
        object!("requests"),
        &[
            HistogramMap { map: "TOOK", name: "requests", unit: "ns" },
            HistogramMap { map: "ON_CPU", name: "on-cpu", unit: "ns" },
            HistogramMap { map: "QUEUED", name: "run-queue", unit: "ns" },
            HistogramMap { map: "BLOCKED", name: "blocked", unit: "ns" },
        ],
    )
};

fn read(loaded: &mut Loaded, found: &mut Found) -> Result<()> {
    let classes: Vec<Class> =
        loaded.per_cpu::<Class>("BY_CLASS")?.iter().map(|cpus| added(cpus)).collect();
    found.tables.push(parts(&added(&classes)));
    found.tables.push(by_class(&classes));
    unfinished(loaded, found)?;
    let us = loaded.cost_of_a_point_ns()? / 1e3;
    found.notes.push(format!(
        "watching makes each request {:.1} us longer here, as measured at a point of our own \
         ({us:.1} us at its beginning, as much at its end): about half of it is in the figures, as \
         time on the CPU",
        2.0 * us
    ));
    Ok(())
}

/// The totals.
fn parts(all: &Class) -> Table {
    let Class { count, spent: Spent { on_cpu_ns, queued_ns, blocked_ns } } = *all;
    let total_ns = on_cpu_ns + queued_ns + blocked_ns;
    let row = |(name, ns): (&str, u64)| {
        vec![
            Cell::Text(name.to_owned()),
            Cell::Count(ns),
            Cell::Number(share(ns, total_ns)),
            Cell::Count(ns.checked_div(count).unwrap_or(0)),
        ]
    };
    let parts = [("on-cpu", on_cpu_ns), ("run-queue", queued_ns), ("blocked", blocked_ns)];
    Table {
        name: "parts".to_owned(),
        columns: columns(&[("PART", ""), ("TOTAL", "ns"), ("SHARE %", ""), ("MEAN", "ns")]),
        rows: parts.into_iter().chain([("requests", total_ns)]).map(row).collect(),
    }
}

/// How slow requests differ from fast ones: a row for each power of two of their time.
fn by_class(classes: &[Class]) -> Table {
    let row = |(power, class): (u32, &Class)| {
        let Class { count, spent: Spent { on_cpu_ns, queued_ns, blocked_ns } } = *class;
        let total_ns = on_cpu_ns + queued_ns + blocked_ns;
        let shares = [on_cpu_ns, queued_ns, blocked_ns].map(|ns| share(ns, total_ns));
        let figures = [if power == 0 { 0 } else { 1 << power }, count, total_ns];
        figures.map(Cell::Count).into_iter().chain(shares.map(Cell::Number)).collect()
    };
    Table {
        name: "requests by how long they took".to_owned(),
        columns: columns(&[
            ("FROM", "ns"),
            ("REQUESTS", ""),
            ("TOTAL", "ns"),
            ("ON-CPU %", ""),
            ("RUN-QUEUE %", ""),
            ("BLOCKED %", ""),
        ]),
        rows: (0..).zip(classes).filter(|(_, class)| class.count > 0).map(row).collect(),
    }
}

/// Notes requests without an end.
fn unfinished(loaded: &Loaded, found: &mut Found) -> Result<()> {
    let under_way = loaded.entries::<u32, Serving>("SERVING")?;
    let under_way = under_way.iter().filter(|(_, serving)| serving.depth > 0).count();
    let abandoned = loaded.slots("ABANDONED")?[0];
    if under_way > 0 {
        found.notes.push(format!(
            "{under_way} requests were under way at the end: they are not in the figures"
        ));
    }
    if abandoned > 0 {
        found.notes.push(format!(
            "{abandoned} requests had no end, as their threads ended first: \
                                  they are not in the figures"
        ));
    }
    Ok(())
}

/// A share in per cent.
fn share(ns: u64, of_ns: u64) -> f64 {
    if of_ns == 0 { 0.0 } else { ns as f64 / of_ns as f64 * 100.0 }
}

/// The sum of all classes.
fn added(classes: &[Class]) -> Class {
    classes.iter().fold(Class::default(), |all, one| Class {
        count: all.count + one.count,
        spent: Spent {
            on_cpu_ns: all.spent.on_cpu_ns + one.spent.on_cpu_ns,
            queued_ns: all.spent.queued_ns + one.spent.queued_ns,
            blocked_ns: all.spent.blocked_ns + one.spent.blocked_ns,
        },
    })
}
