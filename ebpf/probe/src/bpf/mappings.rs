//! The mappings of the observed processes: read once, then updated as the kernel reports changes,
//! so that stacks of a process can be named long after it has ended.
//!
//! A stack has no time: its addresses are looked up in the last program of its process.

use std::collections::HashSet;
use std::mem;
use std::path::PathBuf;

use lab_record::probe::ProbeTarget;

use crate::cpu::changes::{Change, What};
use crate::cpu::clock_offset_ns;
use crate::cpu::events::Events;
use crate::cpu::images::Images;
use crate::cpu::records::Intake;
use crate::cpu::replay::World;
use crate::proc::Root;
use crate::target::now_ns;

/// The changes so far.
pub(crate) struct Mappings {
    /// `None` if the kernel refuses perf events: then code that is mapped later has no name.
    events: Option<Events>,
    intake: Intake,
    /// The file system of a process that is observed alone, which may be in a container.
    root: Option<Root>,
}

impl Mappings {
    /// Listens from now on, and reads the present mappings.
    pub(crate) fn begin(target: &ProbeTarget) -> Self {
        let mut mappings = Self {
            events: Events::of_changes().ok(),
            intake: Intake::new(&std::env::temp_dir()),
            root: None,
        };
        match target {
            ProbeTarget::Pid(pid) => {
                mappings.root = Root::of(*pid);
                mappings.read(*pid);
            }
            ProbeTarget::Everyone | ProbeTarget::Comm(_) => {
                lab_proc::processes().for_each(|p| mappings.read(p))
            }
            // A command has no mappings yet.
            ProbeTarget::Command(_) => {}
        }
        mappings
    }

    /// Reads what the kernel has reported.
    pub(crate) fn drain(&mut self) {
        if let Some(events) = &mut self.events {
            self.intake.drain(events);
        }
    }

    /// The last known mappings of `processes`; for processes not known before, such as a waker's,
    /// the present ones.
    pub(crate) fn end<'a>(&mut self, processes: HashSet<u32>, images: &'a mut Images) -> World<'a> {
        let known: HashSet<u32> = self.intake.changes.iter().map(Change::process).collect();
        processes.difference(&known).for_each(|pid| self.read(*pid));
        World::at_end(mem::take(&mut self.intake.changes), processes, clock_offset_ns(), images)
    }

    /// The root of the mapped paths, as seen by this process.
    pub(crate) fn root(&self) -> PathBuf {
        self.root.as_ref().map_or_else(|| PathBuf::from("/"), Root::path)
    }

    /// The number of lost changes, for which frames may lack names.
    pub(crate) fn lost(&self) -> u64 {
        self.intake.lost
    }

    /// Reads the mappings of a process; one that has ended has none.
    fn read(&mut self, pid: u32) {
        let time_ns = now_ns();
        let mapped = lab_proc::executable_mappings(pid).unwrap_or_default();
        let map = |mapping| Change { time_ns, what: What::Map { pid, mapping } };
        self.intake.changes.extend(mapped.into_iter().map(map));
    }
}
