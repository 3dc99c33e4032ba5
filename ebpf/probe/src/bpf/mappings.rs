//! What lies where in the observed processes: read once, then as the kernel reports it, so that the
//! stacks of a process can be named when it has long ended.
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
    /// None where the kernel refuses perf events: then what is mapped later has no name.
    events: Option<Events>,
    intake: Intake,
    /// The files of a process that is observed alone: it may live in a container.
    root: Option<Root>,
}

impl Mappings {
    /// Listens from now on, and reads what there is.
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
            // It has none yet.
            ProbeTarget::Command(_) => {}
        }
        mappings
    }

    /// Takes in what the kernel has reported.
    pub(crate) fn drain(&mut self) {
        if let Some(events) = &mut self.events {
            self.intake.drain(events);
        }
    }

    /// What lay where in `processes` at last. Of those that nobody asked for before, a waker say,
    /// what lies there now.
    pub(crate) fn end<'a>(&mut self, processes: HashSet<u32>, images: &'a mut Images) -> World<'a> {
        let known: HashSet<u32> = self.intake.changes.iter().map(Change::process).collect();
        processes.difference(&known).for_each(|pid| self.read(*pid));
        World::at_end(mem::take(&mut self.intake.changes), processes, clock_offset_ns(), images)
    }

    /// Where the paths that are mapped begin, as seen by us.
    pub(crate) fn root(&self) -> PathBuf {
        self.root.as_ref().map_or_else(|| PathBuf::from("/"), Root::path)
    }

    /// Changes that were lost: frames may lack names for it.
    pub(crate) fn lost(&self) -> u64 {
        self.intake.lost
    }

    /// A process that has ended meanwhile is none.
    fn read(&mut self, pid: u32) {
        let time_ns = now_ns();
        let mapped = lab_proc::executable_mappings(pid).unwrap_or_default();
        let map = |mapping| Change { time_ns, what: What::Map { pid, mapping } };
        self.intake.changes.extend(mapped.into_iter().map(map));
    }
}
