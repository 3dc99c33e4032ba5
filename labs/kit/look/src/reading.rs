//! Readings: what is read each second, and what is read at the beginning and at the end.

use std::io;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

use lab_proc::{
    Activity, Interface, Load, Memory, Message, Pressure, Protocols, Vmstat, block, cgroup,
};

/// A figure of this machine, or why it has none.
pub(crate) type Told<T> = Result<T, String>;

pub(crate) fn told<T>(read: io::Result<T>) -> Told<T> {
    read.map_err(|error| error.to_string())
}

/// Counters at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) at: Instant,
    pub(crate) cpus: Told<Activity>,
    pub(crate) load: Told<Load>,
    pub(crate) memory: Told<Memory>,
    pub(crate) vmstat: Told<Vmstat>,
    pub(crate) disks: Told<Vec<(String, block::Activity)>>,
    pub(crate) interfaces: Told<Vec<Interface>>,
    pub(crate) protocols: Told<Protocols>,
    pub(crate) waited_for_cpu: Told<Pressure>,
    pub(crate) waited_for_memory: Told<Pressure>,
    pub(crate) waited_for_disk: Told<Pressure>,
    /// How long the cgroup's quota kept its threads from a CPU.
    pub(crate) throttled: Told<Duration>,
}

impl Reading {
    /// Reads them now; the cgroup is that of `pid`, or else our own.
    pub(crate) fn take(pid: Option<u32>) -> Self {
        Self {
            cpus: told(lab_proc::activity()),
            load: told(lab_proc::load()),
            memory: told(lab_proc::memory()),
            vmstat: told(Vmstat::read()),
            disks: told(block::disks()),
            interfaces: told(lab_proc::interfaces()),
            protocols: told(Protocols::read()),
            waited_for_cpu: told(lab_proc::pressure("cpu")),
            waited_for_memory: told(lab_proc::pressure("memory")),
            waited_for_disk: told(lab_proc::pressure("io")),
            throttled: throttled(pid),
            at: Instant::now(),
        }
    }

    /// Seconds since an earlier reading.
    pub(crate) fn since(&self, from: &Self) -> f64 {
        self.at.duration_since(from.at).as_secs_f64()
    }
}

fn throttled(pid: Option<u32>) -> Told<Duration> {
    let found = told(pid.map_or_else(cgroup::own, cgroup::of))?;
    let (_, dir) = found.ok_or("no cgroup with a CPU controller is mounted")?;
    told(cgroup::throttled(&dir)).map_err(|error| format!("{}/cpu.stat: {error}", dir.display()))
}

/// Tasks at one moment, or summed over several.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Tasks {
    pub(crate) readings: u32,
    /// Tasks that run or are ready, without ourselves.
    pub(crate) runnable: f64,
    /// Tasks that wait for a disk.
    pub(crate) blocked: f64,
}

impl Tasks {
    pub(crate) fn of(reading: &Reading) -> Self {
        let of = |cpus: &Activity| Self {
            readings: 1,
            runnable: cpus.runnable.saturating_sub(1) as f64,
            blocked: cpus.blocked as f64,
        };
        reading.cpus.as_ref().map(of).unwrap_or_default()
    }

    /// The mean over the readings; `None` if there were none.
    pub(crate) fn mean(self) -> Option<Self> {
        let readings = f64::from(self.readings);
        let mean = || Self {
            readings: 1,
            runnable: self.runnable / readings,
            blocked: self.blocked / readings,
        };
        (self.readings > 0).then(mean)
    }
}

impl AddAssign for Tasks {
    fn add_assign(&mut self, more: Self) {
        self.readings += more.readings;
        self.runnable += more.runnable;
        self.blocked += more.blocked;
    }
}

/// What is slow to read and seldom changes.
#[derive(Debug, Clone)]
pub(crate) struct Faults {
    pub(crate) machine_checks: Told<u64>,
    pub(crate) ext4_errors: Told<u64>,
    pub(crate) messages: Told<Vec<Message>>,
}

impl Faults {
    pub(crate) fn read() -> Self {
        Self {
            machine_checks: told(lab_proc::machine_checks()),
            ext4_errors: told(block::ext4_errors()),
            messages: told(lab_proc::messages()),
        }
    }

    /// The kernel's messages since an earlier reading; none if this user may not read them.
    pub(crate) fn said_since(&self, from: &Self) -> Vec<Message> {
        let (Ok(now), Ok(before)) = (&self.messages, &from.messages) else { return Vec::new() };
        let last = before.last().map(|message| message.at);
        now.iter().filter(|message| Some(message.at) > last).cloned().collect()
    }
}
