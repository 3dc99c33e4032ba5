//! How long threads were off their CPU, by stack.
//!
//! A thread that is switched out leaves a sample with its stack, and just after it a record of the
//! switch, which says whether it blocked or was preempted. The record of its next switch in, on any
//! CPU, ends its time off the CPU. Records of switches are far smaller than samples, so if a ring
//! fills up, samples are lost first: the time stays correct, and is counted under [`STACK_LOST`].
//! In a ring that stays full, records are lost too, and are counted as lost.

use std::collections::HashMap;
use std::rc::Rc;

use super::changes::{Switch, Way};
use super::images::Images;
use super::replay::{Stack, Stacks};
use super::space::Place;
use super::spool::RawSample;
use super::unwind::End;

/// The frame for a stack that was lost for lack of room.
const STACK_LOST: &[u8] = b"[stack lost]";

/// Totals of time off the CPU, in nanoseconds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Away {
    /// Times that threads were blocked.
    pub(crate) waits: u64,
    /// Their total time.
    pub(crate) blocked_ns: u64,
    /// How long preempted threads waited for a CPU.
    pub(crate) preempted_ns: u64,
    /// Waits whose stack was lost.
    pub(crate) stacks_lost: u64,
    /// The total time of these.
    pub(crate) stacks_lost_ns: u64,
    /// Threads that were still blocked at the end.
    pub(crate) still: u64,
    /// The total time of these.
    pub(crate) still_ns: u64,
    /// Threads that were off the CPU already when the observation began.
    pub(crate) before: u64,
    /// The total time until they were switched in.
    pub(crate) before_ns: u64,
    /// Times off the CPU whose beginning or end was lost; they are in no figure.
    pub(crate) unpaired: u64,
}

/// Follows every thread through the switches and the samples, in order of time.
pub(crate) struct OffCpuTimes {
    switches: std::iter::Peekable<std::vec::IntoIter<Switch>>,
    threads: HashMap<u32, Thread>,
    lost: Place,
    stacks: Stacks,
    found: Away,
}

#[derive(Default)]
struct Thread {
    name: Option<Rc<[u8]>>,
    /// The stack of a sample whose switch is still to come.
    pending_stack: Option<u32>,
    switched_out: Option<SwitchedOut>,
    /// The thread existed at this time; nothing else is known.
    there_ns: Option<u64>,
}

/// When a thread was switched out, from which stack, and how.
struct SwitchedOut {
    since_ns: u64,
    from: Option<u32>,
    way: Way,
}

impl OffCpuTimes {
    /// Takes the switches as they arrived, CPU by CPU, and the threads that existed when the
    /// observation began; it is not known whether they ran then.
    pub(crate) fn open(
        mut switches: Vec<Switch>,
        there: &[(u32, u64)],
        images: &mut Images,
    ) -> Self {
        switches.sort_by_key(|switch| switch.time_ns);
        let thread = |&(tid, time_ns): &(u32, u64)| {
            (tid, Thread { there_ns: Some(time_ns), ..Thread::default() })
        };
        Self {
            switches: switches.into_iter().peekable(),
            threads: there.iter().map(thread).collect(),
            lost: Place::Label(images.intern(STACK_LOST, 0)),
            stacks: Stacks::default(),
            found: Away::default(),
        }
    }

    /// Takes a thread's stack at a switch; samples must come in order of time.
    pub(crate) fn take(&mut self, sample: &RawSample, stack: Stack) {
        while let Some(switch) = self.switches.next_if(|switch| switch.time_ns < sample.time_ns) {
            self.switch(switch);
        }
        let thread = self.threads.entry(sample.tid).or_default();
        thread.name.clone_from(&stack.thread);
        thread.pending_stack = Some(self.stacks.intern(stack));
    }

    /// The stacks by how long threads were blocked in them, and the totals. A thread still off the
    /// CPU is counted until `end_ns`.
    pub(crate) fn close(mut self, end_ns: u64) -> (Stacks, Away) {
        while let Some(switch) = self.switches.next() {
            self.switch(switch);
        }
        for (_, thread) in std::mem::take(&mut self.threads) {
            if let Some(since_ns) = thread.there_ns {
                self.found.before += 1;
                self.found.before_ns += end_ns.saturating_sub(since_ns);
            }
            if let Some(switched_out) = thread.switched_out {
                if switched_out.way == Way::Blocked {
                    self.found.still += 1;
                    self.found.still_ns += end_ns.saturating_sub(switched_out.since_ns);
                }
                self.back(switched_out, thread.name, end_ns);
            }
        }
        // Removes stacks in which threads were only preempted.
        self.stacks.weighed.retain(|(_, ns)| *ns > 0);
        (self.stacks, self.found)
    }

    fn switch(&mut self, Switch { time_ns, tid, way }: Switch) {
        let thread = self.threads.entry(tid).or_default();
        let there_ns = thread.there_ns.take();
        let (switched_out, from) = (thread.switched_out.take(), thread.pending_stack.take());
        match (way, switched_out) {
            (Way::In, Some(switched_out)) => {
                let name = thread.name.clone();
                self.back(switched_out, name, time_ns);
            }
            (Way::In, None) => {
                // The thread's first switch, unless it left a sample before.
                self.found.unpaired += u64::from(from.is_some());
                if let Some(since_ns) = there_ns {
                    self.found.before += 1;
                    self.found.before_ns += time_ns.saturating_sub(since_ns);
                }
            }
            (way, unended) => {
                self.found.unpaired += u64::from(unended.is_some());
                thread.switched_out = Some(SwitchedOut { since_ns: time_ns, from, way });
            }
        }
    }

    fn back(&mut self, switched_out: SwitchedOut, thread: Option<Rc<[u8]>>, time_ns: u64) {
        let ns = time_ns.saturating_sub(switched_out.since_ns);
        if switched_out.way == Way::Preempted {
            self.found.preempted_ns += ns;
            return;
        }
        self.found.waits += 1;
        self.found.blocked_ns += ns;
        let from = switched_out.from.unwrap_or_else(|| {
            self.found.stacks_lost += 1;
            self.found.stacks_lost_ns += ns;
            let places = vec![self.lost];
            self.stacks.intern(Stack { thread, places, kernel: 0, end: End::Unknown })
        });
        self.stacks.weighed[from as usize].1 += ns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event: a sample at some stack, or a switch.
    enum Event {
        Sample(u64),
        Switch(Way),
    }
    use Event::{Sample, Switch as To};
    use Way::{Blocked, In, Preempted};

    /// From time and thread of each event: the nanoseconds by the kernel address of the stack (0:
    /// lost), and the totals.
    fn away(there: &[(u32, u64)], events: &[(u64, u32, Event)]) -> (Vec<(u64, u64)>, Away) {
        let switch = |&(time_ns, tid, ref event): &(u64, u32, Event)| match event {
            To(way) => Some(Switch { time_ns, tid, way: *way }),
            Sample(_) => None,
        };
        // Out of order, as they arrive.
        let switches = events.iter().rev().filter_map(switch).collect();
        let mut images = Images::default();
        let mut times = OffCpuTimes::open(switches, there, &mut images);
        for (time_ns, tid, event) in events {
            if let Sample(address) = event {
                let sample = RawSample { time_ns: *time_ns, tid: *tid, ..RawSample::default() };
                let places = vec![Place::Kernel(*address)];
                let thread = Some(Rc::from(&b"t"[..]));
                times.take(&sample, Stack { thread, places, kernel: 1, end: End::Root });
            }
        }
        let (stacks, away) = times.close(1000);
        let weight = |(stack, ns): &(Stack, u64)| match stack.places[..] {
            [Place::Kernel(address)] => (address, *ns),
            _ => (0, *ns),
        };
        (stacks.weighed.iter().map(weight).collect(), away)
    }

    #[test]
    fn time_is_from_the_switch_out_to_the_next_switch_in() {
        let (stacks, found) = away(
            &[],
            &[
                (1, 7, To(In)),
                (9, 7, Sample(50)),
                (10, 7, To(Blocked)),
                (12, 8, To(In)),
                (19, 8, Sample(60)),
                (19, 8, To(Blocked)),
                (30, 7, To(In)),
                (39, 7, Sample(50)),
                (40, 7, To(Blocked)),
                (41, 7, To(In)),
                (49, 8, To(In)),
            ],
        );
        assert_eq!(stacks, [(50, 21), (60, 30)]);
        assert_eq!(found, Away { waits: 3, blocked_ns: 51, ..Away::default() });
    }

    #[test]
    fn a_thread_that_could_have_run_on_is_not_blocked() {
        let events = [(9, 7, Sample(50)), (10, 7, To(Preempted)), (30, 7, To(In))];
        let (stacks, found) = away(&[], &events);
        assert_eq!(stacks, []);
        assert_eq!(found, Away { preempted_ns: 20, ..Away::default() });
    }

    #[test]
    fn a_thread_still_off_cpu_at_the_end_is_counted_until_the_end() {
        let events =
            [(9, 7, Sample(50)), (10, 7, To(Blocked)), (11, 8, Sample(60)), (12, 8, To(Preempted))];
        let (stacks, found) = away(&[], &events);
        assert_eq!(stacks, [(50, 990)]);
        let totals = Away { waits: 1, blocked_ns: 990, preempted_ns: 988, ..Away::default() };
        assert_eq!(found, Away { still: 1, still_ns: 990, ..totals });
    }

    #[test]
    fn a_lost_sample_loses_no_time() {
        let events = [
            (9, 7, Sample(50)),
            (10, 7, To(Blocked)),
            (30, 7, To(In)),
            (40, 7, To(Blocked)),
            (45, 7, To(In)),
        ];
        let (stacks, found) = away(&[], &events);
        assert_eq!(stacks, [(50, 20), (0, 5)]);
        let totals = Away { waits: 2, blocked_ns: 25, ..Away::default() };
        assert_eq!(found, Away { stacks_lost: 1, stacks_lost_ns: 5, ..totals });
    }

    #[test]
    fn a_lost_switch_record_invents_no_off_cpu_time() {
        // First an In is lost, then a Blocked.
        let events = [
            (9, 7, Sample(50)),
            (10, 7, To(Blocked)),
            (29, 7, Sample(60)),
            (30, 7, To(Blocked)),
            (34, 7, To(In)),
            (49, 7, Sample(50)),
            (60, 7, To(In)),
        ];
        let (stacks, found) = away(&[], &events);
        assert_eq!(stacks, [(60, 4)]);
        assert_eq!(found, Away { waits: 1, blocked_ns: 4, unpaired: 2, ..Away::default() });
    }

    #[test]
    fn a_wait_that_began_before_the_observation_has_no_stack() {
        // 7 is away when it begins, 8 runs, 9 never switches.
        let there = [7, 8, 9].map(|tid| (tid, 100));
        let events =
            [(130, 7, To(In)), (140, 8, Sample(50)), (141, 8, To(Blocked)), (150, 8, To(In))];
        let (stacks, found) = away(&there, &events);
        assert_eq!(stacks, [(50, 9)]);
        let totals = Away { waits: 1, blocked_ns: 9, ..Away::default() };
        assert_eq!(found, Away { before: 2, before_ns: 930, ..totals });
    }
}
