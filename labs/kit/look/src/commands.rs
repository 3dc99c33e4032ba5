//! The figures of the ten commands of Gregg's first minute (2015), as means over the whole look.

use std::collections::BTreeMap;

use lab_proc::{CpuTicks, Traffic, Vmstat, block, page_bytes, speed, tick};
use lab_record::table::{Cell, Column, Table};

use crate::processes::Closer;
use crate::reading::{Faults, Reading, Tasks, Told};
use crate::stands_out::Seen;

/// A table for each command, or the reason why there is none.
pub(crate) fn tables(
    from: &Reading,
    to: &Reading,
    tasks: Option<Tasks>,
    faults: &Faults,
    seen: &Seen,
) -> (Vec<Table>, BTreeMap<String, String>) {
    let seconds = to.since(from);
    let between =
        |rows: Told<Rows>| if seconds > 0.0 { rows } else { Err("two readings are needed".into()) };
    let focus =
        seen.focus.as_ref().map(|focus| ("the process", between(focus.clone().map(process))));
    let all = [
        ("uptime", uptime(to)),
        ("dmesg | tail", dmesg(faults)),
        ("vmstat 1", between(vmstat(from, to, tasks, seconds))),
        ("mpstat -P ALL 1", between(mpstat(from, to))),
        ("pidstat 1", between(pidstat(seen))),
        ("iostat -xz 1", between(iostat(from, to, seconds))),
        ("free -m", free(to)),
        ("sar -n DEV 1", between(sar_dev(from, to, seconds))),
        ("sar -n TCP,ETCP 1, a second", between(sar_tcp(from, to, seconds))),
        ("top", top(to, seen)),
    ];
    let (mut tables, mut unavailable) = (Vec::new(), BTreeMap::new());
    for (command, told) in focus.into_iter().chain(all) {
        match told {
            Ok(rows) => tables.push(rows.named(command)),
            Err(reason) => drop(unavailable.insert(command.to_owned(), reason)),
        }
    }
    (tables, unavailable)
}

/// Columns, and rows with a cell for each. A column whose name begins with `%` is in percent.
struct Rows {
    columns: &'static str,
    rows: Vec<Vec<Cell>>,
}

impl Rows {
    fn named(self, command: &str) -> Table {
        let column = |name: &str| Column {
            name: name.to_owned(),
            unit: match name {
                "at" => "s".into(),
                _ if name.starts_with('%') => "%".into(),
                _ => String::new(),
            },
        };
        let columns = self.columns.split(' ').map(column).collect();
        Table { name: command.to_owned(), columns, rows: self.rows }
    }
}

fn text(words: impl Into<String>) -> Cell {
    Cell::Text(words.into())
}

fn numbers(values: impl IntoIterator<Item = f64>) -> impl Iterator<Item = Cell> {
    values.into_iter().map(Cell::Number)
}

fn both<'a, T>(from: &'a Told<T>, to: &'a Told<T>) -> Told<(&'a T, &'a T)> {
    Ok((from.as_ref().map_err(Clone::clone)?, to.as_ref().map_err(Clone::clone)?))
}

fn uptime(to: &Reading) -> Told<Rows> {
    let load = to.load.clone()?;
    let up = rustix::system::sysinfo().uptime;
    let row = [Cell::Count(up as u64), Cell::Count(load.tasks)];
    let rows = vec![row.into_iter().chain(numbers(load.averages)).collect()];
    Ok(Rows { columns: "up_s tasks load_1m load_5m load_15m", rows })
}

fn dmesg(faults: &Faults) -> Told<Rows> {
    let messages = faults.messages.as_ref().map_err(Clone::clone)?;
    let row = |message: &lab_proc::Message| {
        let at = Cell::Number(message.at.as_secs_f64());
        vec![at, Cell::Count(message.level.into()), text(&message.text)]
    };
    let rows = messages[messages.len().saturating_sub(10)..].iter().map(row).collect();
    Ok(Rows { columns: "at level message", rows })
}

fn vmstat(from: &Reading, to: &Reading, tasks: Option<Tasks>, seconds: f64) -> Told<Rows> {
    let (before, after) = both(&from.cpus, &to.cpus)?;
    let (pages, now) = both(&from.vmstat, &to.vmstat)?;
    let tasks = tasks.unwrap_or_default();
    let rate = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
    let counted = |name: &str, unit: u64| {
        let count = |of: &Vmstat| of.count(name).unwrap_or_default() * unit;
        rate(count(pages), count(now))
    };
    let kib = page_bytes() / 1024;
    let ticks = after.all - before.all;
    let part = |part: u64| 100.0 * part as f64 / ticks.total().max(1) as f64;
    let row = [
        tasks.runnable,
        tasks.blocked,
        counted("pswpin", kib),
        counted("pswpout", kib),
        counted("pgpgin", 1),
        counted("pgpgout", 1),
        rate(before.interrupts, after.interrupts),
        rate(before.switches, after.switches),
        part(ticks.user + ticks.nice).round(),
        part(ticks.system + ticks.irq + ticks.softirq).round(),
        part(ticks.idle).round(),
        part(ticks.iowait).round(),
        part(ticks.steal).round(),
    ];
    Ok(Rows { columns: "r b si so bi bo in cs us sy id wa st", rows: vec![numbers(row).collect()] })
}

fn mpstat(from: &Reading, to: &Reading) -> Told<Rows> {
    let (before, after) = both(&from.cpus, &to.cpus)?;
    let row = |cpu: String, ticks: CpuTicks| {
        let part = |part: u64| 100.0 * part as f64 / ticks.total().max(1) as f64;
        let parts = [
            (ticks.user + ticks.nice).saturating_sub(ticks.guest + ticks.nice),
            ticks.nice,
            ticks.system,
            ticks.iowait,
            ticks.irq,
            ticks.softirq,
            ticks.steal,
            ticks.guest,
            ticks.idle,
        ];
        [text(cpu)].into_iter().chain(numbers(parts.map(part))).collect()
    };
    let of_each = after.each.iter().filter_map(|&(cpu, ticks)| {
        let (_, before) = before.each.iter().find(|(before, _)| *before == cpu)?;
        Some(row(cpu.to_string(), ticks - *before))
    });
    let rows = [row("all".into(), after.all - before.all)].into_iter().chain(of_each).collect();
    Ok(Rows { columns: "CPU %usr %nice %sys %iowait %irq %soft %steal %guest %idle", rows })
}

fn pidstat(seen: &Seen) -> Told<Rows> {
    if seen.ran.is_empty() {
        return Err("no process ran for as long as a tick".into());
    }
    let rows = seen.ran.iter().map(|ran| {
        let parts = numbers([ran.user, ran.system, ran.cpu()]);
        [Cell::Count(ran.pid.into())].into_iter().chain(parts).chain([text(&ran.name)]).collect()
    });
    Ok(Rows { columns: "PID %usr %system %CPU Command", rows: rows.collect() })
}

fn iostat(from: &Reading, to: &Reading, seconds: f64) -> Told<Rows> {
    let (before, after) = both(&from.disks, &to.disks)?;
    if after.is_empty() {
        return Err("this machine shows no disk".into());
    }
    let rows = after.iter().filter_map(|(name, now)| {
        let (_, before) = before.iter().find(|(before, _)| before == name)?;
        let rate = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
        let await_ms = |(count, ms): (u64, u64), (count_before, ms_before): (u64, u64)| {
            let count = count.saturating_sub(count_before);
            ms.saturating_sub(ms_before) as f64 / count.max(1) as f64
        };
        let requests = |now: block::Requests, before: block::Requests| {
            let kib = rate(before.bytes, now.bytes) / 1024.0;
            [
                rate(before.count, now.count),
                kib,
                await_ms((now.count, now.ms), (before.count, before.ms)),
            ]
        };
        let flushes = await_ms((now.flushes, now.flush_ms), (before.flushes, before.flush_ms));
        let others = [
            rate(before.flushes, now.flushes),
            flushes,
            rate(before.waited_ms, now.waited_ms) / 1e3,
            rate(before.busy_ms, now.busy_ms) / 10.0,
        ];
        let parts = [requests(now.reads, before.reads), requests(now.writes, before.writes)];
        let values: Vec<f64> = parts.into_iter().flatten().chain(others).collect();
        let active = values.iter().any(|value| *value > 0.0);
        active.then(|| [text(name)].into_iter().chain(numbers(values)).collect())
    });
    let columns = "Device r/s rkB/s r_await w/s wkB/s w_await f/s f_await aqu-sz %util";
    Ok(Rows { columns, rows: rows.collect() })
}

fn free(to: &Reading) -> Told<Rows> {
    let memory = to.memory.clone()?;
    let mib = |bytes: u64| Cell::Count(bytes >> 20);
    let all = [
        memory.total,
        memory.total.saturating_sub(memory.available),
        memory.free,
        memory.shared,
        memory.buffers + memory.cached,
        memory.available,
    ];
    let swap = [memory.swap_total, memory.swap_total - memory.swap_free, memory.swap_free];
    let none = || std::iter::repeat_n(text("–"), 3);
    let rows = vec![
        [text("Mem")].into_iter().chain(all.map(mib)).collect(),
        [text("Swap")].into_iter().chain(swap.map(mib)).chain(none()).collect(),
    ];
    Ok(Rows { columns: "MiB total used free shared buff/cache available", rows })
}

fn sar_dev(from: &Reading, to: &Reading, seconds: f64) -> Told<Rows> {
    let (before, after) = both(&from.interfaces, &to.interfaces)?;
    let rows = after.iter().filter_map(|now| {
        let before = before.iter().find(|before| before.name == now.name)?;
        let rate = |count: fn(Traffic) -> u64, now: Traffic, before: Traffic| {
            count(now).saturating_sub(count(before)) as f64 / seconds
        };
        let bytes = [
            rate(|t| t.bytes, now.received, before.received),
            rate(|t| t.bytes, now.sent, before.sent),
        ];
        let values = [
            rate(|t| t.packets, now.received, before.received),
            rate(|t| t.packets, now.sent, before.sent),
            bytes[0] / 1024.0,
            bytes[1] / 1024.0,
            rate(|t| t.dropped, now.received, before.received),
            rate(|t| t.dropped, now.sent, before.sent),
        ];
        let util = speed(&now.name).map(|speed| 100.0 * bytes[0].max(bytes[1]) / speed);
        let util = util.map_or_else(|| text("–"), Cell::Number);
        Some([text(&now.name)].into_iter().chain(numbers(values)).chain([util]).collect())
    });
    let columns = "IFACE rxpck/s txpck/s rxkB/s txkB/s rxdrop/s txdrop/s %ifutil";
    Ok(Rows { columns, rows: rows.collect() })
}

fn sar_tcp(from: &Reading, to: &Reading, seconds: f64) -> Told<Rows> {
    let (before, after) = both(&from.protocols, &to.protocols)?;
    let names = [
        "ActiveOpens",
        "PassiveOpens",
        "InSegs",
        "OutSegs",
        "AttemptFails",
        "EstabResets",
        "RetransSegs",
        "InErrs",
        "OutRsts",
    ];
    let rate = |name: &str| {
        let (before, after) = (before.count("Tcp", name)?, after.count("Tcp", name)?);
        Some(after.saturating_sub(before) as f64 / seconds)
    };
    let rates: Option<Vec<f64>> = names.into_iter().map(rate).collect();
    let row = numbers(rates.ok_or("/proc/net/snmp has no figures of TCP")?).collect();
    let columns = "active passive iseg oseg atmptf estres retrans isegerr orsts";
    Ok(Rows { columns, rows: vec![row] })
}

fn top(to: &Reading, seen: &Seen) -> Told<Rows> {
    if seen.largest.is_empty() {
        return Err("/proc shows no process".into());
    }
    let total = to.memory.as_ref().map(|memory| memory.total as f64);
    let rows = seen.largest.iter().map(|(pid, stat)| {
        let bytes = stat.resident_pages * page_bytes();
        let share = total.as_ref().map(|total| 100.0 * bytes as f64 / total);
        let time = (stat.user + stat.system) as f64 * tick().as_secs_f64();
        vec![
            Cell::Count(u64::from(*pid)),
            text(stat.state),
            Cell::Count(stat.threads),
            Cell::Count(bytes >> 20),
            share.map_or_else(|_| text("–"), Cell::Number),
            Cell::Number(time),
            text(&stat.name),
        ]
    });
    Ok(Rows { columns: "PID S threads RES_MiB %MEM CPU_s Command", rows: rows.collect() })
}

fn process(closer: Closer) -> Rows {
    let told = |value: Told<f64>| value.map_or_else(|_| text("–"), Cell::Number);
    let row = vec![
        Cell::Count(closer.pid.into()),
        Cell::Number(closer.user),
        Cell::Number(closer.system),
        told(closer.waited),
        Cell::Count(closer.threads),
        Cell::Count((closer.resident_pages * page_bytes()) >> 20),
        Cell::Number(closer.minor_faults),
        Cell::Number(closer.major_faults),
        told(closer.fetched.map(|bytes| bytes / 1024.0)),
        told(closer.stored.map(|bytes| bytes / 1024.0)),
    ];
    let columns = "PID %usr %system %wait threads RES_MiB minflt/s majflt/s kB_rd/s kB_wr/s";
    Rows { columns, rows: vec![row] }
}
