//! How long a function of a program takes, and the cost of measuring it.

use anyhow::Result;
use lab_probe_common::function::{ENTERED, JUMPED};
use lab_record::probe::ProbeHistogram;
use lab_record::table::{Cell, Table};

use crate::bpf::btf::Field;
use crate::bpf::found::{Found, columns};
use crate::bpf::load::Loaded;
use crate::bpf::{HistogramMap, Probe, maps};

pub(super) const PROBE: Probe = Probe {
    fields: &[&[Field { global: "TASK_EXIT_CODE", structure: "task_struct", field: "exit_code" }]],
    read,
    ..Probe::of(object!("funclatency"), &[HistogramMap { map: "LATENCY", name: NAME, unit: "ns" }])
};

const NAME: &str = "funclatency";

/// A median time below this many times the probe's own says nothing about the function.
const LEAST_TIMES_OWN: u64 = 2;

fn read(loaded: &mut Loaded, found: &mut Found) -> Result<()> {
    let outcomes = loaded.slots("OUTCOMES")?;
    let [entered, jumped] = [ENTERED, JUMPED].map(|what| outcomes[what as usize]);
    let name = loaded.function()?.name.clone();
    if let Err(why) = &loaded.function()?.ends {
        found.notes.push(format!(
            "where {name} returns is not known: {why}; its calls are counted, and not timed"
        ));
        withhold(found, calls(entered, None));
        return deaths(loaded, found);
    }
    let us = loaded.cost_of_a_call_ns()? / 1e3;
    let own = maps::histogram(NAME, None, "ns", (0..).zip(loaded.slots("OWN")?));
    let own_ns = own.quantile(0.5).unwrap_or(0);
    found.notes.push(format!(
        "watching makes each call {us:.1} us longer here, and {:.1} us of that are in each figure, \
         as measured on an empty function that begins with the same kind of instruction",
        own_ns as f64 / 1e3
    ));
    let timed = found.histograms.iter().find(|it| it.name == NAME).cloned();
    let returned = timed.as_ref().map_or(0, |it| it.count);
    if entered > returned {
        found.notes.push(format!(
            "{} of {entered} calls were not seen to return: they had not by the end, or a panic, \
             an exception or a longjmp left them; they are in no figure",
            entered - returned
        ));
    }
    if jumped > 0 {
        found.notes.push(format!(
            "{jumped} of {returned} calls ended in a jump to a function of which it is not known \
             where it returns: the time there is in no figure"
        ));
    }
    let least_ns = LEAST_TIMES_OWN * own_ns;
    if let Some(timed) = timed.filter(|it| it.quantile(0.5).is_some_and(|p50| p50 < least_ns)) {
        found.notes.push(format!(
            "most of the {returned} times are the probe's own: how long {name} takes cannot be \
             seen so, but that half of its calls take less than {:.1} us",
            timed.quantile(0.5).unwrap_or(0).saturating_sub(own_ns).max(own_ns) as f64 / 1e3
        ));
        withhold(found, calls(entered, Some((&timed, least_ns))));
    }
    deaths(loaded, found)
}

/// Removes the times, and keeps the count.
fn withhold(found: &mut Found, instead: Table) {
    found.without_times = true;
    found.tables.push(instead);
}

fn calls(entered: u64, timed: Option<(&ProbeHistogram, u64)>) -> Table {
    let mut names = vec![("CALLS", "")];
    let mut row = vec![Cell::Count(entered)];
    if let Some((timed, least_ns)) = timed {
        let longer = timed.buckets.iter().filter(|(low, ..)| *low >= least_ns);
        let longest = timed.buckets.last().map_or(0, |(low, ..)| *low);
        names.extend([("LONG", "ns"), ("AS LONG", ""), ("LONGEST", "ns")]);
        let longer = longer.map(|(.., count)| count).sum();
        row.extend([least_ns, longer, longest].map(Cell::Count));
    }
    Table { name: "calls".to_owned(), columns: columns(&names), rows: vec![row] }
}

/// Notes processes that died of a fault while they were watched.
fn deaths(loaded: &Loaded, found: &mut Found) -> Result<()> {
    /// Signals by which a broken program dies.
    const FAULTS: [(libc::c_int, &str); 6] = [
        (libc::SIGILL, "SIGILL"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGSEGV, "SIGSEGV"),
    ];
    let deaths = loaded.slots("DEATHS")?;
    for (signal, name) in FAULTS {
        let dead = deaths[signal.unsigned_abs() as usize];
        if dead > 0 {
            found.died = true;
            found.notes.push(format!(
                "{dead} of the watched processes were ended by {name}: whether they are without a \
                 probe, too, only a run without one can tell"
            ));
        }
    }
    Ok(())
}
