//! A probe's program in the kernel: loading with its globals, attaching, detaching, and reading its
//! maps.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result, anyhow, bail, ensure};
use aya::maps::{
    HashMap as BpfHashMap, MapData, MapError, PerCpuArray, PerCpuHashMap, RingBuf, StackTraceMap,
};
use aya::programs::{Program, ProgramError};
use aya::sys::SyscallError;
use aya::{Btf, Ebpf, EbpfError, EbpfLoader, Pod};
use lab_probe_common::{Comm, target};
use lab_record::probe::ProbeTarget;

use super::accounts::{Accounts, Away};
use super::btf::{Field, Types};
use super::functions::Function;
use super::hooks::{self, Hooks, Link};
use super::kallsyms;
use super::mappings::Mappings;
use super::refused::Refused;
use super::{Options, Probe, namespace};
use crate::target::now_ns;

/// The fields of a thread that every program reads.
const TASK: &[Field] = &[
    Field { global: "TASK_PID", structure: "task_struct", field: "pid" },
    Field { global: "TASK_TGID", structure: "task_struct", field: "tgid" },
    Field { global: "TASK_COMM", structure: "task_struct", field: "comm" },
];

/// The field that says whether a thread is in a 32-bit system call.
pub(crate) const CALL: &[Field] =
    &[Field { global: "TASK_STATUS", structure: "task_struct", field: "thread_info.status" }];

/// The field with the operation of an io_uring request, if the kernel has io_uring.
const URING: Field = Field { global: "REQUEST_OPCODE", structure: "io_kiocb", field: "opcode" };

/// Programs with this prefix are left out if the kernel lacks their tracepoint: their events cannot
/// happen, or the probe reports that it cannot see them.
const OPTIONAL_PREFIX: &str = "io_uring_";

/// The fields for how long a thread has run, and when it was last switched in or out.
pub(crate) const RAN: &[Field] = &[
    Field { global: "TASK_SE", structure: "task_struct", field: "se" },
    Field { global: "SE_RAN", structure: "sched_entity", field: "sum_exec_runtime" },
    Field { global: "SE_EXEC_START", structure: "sched_entity", field: "exec_start" },
    Field { global: "SE_CFS_RQ", structure: "sched_entity", field: "cfs_rq" },
    Field { global: "CFS_RQ_RQ", structure: "cfs_rq", field: "rq" },
    Field { global: "RQ_CLOCK", structure: "rq", field: "clock" },
    Field { global: "RQ_CLOCK_TASK", structure: "rq", field: "clock_task" },
];

/// The field with a thread's kernel stack, for a program that recognises stacks, with
/// [`syscall_entry`].
pub(crate) const STACK: &[Field] =
    &[Field { global: "TASK_STACK", structure: "task_struct", field: "stack" }];

/// Programs with this prefix follow a command's child processes, and do nothing for other targets.
const FAMILY_PREFIX: &str = "family_";

/// A program in the kernel, for as long as this lives.
pub(crate) struct Loaded {
    /// The beginning of a refusal's message.
    what: String,
    bpf: Ebpf,
    hooks: Hooks,
    links: Vec<Link>,
    /// The mappings of the observed processes, for a probe of stacks.
    mappings: Option<Mappings>,
    /// The counters of a process's threads, at the beginning and at the end.
    accounts: Option<(Accounts, Option<Accounts>)>,
    begun_ns: u64,
    ended_ns: u64,
}

impl Loaded {
    /// Sets the program's globals (field offsets, target), and loads it, which the kernel verifies.
    ///
    /// # Errors
    /// [`Refused`] if this kernel or this user's rights do not suffice.
    pub(crate) fn load(probe: &Probe, options: &Options) -> Result<Self> {
        let what = format!("{} ({}) cannot run", options.spec.name, options.spec.shows);
        open(probe, options, what.clone()).context(what)
    }

    /// Starts observing `target`.
    ///
    /// # Errors
    /// [`Refused`]: some kernels let a user load a program but not attach it.
    pub(crate) fn attach(&mut self, target: &ProbeTarget) -> Result<()> {
        // First, so that no stack has an unknown address.
        self.mappings = self.bpf.map("STACKS").map(|_| Mappings::begin(target));
        self.begun_ns = now_ns();
        if let ProbeTarget::Pid(process) = target {
            self.accounts = Some((Accounts::of(*process), None));
        }
        // The kernel runs the programs of a tracepoint in the order of attachment: those that
        // decide which processes belong to the family come first.
        let mut programs: Vec<_> = self.bpf.programs_mut().collect();
        programs.sort_by_key(|(name, _)| !name.starts_with(FAMILY_PREFIX));
        for (name, program) in programs {
            if program.fd().is_ok() {
                let links = self.hooks.attach(name, program);
                self.links.extend(links.map_err(|error| explain_attach(error, name, &self.what))?);
            }
        }
        Ok(())
    }

    /// Stops observing: the maps do not change from here on.
    pub(crate) fn detach(&mut self) {
        self.links.clear();
        self.ended_ns = now_ns();
        if let Some((before, after)) = &mut self.accounts {
            *after = Some(before.again());
        }
        self.tick();
    }

    /// Reads what the kernel reports besides the program's own events.
    pub(crate) fn tick(&mut self) {
        self.mappings.iter_mut().for_each(Mappings::drain);
    }

    /// The beginning and end of the observation, in nanoseconds on CLOCK_MONOTONIC.
    pub(crate) fn span_ns(&self) -> (u64, u64) {
        (self.begun_ns, self.ended_ns)
    }

    /// How long threads of an already running process were off the CPU beyond what was `seen` of
    /// each; `None` for other targets.
    pub(crate) fn away_unseen(&self, seen: &HashMap<u32, u64>) -> Option<Away> {
        let (before, after) = self.accounts.as_ref()?;
        Some(before.unseen(after.as_ref()?, seen))
    }

    /// Takes the mappings of the observed processes; can be called once.
    pub(crate) fn take_mappings(&mut self) -> Result<Mappings> {
        self.mappings.take().context("the program has no stacks")
    }

    /// The addresses of a stack, leaf first; empty for a negative number.
    pub(crate) fn stack(&self, number: i32) -> Result<Vec<u64>> {
        let Ok(number) = u32::try_from(number) else { return Ok(Vec::new()) };
        let stacks: StackTraceMap<&MapData> = StackTraceMap::try_from(self.map("STACKS")?)?;
        let stack = stacks.get(&number, 0).context("read the map STACKS")?;
        Ok(stack.frames().iter().map(|frame| frame.ip).collect())
    }

    /// The cost of each watched USDT point, in nanoseconds, measured here and now.
    pub(crate) fn cost_of_a_point_ns(&mut self) -> Result<f64> {
        hooks::cost_of_a_point_ns(&mut self.bpf).context("measure the cost of a point")
    }

    /// The watched function.
    pub(crate) fn function(&self) -> Result<&Function> {
        self.hooks.function().context("a function was set")
    }

    /// The cost of watching the function for each of its calls, in nanoseconds, measured here and
    /// now.
    pub(crate) fn cost_of_a_call_ns(&mut self) -> Result<f64> {
        let first = self.function()?.first().to_vec();
        hooks::cost_of_a_call_ns(&mut self.bpf, &first).context("measure the cost of a call")
    }

    /// Passes each event in the ring buffer to `take`.
    pub(crate) fn events<T>(&mut self, mut take: impl FnMut(&T)) -> Result<()> {
        let map = self.bpf.map_mut("EVENTS_RING").context("the program has no ring buffer")?;
        let mut ring = RingBuf::try_from(map)?;
        while let Some(item) = ring.next() {
            ensure!(item.len() == size_of::<T>(), "an event of {} bytes", item.len());
            // SAFETY: the program writes whole values of this `repr(C)` type of integers, and the
            // buffer aligns them to 8 bytes.
            take(unsafe { &*item.as_ptr().cast::<T>() });
        }
        Ok(())
    }

    /// Every entry of a map.
    pub(crate) fn entries<K: Pod, V: Pod>(&self, map: &str) -> Result<Vec<(K, V)>> {
        let entries: BpfHashMap<&MapData, K, V> = BpfHashMap::try_from(self.map(map)?)?;
        let read: Result<Vec<_>, MapError> = entries.iter().collect();
        read.with_context(|| format!("read the map {map}"))
    }

    /// Every slot of an array, with one value per CPU.
    pub(crate) fn per_cpu<V: Pod>(&self, map: &str) -> Result<Vec<Vec<V>>> {
        let slots: PerCpuArray<&MapData, V> = PerCpuArray::try_from(self.map(map)?)?;
        let read = |slot| Ok(slots.get(&slot, 0)?.to_vec());
        let read: Result<Vec<_>> = (0..slots.len()).map(read).collect();
        read.with_context(|| format!("read the map {map}"))
    }

    /// The map of observed processes, for targets of [`target::FAMILY`].
    pub(crate) fn family(&mut self) -> Result<BpfHashMap<&mut MapData, u32, u32>> {
        let map = self.bpf.map_mut("FAMILY").context("the program has no map FAMILY")?;
        Ok(BpfHashMap::try_from(map)?)
    }

    /// Every slot of an array of per-CPU counters, added up over the CPUs.
    pub(crate) fn slots(&self, map: &str) -> Result<Vec<u64>> {
        let slots = self.per_cpu::<u64>(map)?;
        Ok(slots.into_iter().map(|cpus| cpus.into_iter().sum()).collect())
    }

    /// Every key of a map of per-CPU counters, with its counters added up.
    pub(crate) fn per_cpu_sums<K: Pod>(&self, map: &str) -> Result<Vec<(K, u64)>> {
        let counters: PerCpuHashMap<&MapData, K, u64> = PerCpuHashMap::try_from(self.map(map)?)?;
        let sum = |entry: Result<(K, aya::maps::PerCpuValues<u64>), MapError>| {
            let (key, values) = entry?;
            Ok((key, values.iter().sum()))
        };
        let read: Result<Vec<_>> = counters.iter().map(sum).collect();
        read.with_context(|| format!("read the map {map}"))
    }

    /// The programs in the kernel: their names and descriptors.
    pub(crate) fn program_fds(&self) -> Vec<(&str, BorrowedFd<'_>)> {
        let programs = self.bpf.programs();
        programs.filter_map(|(name, program)| Some((name, program.fd().ok()?.as_fd()))).collect()
    }

    fn map(&self, name: &str) -> Result<&aya::maps::Map> {
        self.bpf.map(name).with_context(|| format!("the program has no map {name}"))
    }
}

/// The function through which all system calls enter: the lower half of its address, and its length
/// in bytes. Zeros if these are hidden.
pub(crate) fn syscall_entry(_: &Options) -> Vec<(&'static str, u32)> {
    let (start, bytes) = kallsyms::function("do_syscall_64").unwrap_or_default();
    vec![("SYSCALL_ENTRY", start as u32), ("SYSCALL_ENTRY_SIZE", bytes as u32)]
}

fn open(probe: &Probe, options: &Options, what: String) -> Result<Loaded> {
    // First, what needs no rights.
    let types = Types::of_kernel()?;
    if let Some(refused) = Refused::rights() {
        return Err(refused.into());
    }
    let fields = TASK.iter().chain(namespace::NUMBERS);
    let fields = fields.chain(probe.fields.iter().copied().flatten());
    let offsets = fields
        .map(|Field { global, structure, field }| Ok((*global, types.offset(structure, field)?)));
    let values = probe.values.iter().map(|(global, name)| Ok((*global, types.value(name)?)));
    let words: Result<_> = offsets.chain(values).collect();
    let mut words: Vec<(&str, u32)> = words.map_err(|error| Refused::other_kernel(&error))?;
    let (mode, comm) = aim(&options.target);
    words.extend(types.offset(URING.structure, URING.field).map(|at| (URING.global, at)).ok());
    words.extend((probe.of_kernel)(&types));
    words.push(("NAMESPACE", namespace::inode()?));
    words.push(("TARGET", mode));
    words.push(("LOADER", std::process::id()));
    words.extend((probe.globals)(options));

    let btf = Btf::from_sys_fs().context("read the kernel's types")?;
    let mut loader = EbpfLoader::new();
    loader.btf(Some(&btf));
    for (global, value) in &words {
        loader.override_global(global, value, *global != URING.global);
    }
    loader.override_global("TARGET_COMM", &comm, true);
    for (map, entries) in &options.map_entries {
        loader.map_max_entries(map, *entries);
    }
    let mut bpf = loader.load(probe.object).map_err(explain_load)?;
    let follows = matches!(options.target, ProbeTarget::Command(_));
    for (name, program) in bpf.programs_mut() {
        let tracepoint = match name.strip_prefix(FAMILY_PREFIX) {
            Some(_) if !follows => continue,
            Some(tracepoint) => tracepoint,
            None => name,
        };
        if name.starts_with(OPTIONAL_PREFIX) && types.arguments(tracepoint).is_none() {
            continue;
        }
        let loaded = match program {
            Program::BtfTracePoint(program) => program.load(tracepoint, &btf),
            Program::PerfEvent(program) => program.load(),
            Program::UProbe(program) => program.load(),
            _ => bail!("{name} is a program of an unknown type"),
        };
        loaded.map_err(|error| explain_program(error, tracepoint))?;
    }
    let hooks = Hooks::new(options)?;
    bpf.programs().try_for_each(|(name, _)| hooks.find(name))?;
    Ok(Loaded {
        what,
        bpf,
        hooks,
        links: Vec::new(),
        mappings: None,
        accounts: None,
        begun_ns: 0,
        ended_ns: 0,
    })
}

/// The program's globals for a target.
fn aim(target: &ProbeTarget) -> (u32, Comm) {
    match target {
        ProbeTarget::Everyone => (target::EVERYONE, Comm::default()),
        ProbeTarget::Pid(_) | ProbeTarget::Command(_) => (target::FAMILY, Comm::default()),
        ProbeTarget::Comm(name) => (target::NAME, Comm::new(name.as_bytes())),
    }
}

/// Turns the kernel's error on making a map into a refusal.
fn explain_load(error: EbpfError) -> anyhow::Error {
    if let EbpfError::MapError(MapError::CreateError { io_error, .. }) = &error
        && let Some(refused) = Refused::diagnose(io_error, true)
    {
        return refused.into();
    }
    anyhow!(error).context("load the program")
}

/// Turns the kernel's error on loading a program into a refusal.
fn explain_program(error: ProgramError, tracepoint: &str) -> anyhow::Error {
    match &error {
        ProgramError::Btf(_) => Refused::no_tracepoint(tracepoint).into(),
        ProgramError::LoadError { io_error, .. } => match Refused::diagnose(io_error, false) {
            Some(refused) => refused.into(),
            None => anyhow!(error).context(format!("load the program for {tracepoint}")),
        },
        _ => anyhow!(error).context(format!("load the program for {tracepoint}")),
    }
}

/// Turns the kernel's error on attaching a program into a refusal.
fn explain_attach(error: anyhow::Error, name: &str, what: &str) -> anyhow::Error {
    match error.downcast_ref() {
        Some(ProgramError::SyscallError(SyscallError { call: "perf_event_open", io_error }))
            if io_error.kind() == io::ErrorKind::PermissionDenied =>
        {
            anyhow!(Refused::no_hook()).context(what.to_owned())
        }
        _ => error.context(format!("attach {name}")),
    }
}

#[cfg(test)]
mod tests {
    use aya::BtfError;

    use super::*;

    #[test]
    fn a_kernel_without_the_tracepoint_is_a_refusal() {
        let unknown = BtfError::UnknownBtfTypeName { type_name: "btf_trace_x".to_owned() };
        let error = explain_program(ProgramError::Btf(unknown), "x");
        assert_eq!(*error.downcast_ref::<Refused>().unwrap(), Refused::no_tracepoint("x"));
    }
}
