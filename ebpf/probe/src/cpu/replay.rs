//! Goes through samples and changes in order of time, so that each address is resolved as it was
//! mapped at that moment.

#[cfg(feature = "ebpf")]
use std::collections::HashSet;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use anyhow::Result;

use super::changes::{Change, What};
use super::images::Images;
use super::space::{Place, Space};
use super::spool::{RawSample, Spool};
use super::unwind::{End, Walk, Walker};

/// The stacks of a profile, before they have names.
#[derive(Default)]
pub(crate) struct Stacks {
    /// Distinct stacks, and their weights: samples, faults or nanoseconds off the CPU.
    pub(crate) weighed: Vec<(Stack, u64)>,
    /// Time (CLOCK_MONOTONIC, nanoseconds) and stack, an index into `weighed`, of each sample of
    /// CPU time, in order of time.
    pub(crate) samples: Vec<(u64, u32)>,
    index: HashMap<Stack, u32>,
}

impl Stacks {
    /// The index of `stack` in `weighed`, where it is added with weight 0 if it is new.
    pub(crate) fn intern(&mut self, stack: Stack) -> u32 {
        *self.index.entry(stack).or_insert_with_key(|stack| {
            self.weighed.push((stack.clone(), 0));
            self.weighed.len() as u32 - 1
        })
    }

    /// Counts a sample of this stack, which stands for `weight` events.
    pub(crate) fn count(&mut self, time_ns: u64, stack: Stack, weight: u64) {
        let id = self.intern(stack);
        self.weighed[id as usize].1 += weight;
        self.samples.push((time_ns, id));
    }

    /// Scales the weights down if they come to more than `counted` events. A sample's weight is the
    /// kernel's period, which it changes between samples, and sometimes in the middle of one: then
    /// the sample stands for fewer events than it says.
    pub(crate) fn scale_down_to(&mut self, counted: u64) {
        let sum: u64 = self.weighed.iter().map(|(_, weight)| weight).sum();
        if sum > counted && counted > 0 {
            for (_, weight) in &mut self.weighed {
                let scaled = (u128::from(*weight) * u128::from(counted)).div_ceil(sum.into());
                *weight = scaled as u64;
            }
        }
    }

    /// Completes stacks that end with the kernel's walk by frame pointers, with the callers that
    /// complete stacks have for the same place, if these are unique. The C library, where threads
    /// begin, keeps no frame pointers, so the same function would appear with and without its
    /// callers.
    pub(crate) fn complete(&mut self) {
        let cut = |stack: &Stack| stack.end == End::FramePointers;
        let mut callers: HashMap<Place, BTreeSet<Vec<Place>>> = HashMap::new();
        for (stack, _) in self.weighed.iter().filter(|(stack, _)| cut(stack)) {
            callers.extend(stack.places.last().map(|&place| (place, BTreeSet::new())));
        }
        for (stack, _) in self.weighed.iter().filter(|(stack, _)| stack.end == End::Root) {
            for (depth, place) in stack.places.iter().enumerate().skip(stack.kernel) {
                if let Some(found) = callers.get_mut(place) {
                    found.insert(stack.places[depth + 1..].to_vec());
                }
            }
        }
        for (stack, _) in self.weighed.iter_mut().filter(|(stack, _)| cut(stack)) {
            let found = stack.places.last().and_then(|place| callers.get(place));
            if let Some(only) = found.filter(|found| found.len() == 1).and_then(BTreeSet::first) {
                stack.places.extend(only);
                stack.end = End::Root;
            }
        }
    }
}

/// One distinct stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stack {
    /// The thread's name; `None` if it was never reported.
    pub(crate) thread: Option<Rc<[u8]>>,
    /// Kernel frames, then user frames; leaf first.
    pub(crate) places: Vec<Place>,
    /// The number of kernel frames.
    pub(crate) kernel: usize,
    /// Where the walk over the user stack ended.
    pub(crate) end: End,
}

/// Unwinds every sample with the memory map of its moment, and passes it to `each`, in order of
/// time.
pub(crate) fn replay(
    spool: Spool,
    mut changes: Vec<Change>,
    clock_offset_ns: i128,
    images: &mut Images,
    mut each: impl FnMut(&RawSample, Stack),
) -> Result<()> {
    // Stable, so that changes at one instant stay in their order of arrival.
    changes.sort_by_key(|change| change.time_ns);
    let mut changes = changes.into_iter().peekable();
    let mut world =
        World { spaces: HashMap::new(), names: HashMap::new(), clock_offset_ns, images };
    spool.replay(|sample| {
        while let Some(change) = changes.next_if(|change| change.time_ns <= sample.time_ns) {
            world.apply(change);
        }
        each(sample, world.unwind(sample));
    })
}

/// The observed processes at one moment.
pub(crate) struct World<'a> {
    spaces: HashMap<u32, Process>,
    names: HashMap<u32, Rc<[u8]>>,
    /// Unix time minus CLOCK_MONOTONIC.
    clock_offset_ns: i128,
    images: &'a mut Images,
}

#[derive(Default)]
struct Process {
    space: Space,
    /// Created at the first sample after a change of the space.
    walker: Option<Walker>,
}

#[cfg(feature = "ebpf")]
impl<'a> World<'a> {
    /// The processes after all these changes, with mappings only for `processes` and their
    /// ancestors.
    pub(crate) fn at_end(
        mut changes: Vec<Change>,
        mut processes: HashSet<u32>,
        clock_offset_ns: i128,
        images: &'a mut Images,
    ) -> Self {
        changes.sort_by_key(|change| change.time_ns);
        for change in changes.iter().rev() {
            if let What::Fork { pid, parent_pid, .. } = change.what
                && processes.contains(&pid)
            {
                processes.insert(parent_pid);
            }
        }
        let (spaces, names) = (HashMap::new(), HashMap::new());
        let mut world = World { spaces, names, clock_offset_ns, images };
        for change in changes {
            // Every mapped file is opened, so leave out those of other processes.
            if !matches!(change.what, What::Map { pid, .. } if !processes.contains(&pid)) {
                world.apply(change);
            }
        }
        world
    }

    /// A stack of process `pid` whose addresses are known already, leaf first.
    pub(crate) fn stack(&self, pid: u32, thread: &[u8], kernel: &[u64], user: &[u64]) -> Stack {
        let place = |&address: &u64| match self.spaces.get(&pid) {
            Some(process) => process.space.place(address),
            None => Place::Nowhere,
        };
        let before = |(depth, address): (usize, &u64)| address - u64::from(depth > 0);
        let kernel: Vec<Place> = kernel.iter().enumerate().map(before).map(Place::Kernel).collect();
        let user: Vec<u64> = user.iter().enumerate().map(before).collect();
        Stack {
            thread: Some(thread.into()),
            kernel: kernel.len(),
            places: kernel.into_iter().chain(user.iter().map(place)).collect(),
            end: End::Root,
        }
    }
}

impl World<'_> {
    fn apply(&mut self, change: Change) {
        match change.what {
            What::Map { pid, mapping } => {
                let mapped_unix_ns = i128::from(change.time_ns) + self.clock_offset_ns;
                let image = self.images.intern(&mapping.name, mapped_unix_ns);
                let process = self.spaces.entry(pid).or_default();
                let range = mapping.start..mapping.end;
                if process.space.map(range, mapping.offset, image, self.images) {
                    process.walker = None;
                }
            }
            What::Name { tid, name } => {
                self.names.insert(tid, name.into());
            }
            What::Exec { pid, tid, name } => {
                self.spaces.remove(&pid);
                self.names.insert(tid, name.into());
            }
            What::Fork { pid, tid, parent_pid, parent_tid } => {
                if pid != parent_pid {
                    let space = self
                        .spaces
                        .get(&parent_pid)
                        .map(|parent| parent.space.clone())
                        .unwrap_or_default();
                    self.spaces.insert(pid, Process { space, walker: None });
                }
                if let Some(name) = self.names.get(&parent_tid).cloned() {
                    self.names.insert(tid, name);
                }
            }
        }
    }

    fn unwind(&mut self, sample: &RawSample) -> Stack {
        let Process { space, walker } = self.spaces.entry(sample.pid).or_default();
        let walk = if sample.regs.is_empty() {
            Walk::default()
        } else {
            walker.get_or_insert_with(|| Walker::new(space, self.images)).walk(
                &sample.regs,
                &sample.stack,
                &sample.user,
            )
        };
        let kernel = sample.kernel.iter().enumerate().map(|(depth, &address)| {
            // All but the leaf are return addresses, just after the call.
            Place::Kernel(if depth == 0 { address } else { address - 1 })
        });
        let (images, pid) = (&mut *self.images, sample.pid);
        let user = walk.addresses.iter().map(|&address| match space.place(address) {
            place @ (Place::Label(_) | Place::Nowhere) => match images.generated(pid, address) {
                Some(image) => Place::Image(image, address),
                None => place,
            },
            place => place,
        });
        Stack {
            thread: self.names.get(&sample.tid).cloned(),
            places: kernel.chain(user).collect(),
            kernel: sample.kernel.len(),
            end: walk.end,
        }
    }
}

#[cfg(test)]
mod tests {
    use lab_proc::Mapping;

    use super::*;

    fn change(time_ns: u64, what: What) -> Change {
        Change { time_ns, what }
    }

    fn map(pid: u32, name: &[u8]) -> What {
        What::Map {
            pid,
            mapping: Mapping { start: 0x1000, end: 0x2000, offset: 0, name: name.to_vec() },
        }
    }

    #[test]
    fn weights_that_exceed_what_was_counted_are_scaled_down_and_others_stay() {
        let weights = |counted| {
            let mut stacks = Stacks::default();
            for (kernel, weight) in [(0, 100), (1, 900)] {
                let places = vec![Place::Nowhere; 2];
                stacks.count(0, Stack { thread: None, places, kernel, end: End::Root }, weight);
            }
            stacks.scale_down_to(counted);
            stacks.weighed.iter().map(|(_, weight)| *weight).collect::<Vec<_>>()
        };
        assert_eq!(weights(500), [50, 450]);
        assert_eq!(
            [weights(1_000), weights(2_000), weights(0)],
            [[100, 900], [100, 900], [100, 900]]
        );
    }

    /// The label and the thread's name that a sample of thread `tid` in process `pid` at `time_ns`
    /// would get.
    fn seen(changes: &[Change], time_ns: u64, pid: u32, tid: u32) -> (String, String) {
        let mut spool = Spool::new(&std::env::temp_dir());
        let leaf =
            if cfg!(target_arch = "x86_64") { vec![0, 0, 0x1800] } else { vec![0, 0, 0, 0x1800] };
        spool.push(&RawSample { time_ns, pid, tid, regs: leaf, ..RawSample::default() });
        let mut images = Images::default();
        let mut stacks = Stacks::default();
        let count = |sample: &RawSample, stack| stacks.count(sample.time_ns, stack, 1);
        replay(spool, changes.to_vec(), 0, &mut images, count).unwrap();
        let (stack, count) = &stacks.weighed[0];
        assert_eq!((*count, stacks.samples.as_slice()), (1, &[(time_ns, 0)][..]));
        let label = match stack.places[0] {
            Place::Label(image) => images.get(image).label.clone(),
            _ => "nowhere".to_owned(),
        };
        (
            label,
            stack
                .thread
                .as_deref()
                .map(|name| String::from_utf8_lossy(name).into_owned())
                .unwrap_or_default(),
        )
    }

    #[test]
    fn a_stack_by_frame_pointers_has_the_callers_that_a_whole_one_has_of_its_last_place() {
        let places = |names: &str| -> Vec<Place> {
            names.bytes().rev().map(|name| Place::Kernel(u64::from(name))).collect()
        };
        let stack =
            |names: &str, end| Stack { thread: None, places: places(names), kernel: 0, end };
        // Root first: `s` calls `c`, which calls `m`; `x` is called from two places.
        let stacks = [
            ("scmw", End::Root),
            ("scmx", End::Root),
            ("scx", End::Root),
            ("cml", End::FramePointers),
            ("xy", End::FramePointers),
            ("u", End::FramePointers),
            ("cmt", End::CopyEnded),
        ];
        let weighed = stacks.map(|(names, end)| (stack(names, end), 1)).to_vec();
        let mut found = Stacks { weighed, ..Stacks::default() };
        found.complete();
        let cut = |names| stack(names, End::FramePointers);
        let expected =
            [stack("scml", End::Root), cut("xy"), cut("u"), stack("cmt", End::CopyEnded)];
        assert_eq!(found.weighed[3..].iter().map(|it| it.0.clone()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_sample_sees_what_was_mapped_at_its_time() {
        // Arrived out of order, as from two rings.
        let changes = [change(30, map(1, b"[late]")), change(10, map(1, b"[early]"))];
        assert_eq!(seen(&changes, 5, 1, 1).0, "nowhere");
        assert_eq!(seen(&changes, 20, 1, 1).0, "[early]");
        assert_eq!(seen(&changes, 30, 1, 1).0, "[late]");
        assert_eq!(seen(&changes, 20, 2, 2).0, "nowhere");
    }

    #[test]
    fn a_child_has_its_parents_memory_until_it_runs_another_program() {
        let changes = [
            change(10, What::Name { tid: 1, name: b"parent".to_vec() }),
            change(10, map(1, b"[parent]")),
            change(20, What::Fork { pid: 2, tid: 2, parent_pid: 1, parent_tid: 1 }),
            change(25, map(1, b"[later]")),
            change(30, What::Exec { pid: 2, tid: 2, name: b"other".to_vec() }),
        ];
        assert_eq!(seen(&changes, 28, 2, 2), ("[parent]".into(), "parent".into()));
        assert_eq!(seen(&changes, 35, 2, 2), ("nowhere".into(), "other".into()));
        assert_eq!(seen(&changes, 35, 1, 1), ("[later]".into(), "parent".into()));
    }

    #[test]
    fn a_thread_is_called_as_its_parent_until_it_is_named() {
        let changes = [
            change(10, What::Name { tid: 1, name: b"main".to_vec() }),
            change(20, What::Fork { pid: 1, tid: 7, parent_pid: 1, parent_tid: 1 }),
            change(30, What::Name { tid: 7, name: b"worker".to_vec() }),
        ];
        assert_eq!(seen(&changes, 25, 1, 7).1, "main");
        assert_eq!(seen(&changes, 35, 1, 7).1, "worker");
        assert_eq!(seen(&changes, 35, 1, 1).1, "main");
    }
}
