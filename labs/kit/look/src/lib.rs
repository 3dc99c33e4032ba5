//! A look at the machine, as Gregg's first sixty seconds and his USE method take it: utilisation,
//! saturation and errors of each resource between two readings of /proc and /sys, and what stands
//! out.
//!
//! A [`Watch`] is a look with a reading each second and the figures of ten commands; [`between`] is
//! the short form, of two moments. What a machine does not report is left out, with the reason.
//! Sources: Gregg, *Linux Performance Analysis in 60,000 Milliseconds* (2015),
//! *The USE Method* (2012).

mod commands;
mod processes;
mod reading;
mod stands_out;
mod use_method;

use std::time::Duration;

use lab_record::{Look, Resource};

use processes::{Focus, Processes};
use reading::{Faults, Reading, Tasks};
use stands_out::Seen;

/// The machine at one moment.
#[derive(Debug, Clone)]
pub struct Moment {
    reading: Reading,
    faults: Faults,
}

impl Moment {
    /// Reads the machine now; the cgroup is that of `pid`, or else our own.
    fn of(pid: Option<u32>) -> Self {
        Self { faults: Faults::read(), reading: Reading::take(pid) }
    }

    /// Reads the machine now.
    pub fn now() -> Self {
        Self::of(None)
    }
}

/// What happened between two moments: without tables, and without names of processes.
pub fn between(from: &Moment, to: &Moment) -> Look {
    let faults = Some((&from.faults, &to.faults));
    let resources = use_method::resources(&from.reading, &to.reading, None, faults);
    Look {
        seconds: to.reading.since(&from.reading),
        stands_out: Seen { said: to.faults.said_since(&from.faults), ..Seen::default() }
            .find(&resources),
        resources,
        ..Look::default()
    }
}

/// A look in progress.
#[derive(Debug)]
pub struct Watch {
    first: Moment,
    last: Reading,
    tasks: Tasks,
    worst: Vec<Resource>,
    processes: Processes,
    focus: Option<Focus>,
    used_before: Duration,
}

impl Watch {
    /// Begins a look; `pid` is a process to look at more closely.
    pub fn begin(pid: Option<u32>) -> Self {
        let used_before = lab_proc::process_cpu_time();
        let (processes, focus) = (Processes::begin(), pid.map(Focus::begin));
        let first = Moment::of(pid);
        let (last, tasks) = (first.reading.clone(), Tasks::default());
        Self { first, last, tasks, worst: Vec::new(), processes, focus, used_before }
    }

    /// Takes a reading: call it once a second, and at the end.
    pub fn read(&mut self) {
        let next = Reading::take(self.focus.as_ref().map(|focus| focus.pid));
        let now = Tasks::of(&next);
        self.tasks += now;
        let this_second = use_method::resources(&self.last, &next, Some(now), None);
        use_method::keep_worst(&mut self.worst, this_second);
        self.last = next;
        self.processes.read_if_cheap(self.focus.as_mut());
    }

    /// The time from the beginning to the last reading.
    pub fn seconds(&self) -> f64 {
        self.last.since(&self.first.reading)
    }

    /// Everything that was found.
    pub fn end(mut self) -> Look {
        let seconds = self.seconds();
        if seconds > 0.0 {
            self.processes.read(self.focus.as_mut());
        }
        let faults = Faults::read();
        let (first, last, tasks) = (&self.first.reading, &self.last, self.tasks.mean());
        let both = Some((&self.first.faults, &faults));
        let mut resources = use_method::resources(first, last, tasks, both);
        use_method::add_worst(&mut resources, &self.worst);
        let ran = self.processes.ran(seconds);
        let seen = Seen {
            missed: use_method::busy_cpus(first, last)
                .map(|busy| busy - ran.iter().map(|ran| ran.cpu()).sum::<f64>() / 100.0),
            focus: self.focus.as_ref().map(|focus| focus.account(seconds)),
            said: faults.said_since(&self.first.faults),
            largest: self.processes.largest(),
            ran,
        };
        let stands_out = seen.find(&resources);
        let (tables, unavailable) = commands::tables(first, last, tasks, &faults, &seen);
        let used = lab_proc::process_cpu_time().saturating_sub(self.used_before).as_secs_f64();
        let own_cpu_ratio = (seconds > 0.0).then(|| used / seconds);
        Look { seconds, stands_out, resources, tables, unavailable, own_cpu_ratio }
    }
}

#[cfg(test)]
mod tests;
