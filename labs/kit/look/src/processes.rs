//! Which processes used the CPUs, read as often as is cheap, and one process more closely.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use lab_proc::{Io, RunQueue, Stat, run_queue_of, tick};

use crate::reading::{Told, told};

/// All processes seen at a reading. A process that began and ended between two readings is missed,
/// and so is what a process did after its last reading.
#[derive(Debug)]
pub(crate) struct Processes {
    /// By process id and start time.
    seen: HashMap<(u32, u64), Seen>,
    readings: u32,
    /// The earliest time of the next reading.
    next: Instant,
}

#[derive(Debug)]
struct Seen {
    /// CPU time, user and system, and major faults when the look began.
    before: [u64; 3],
    last: Stat,
    at_reading: u32,
}

/// A process that ran.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Ran {
    pub(crate) pid: u32,
    pub(crate) name: String,
    /// In percent of one CPU.
    pub(crate) user: f64,
    pub(crate) system: f64,
    /// Major page faults.
    pub(crate) major_faults: u64,
}

impl Ran {
    /// In percent of one CPU.
    pub(crate) fn cpu(&self) -> f64 {
        self.user + self.system
    }
}

/// Readings take at most one part in this many of the time.
const CHEAP: u32 = 250;

impl Processes {
    pub(crate) fn begin() -> Self {
        let mut begun = Self { seen: HashMap::new(), readings: 0, next: Instant::now() };
        begun.read(None);
        begun
    }

    /// Reads all processes, unless that would take too much CPU time.
    pub(crate) fn read_if_cheap(&mut self, focus: Option<&mut Focus>) {
        if Instant::now() >= self.next {
            self.read(focus);
        }
    }

    pub(crate) fn read(&mut self, focus: Option<&mut Focus>) {
        let begun = Instant::now();
        if let Some(focus) = focus {
            focus.read();
        }
        self.readings += 1;
        let at_reading = self.readings;
        for pid in lab_proc::processes() {
            let Ok(last) = Stat::of(pid) else { continue };
            // A process that began later has done all of its work since.
            let before =
                if at_reading == 1 { [last.user, last.system, last.major_faults] } else { [0; 3] };
            let new = || Seen { before, last: last.clone(), at_reading };
            let seen = self.seen.entry((pid, last.started)).or_insert_with(new);
            (seen.last, seen.at_reading) = (last, at_reading);
        }
        self.next = begun + begun.elapsed() * CHEAP;
    }

    /// The processes that ran in these `seconds`, the busiest first.
    pub(crate) fn ran(&self, seconds: f64) -> Vec<Ran> {
        let share = |before: u64, ticks: u64| of_a_cpu(before, ticks, seconds);
        let ran = |(&(pid, _), seen): (&(u32, u64), &Seen)| Ran {
            pid,
            name: seen.last.name.clone(),
            user: share(seen.before[0], seen.last.user),
            system: share(seen.before[1], seen.last.system),
            major_faults: seen.last.major_faults.saturating_sub(seen.before[2]),
        };
        let mut all: Vec<Ran> = match seconds > 0.0 {
            true => self.seen.iter().map(ran).filter(|ran| ran.cpu() > 0.0).collect(),
            false => Vec::new(),
        };
        all.sort_by(|a, b| b.cpu().total_cmp(&a.cpu()).then(a.pid.cmp(&b.pid)));
        all
    }

    /// The processes of the last reading, the largest first.
    pub(crate) fn largest(&self) -> Vec<(u32, Stat)> {
        let there = self.seen.iter().filter(|(_, seen)| seen.at_reading == self.readings);
        let mut all: Vec<_> = there.map(|(&(pid, _), seen)| (pid, seen.last.clone())).collect();
        all.sort_by_key(|(pid, stat)| (std::cmp::Reverse(stat.resident_pages), *pid));
        all
    }
}

/// The CPU time between two counts of ticks, in percent of `seconds` of one CPU.
fn of_a_cpu(from: u64, to: u64, seconds: f64) -> f64 {
    to.saturating_sub(from) as f64 * tick().as_secs_f64() / seconds * 100.0
}

/// One process, looked at more closely.
#[derive(Debug)]
pub(crate) struct Focus {
    pub(crate) pid: u32,
    first: Told<Account>,
    last: Told<Account>,
    began: Instant,
    /// How long after the beginning it was found gone.
    ended: Option<Duration>,
}

/// What a process has done so far.
#[derive(Debug, Clone)]
struct Account {
    stat: Stat,
    queue: Told<RunQueue>,
    io: Told<Io>,
}

/// What it did during the look.
#[derive(Debug, Clone)]
pub(crate) struct Closer {
    pub(crate) pid: u32,
    pub(crate) name: String,
    /// In percent of one CPU.
    pub(crate) user: f64,
    pub(crate) system: f64,
    /// Waits for a CPU, in percent of one thread's time.
    pub(crate) waited: Told<f64>,
    pub(crate) threads: u64,
    pub(crate) resident_pages: u64,
    /// Per second.
    pub(crate) minor_faults: f64,
    pub(crate) major_faults: f64,
    /// Read from and written to disks, in bytes per second.
    pub(crate) fetched: Told<f64>,
    pub(crate) stored: Told<f64>,
    /// How long after the beginning it was found gone.
    pub(crate) ended: Option<Duration>,
}

impl Account {
    fn of(pid: u32) -> Told<Self> {
        let stat = told(Stat::of(pid))?;
        if matches!(stat.state, 'Z' | 'X') {
            return Err(format!("process {pid} has ended"));
        }
        Ok(Self { stat, queue: told(run_queue_of(pid)), io: told(Io::of_process(pid)) })
    }
}

impl Focus {
    pub(crate) fn begin(pid: u32) -> Self {
        let first = Account::of(pid);
        Self { pid, last: first.clone(), first, began: Instant::now(), ended: None }
    }

    fn read(&mut self) {
        let same = |now: &Account, last: &Account| now.stat.started == last.stat.started;
        match (Account::of(self.pid), &self.last) {
            (Ok(now), Ok(last)) if self.ended.is_none() && same(&now, last) => self.last = Ok(now),
            // It is gone, or another process has its id.
            _ => self.ended = self.ended.or_else(|| Some(self.began.elapsed())),
        }
    }

    /// What it did in `seconds`, of which it may have lived only a part.
    pub(crate) fn account(&self, seconds: f64) -> Told<Closer> {
        let (first, last) = (self.first.clone()?, self.last.clone()?);
        if seconds <= 0.0 {
            return Err("two readings are needed".into());
        }
        let share = |from: u64, to: u64| of_a_cpu(from, to, seconds);
        let rate = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
        let waited =
            |from: RunQueue, to: RunQueue| (to - from).waited.as_secs_f64() / seconds * 100.0;
        let io = |count: fn(&Io) -> u64| match (&first.io, &last.io) {
            (Ok(from), Ok(to)) => Ok(rate(count(from), count(to))),
            (Err(error), _) | (_, Err(error)) => Err(error.clone()),
        };
        Ok(Closer {
            pid: self.pid,
            name: last.stat.name,
            user: share(first.stat.user, last.stat.user),
            system: share(first.stat.system, last.stat.system),
            waited: first.queue.and_then(|from| Ok(waited(from, last.queue?))),
            threads: last.stat.threads,
            resident_pages: last.stat.resident_pages,
            minor_faults: rate(first.stat.minor_faults, last.stat.minor_faults),
            major_faults: rate(first.stat.major_faults, last.stat.major_faults),
            fetched: io(|io| io.fetched_bytes),
            stored: io(|io| io.stored_bytes),
            ended: self.ended,
        })
    }
}
