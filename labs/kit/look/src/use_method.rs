//! Utilisation, saturation and errors of each resource between two readings, and the thresholds
//! above which they stand out.

use std::time::Duration;

use lab_proc::{CpuTicks, Interface, Pressure, Traffic, Vmstat, block, speed};
use lab_record::{Figure, Resource};

use crate::reading::{Faults, Reading, Tasks, Told};

/// All four resources. Tasks are counted at each reading: their figure is the mean over the span.
/// Machine errors are read at the beginning and the end, or not at all.
pub(crate) fn resources(
    from: &Reading,
    to: &Reading,
    tasks: Option<Tasks>,
    faults: Option<(&Faults, &Faults)>,
) -> Vec<Resource> {
    let span = Span { from, to, seconds: to.since(from), faults };
    vec![span.cpu(tasks), span.memory(), span.disk(), span.network()]
}

/// How many CPUs ran programs and threads of the kernel, which the accounts of processes contain,
/// too.
pub(crate) fn busy_cpus(from: &Reading, to: &Reading) -> Option<f64> {
    let (from, to) = (from.cpus.as_ref().ok()?, to.cpus.as_ref().ok()?);
    let ran = to.all - from.all;
    let in_tasks = ran.user + ran.nice + ran.system;
    (ran.total() > 0).then(|| in_tasks as f64 / ran.total() as f64 * to.each.len() as f64)
}

/// Keeps each figure's worst second so far.
pub(crate) fn keep_worst(worst: &mut Vec<Resource>, second: Vec<Resource>) {
    if worst.is_empty() {
        *worst = second;
        return;
    }
    for (worst, now) in worst.iter_mut().zip(second) {
        for (worst, now) in worst.figures_mut().zip(now.figures()) {
            if now.value > worst.value {
                *worst = now.clone();
            }
        }
    }
}

/// Adds to each figure its worst second.
pub(crate) fn add_worst(resources: &mut [Resource], worst: &[Resource]) {
    for (resource, worst) in resources.iter_mut().zip(worst) {
        for (figure, worst) in resource.figures_mut().zip(worst.figures()) {
            figure.worst = worst.value;
        }
    }
}

struct Span<'a> {
    from: &'a Reading,
    to: &'a Reading,
    seconds: f64,
    faults: Option<(&'a Faults, &'a Faults)>,
}

impl Span<'_> {
    fn cpu(&self, tasks: Option<Tasks>) -> Resource {
        let ticks = self.both(|reading| &reading.cpus);
        let all = ticks.clone().and_then(|(from, to)| shares(to.all - from.all));
        let cpus = ticks.clone().map(|(_, to)| to.each.len());
        let busiest = ticks.and_then(|(from, to)| {
            let busy = |&(cpu, ticks): &(usize, CpuTicks)| {
                let (_, before) = from.each.iter().find(|(before, _)| *before == cpu)?;
                Some((shares(ticks - *before).ok()?.0, cpu))
            };
            let busiest = to.each.iter().filter_map(busy).max_by(|a, b| a.0.total_cmp(&b.0));
            busiest.ok_or_else(|| TOO_SHORT.to_owned())
        });
        let which = busiest.as_ref().map(|(_, cpu)| format!("cpu{cpu}")).unwrap_or_default();
        let runnable = tasks.ok_or("counted at moments, in a longer look".to_owned());
        let each = runnable.and_then(|tasks| Ok(tasks.runnable / cpus?.max(1) as f64));
        let throttled = self.both(|reading| &reading.throttled);
        let throttled = throttled.and_then(|(from, to)| self.share(to.saturating_sub(*from)));
        Resource {
            name: "CPU".into(),
            utilisation: vec![
                figure("busy", "%", Some(90.0), all.clone().map(|(busy, _)| busy)),
                Figure { of: which, ..figure("busy", "%", Some(95.0), busiest.map(|b| b.0)) },
            ],
            saturation: vec![
                figure(
                    "tasks waited",
                    "%",
                    Some(10.0),
                    self.waited(|reading| &reading.waited_for_cpu),
                ),
                // At a single moment there may be more tasks than CPUs although there is room for
                // all.
                figure("ready a CPU", "", Some(1.5), each),
                figure("stolen", "%", Some(2.0), all.map(|(_, stolen)| stolen)),
                figure("throttled", "%", Some(1.0), throttled),
            ],
            errors: vec![figure(
                "machine checks",
                "",
                Some(1.0),
                self.faults(|f| &f.machine_checks),
            )],
        }
    }

    fn memory(&self) -> Resource {
        let used = self.to.memory.as_ref().map_err(Clone::clone);
        let used = used.map(|memory| 100.0 * (1.0 - memory.available as f64 / memory.total as f64));
        let swapped = self.pages(|vmstat| Some(vmstat.count("pswpin")? + vmstat.count("pswpout")?));
        let reclaims = self.pages(|vmstat| vmstat.sum("allocstall"));
        let kills = self.counted(|vmstat| vmstat.count("oom_kill"));
        Resource {
            name: "memory".into(),
            utilisation: vec![figure("used", "%", Some(95.0), used)],
            saturation: vec![
                figure(
                    "tasks waited",
                    "%",
                    Some(5.0),
                    self.waited(|reading| &reading.waited_for_memory),
                ),
                figure("pages swapped", "/s", Some(1.0), swapped),
                // Allocations that had to reclaim memory first.
                figure("reclaims", "/s", None, reclaims),
            ],
            errors: vec![figure("out of memory", "", Some(1.0), kills)],
        }
    }

    fn disk(&self) -> Resource {
        let disks = self.both(|reading| &reading.disks);
        let busiest = disks.and_then(|(from, to)| {
            let seconds = self.seconds().ok_or(TOO_SHORT)?;
            let use_of = |(name, now): &(String, block::Activity)| {
                let (_, before) = from.iter().find(|(before, _)| before == name)?;
                let ms = |now: u64, before: u64| now.saturating_sub(before) as f64 / 1e3 / seconds;
                let busy = 100.0 * ms(now.busy_ms, before.busy_ms);
                Some((busy, ms(now.waited_ms, before.waited_ms), name.clone()))
            };
            let all = to.iter().filter_map(use_of);
            all.max_by(|a, b| a.0.total_cmp(&b.0))
                .ok_or_else(|| "this machine shows no disk".into())
        });
        let name = busiest.as_ref().map(|(.., name)| name.clone()).unwrap_or_default();
        let busy = figure("busy", "%", Some(80.0), busiest.clone().map(|(busy, ..)| busy));
        let queued = figure("in flight", "", Some(2.0), busiest.map(|(_, queued, _)| queued));
        let log = self.faults.ok_or_else(|| AT_THE_ENDS.to_owned()).and_then(|(from, to)| {
            to.messages.clone()?;
            Ok(to.said_since(from).iter().filter(|said| said.text.contains("I/O error")).count()
                as f64)
        });
        Resource {
            name: "disk".into(),
            utilisation: vec![Figure { of: name.clone(), ..busy }],
            saturation: vec![
                // With the time of service: a task that waits for a disk does nothing else.
                figure(
                    "tasks waited",
                    "%",
                    Some(20.0),
                    self.waited(|reading| &reading.waited_for_disk),
                ),
                Figure { of: name, ..queued },
            ],
            errors: vec![
                figure("of ext4", "", Some(1.0), self.faults(|faults| &faults.ext4_errors)),
                figure("in the log", "", Some(1.0), log),
            ],
        }
    }

    fn network(&self) -> Resource {
        let interfaces = self.both(|reading| &reading.interfaces);
        let rate = |(from, to): (&Vec<Interface>, &Vec<Interface>), count: fn(Traffic) -> u64| {
            let sum = |all: &[Interface]| {
                all.iter().map(|i| count(i.received) + count(i.sent)).sum::<u64>()
            };
            sum(to).saturating_sub(sum(from)) as f64
        };
        let busiest = interfaces.clone().and_then(|(from, to)| {
            let seconds = self.seconds().ok_or(TOO_SHORT)?;
            let rates = |now: &Interface| {
                let before = from.iter().find(|before| before.name == now.name)?;
                let bytes = |now: Traffic, before: Traffic| now.bytes.saturating_sub(before.bytes);
                let most = bytes(now.received, before.received).max(bytes(now.sent, before.sent));
                Some((most as f64 / seconds, now.name.clone()))
            };
            // What a machine sends to itself takes CPU time, not an interface.
            let all = to.iter().filter(|interface| interface.name != "lo").filter_map(rates);
            all.max_by(|a, b| a.0.total_cmp(&b.0)).ok_or_else(|| "there is none but lo".into())
        });
        let name = busiest.as_ref().map(|(_, name)| name.clone()).unwrap_or_default();
        let share = busiest.clone().and_then(|(rate, name)| {
            let speed = speed(&name).ok_or_else(|| format!("{name} reports no speed"))?;
            Ok(100.0 * rate / speed)
        });
        let dropped = interfaces.clone().and_then(|both| self.a_second(rate(both, |t| t.dropped)));
        let lost = self.protocols(&[
            ("TcpExt", "ListenDrops"),
            ("Udp", "RcvbufErrors"),
            ("Udp", "SndbufErrors"),
        ]);
        let resent = self.protocols(&[("Tcp", "RetransSegs")]);
        let bad = self.protocols(&[("Tcp", "InErrs"), ("Udp", "InCsumErrors")]);
        Resource {
            name: "network".into(),
            utilisation: vec![
                Figure {
                    of: name.clone(),
                    ..figure("carried", "MB/s", None, busiest.map(|(rate, _)| rate / 1e6))
                },
                Figure { of: name, ..figure("busy", "%", Some(70.0), share) },
            ],
            saturation: vec![
                figure("dropped", "/s", Some(1.0), dropped),
                // Connections for which a listener's queue had no room, datagrams for which a
                // socket had none.
                figure("overflows", "/s", Some(1.0), lost.and_then(|count| self.a_second(count))),
                figure("resent", "/s", Some(1.0), resent.and_then(|count| self.a_second(count))),
            ],
            errors: vec![
                figure(
                    "of interfaces",
                    "",
                    Some(1.0),
                    interfaces.map(|both| rate(both, |t| t.errors)),
                ),
                figure("of packets", "", Some(1.0), bad),
            ],
        }
    }

    /// `None` if the span is too short for a rate.
    fn seconds(&self) -> Option<f64> {
        (self.seconds > 0.0).then_some(self.seconds)
    }

    /// A source's values in both readings, or why one of them lacks it.
    fn both<T>(&self, source: fn(&Reading) -> &Told<T>) -> Told<(&T, &T)> {
        let of = |told: &'_ Told<T>| told.as_ref().err().cloned();
        match (source(self.from), source(self.to)) {
            (Ok(from), Ok(to)) => Ok((from, to)),
            (from, to) => Err(of(from).or(of(to)).unwrap_or_default()),
        }
    }

    fn a_second(&self, count: f64) -> Told<f64> {
        self.seconds().map(|seconds| count / seconds).ok_or_else(|| TOO_SHORT.into())
    }

    /// A time in percent of the span.
    fn share(&self, time: Duration) -> Told<f64> {
        self.a_second(100.0 * time.as_secs_f64())
    }

    fn waited(&self, source: fn(&Reading) -> &Told<Pressure>) -> Told<f64> {
        let (from, to) = self.both(source)?;
        // The kernel's clock differs from ours.
        Ok(self.share(to.some.saturating_sub(from.some))?.min(100.0))
    }

    fn pages(&self, count: fn(&Vmstat) -> Option<u64>) -> Told<f64> {
        self.a_second(self.counted(count)?)
    }

    fn counted(&self, count: fn(&Vmstat) -> Option<u64>) -> Told<f64> {
        let (from, to) = self.both(|reading| &reading.vmstat)?;
        let found = count(from).zip(count(to)).ok_or("/proc/vmstat does not count it")?;
        Ok(found.1.saturating_sub(found.0) as f64)
    }

    fn protocols(&self, names: &[(&str, &str)]) -> Told<f64> {
        let (from, to) = self.both(|reading| &reading.protocols)?;
        let counts = names.iter().filter_map(|(protocol, name)| {
            Some(to.count(protocol, name)?.saturating_sub(from.count(protocol, name)?))
        });
        let counts: Vec<u64> = counts.collect();
        if counts.is_empty() {
            return Err("/proc/net/snmp does not count it".into());
        }
        Ok(counts.iter().sum::<u64>() as f64)
    }

    fn faults(&self, source: fn(&Faults) -> &Told<u64>) -> Told<f64> {
        let (from, to) = self.faults.ok_or(AT_THE_ENDS)?;
        let (from, to) = (source(from).clone()?, source(to).clone()?);
        Ok(to.saturating_sub(from) as f64)
    }
}

const TOO_SHORT: &str = "two readings are needed, some time apart";
const AT_THE_ENDS: &str = "read as the look begins and ends";

fn figure(what: &str, unit: &str, limit: Option<f64>, value: Told<f64>) -> Figure {
    let reason = value.as_ref().err().cloned().unwrap_or_default();
    let (what, unit) = (what.to_owned(), unit.to_owned());
    Figure { what, unit, limit, value: value.ok(), reason, ..Figure::default() }
}

/// The busy and the stolen share of these ticks, in percent.
fn shares(ticks: CpuTicks) -> Told<(f64, f64)> {
    let share = |part: u64| 100.0 * part as f64 / ticks.total() as f64;
    if ticks.total() == 0 {
        Err(TOO_SHORT.into())
    } else {
        Ok((share(ticks.busy()), share(ticks.steal)))
    }
}
