//! The kernel's side of sampling: the perf events on the observed threads and the rings they write
//! to.
//!
//! Each CPU has one ring, owned by a dummy event on ourselves, and every event on that CPU writes
//! to it. A ring that belonged to an observed thread would report a hang-up forever after that
//! thread ends, while others still write to it.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use anyhow::{Context, Result};
use perf_event::data::endian::Native;
use perf_event::data::parse::ParseConfig;
use perf_event::events::{Hardware, Software};
use perf_event::{Builder, Clock, Counter, Record, SampleFlag, Sampler};
use perf_event_open_sys::ioctls;

use super::EventChoice;
use super::refused::Refused;
use super::unwind::{STACK_BYTES, USER_REGS};

/// The largest ring per CPU, in bytes. At 999 Hz a saturated CPU fills 32 MB/s, so this lasts for
/// half a second, in which even a reader on a busy CPU gets its turn.
const RING_BYTES: usize = 16 << 20;

/// The most bytes for the rings of all CPUs together, if that leaves each at least a quarter of the
/// largest.
const RINGS_BYTES: usize = 256 << 20;

/// The smallest useful ring, of a few records. Without rights a user may lock only 516 KiB per CPU.
const RING_BYTES_MIN: usize = 128 << 10;

/// Samples of page faults in a second. Each copies a stack, which takes longer than a fault: the
/// faster faults come, the more of them the kernel skips between samples.
const FAULT_SAMPLES_HZ: u32 = 3_999;

/// What triggers a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The kernel's high-resolution timer, running while the thread does.
    CpuClock,
    /// The processor's cycle counter: sees more of code that runs with interrupts off.
    Cycles,
    /// A context switch, in the thread that is switched out.
    ContextSwitches,
    /// The first touch of a page, or one after it was taken away.
    PageFaults,
}

impl Event {
    /// The name in the quality file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CpuClock => "cpu-clock",
            Self::Cycles => "cycles",
            Self::ContextSwitches => "context-switches",
            Self::PageFaults => "page-faults",
        }
    }
}

/// How to sample: the same for every thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sampling {
    /// What triggers a sample.
    pub(crate) event: Event,
    /// Samples per CPU-second, or for page faults per second; `None` samples every event.
    pub(crate) hz: Option<u32>,
    /// Whether kernel stacks are not permitted.
    pub(crate) user_only: bool,
}

/// Which tasks inherit the events of an observed thread, and when they start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Threads and child processes; from the next exec on.
    FromExec,
    /// Threads only; from [`Events::enable`] on.
    ThisProcess,
}

/// The processes whose changes the owner of a ring reports.
#[derive(Clone, Copy)]
enum Whom {
    /// None, in effect, since the event never starts.
    Ourselves,
    /// Every process, from now on.
    #[cfg_attr(not(feature = "ebpf"), expect(dead_code, reason = "BPF programs' stacks need it"))]
    Everyone,
}

/// The open events and their rings.
pub(crate) struct Events {
    /// How they sample.
    pub(crate) sampling: Sampling,
    rings: Vec<(usize, Sampler)>,
    counters: Vec<Counter>,
    owners: Owners,
}

/// What all events have counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    /// Events: faults, switches, cycles or nanoseconds.
    pub(crate) count: u64,
    /// The CPU time of the observed threads.
    pub(crate) cpu: Duration,
}

/// Which thread each event was opened on.
#[derive(Default)]
pub(crate) struct Owners {
    by_event: HashMap<u64, u32>,
    threads: HashSet<u32>,
}

impl Owners {
    /// Whether this sample of thread `tid` duplicates another one. A thread born while its process
    /// is being attached to can have both inherited events (with the id of their ancestor's) and
    /// its own.
    pub(crate) fn is_duplicate(&self, tid: u32, event: u64) -> bool {
        self.threads.contains(&tid) && self.by_event.get(&event) != Some(&tid)
    }

    fn insert(&mut self, event: u64, tid: u32) {
        self.by_event.insert(event, tid);
        self.threads.insert(tid);
    }
}

impl Events {
    /// Opens the rings for samples of CPU time, with kernel stacks if this user may have them.
    ///
    /// # Errors
    /// [`Refused`] if the kernel allows no perf events at all.
    pub(crate) fn of_cpu_time(choice: EventChoice, hz: u32) -> Result<Self> {
        let mut sampling = Sampling { event: Event::CpuClock, hz: Some(hz), user_only: false };
        sampling.user_only = !may_see_kernel(sampling)?;
        sampling.event = pick_event(choice, sampling)?;
        Self::open(sampling, Whom::Ourselves)
    }

    /// Opens the rings for a sample at every switch to another thread.
    ///
    /// # Errors
    /// [`Refused`] if the kernel allows no perf events, or none in the kernel, where switches
    /// happen.
    pub(crate) fn of_switches() -> Result<Self> {
        let sampling = Sampling { event: Event::ContextSwitches, hz: None, user_only: false };
        if !may_see_kernel(sampling)? {
            return Err(Refused::kernel_side().into());
        }
        Self::open(sampling, Whom::Ourselves)
    }

    /// Opens the rings for samples of page faults at a rate; each sample says how many faults it
    /// stands for.
    ///
    /// # Errors
    /// [`Refused`] if the kernel allows no perf events at all.
    pub(crate) fn of_faults() -> Result<Self> {
        let hz = Some(FAULT_SAMPLES_HZ);
        let mut sampling = Sampling { event: Event::PageFaults, hz, user_only: false };
        sampling.user_only = !may_see_kernel(sampling)?;
        Self::open(sampling, Whom::Ourselves)
    }

    /// Rings that report the mappings and children of every process, and sample nothing.
    ///
    /// # Errors
    /// The kernel does not let this user observe other users' processes, or refuses altogether.
    #[cfg(feature = "ebpf")]
    pub(crate) fn of_changes() -> Result<Self> {
        let sampling = Sampling { event: Event::CpuClock, hz: None, user_only: true };
        Self::open(sampling, Whom::Everyone)
    }

    fn open(sampling: Sampling, whom: Whom) -> Result<Self> {
        let rings = open_rings(&lab_proc::cpus_online()?, sampling, whom)?;
        Ok(Self { sampling, rings, counters: Vec::new(), owners: Owners::default() })
    }

    /// Opens one event per CPU on thread `tid`.
    ///
    /// # Errors
    /// The kernel's: ESRCH if the thread has ended.
    pub(crate) fn observe(&mut self, tid: u32, scope: Scope) -> io::Result<()> {
        for (cpu, ring) in &self.rings {
            let counter = open_event(self.sampling, tid, Some(*cpu), scope)?;
            redirect(&counter, ring)?;
            self.owners.insert(counter.id(), tid);
            self.counters.push(counter);
        }
        Ok(())
    }

    /// Starts every event, and those inherited from it.
    pub(crate) fn enable(&mut self) -> io::Result<()> {
        self.counters.iter_mut().try_for_each(Counter::enable)
    }

    /// Stops every event, and those inherited from it.
    pub(crate) fn disable(&mut self) -> io::Result<()> {
        self.counters.iter_mut().try_for_each(Counter::disable)
    }

    /// What the events have counted so far, and the CPU time of their threads meanwhile, including
    /// all threads that inherited the events.
    pub(crate) fn totals(&mut self) -> io::Result<Totals> {
        self.counters.iter_mut().try_fold(Totals::default(), |sum, counter| {
            let read = counter.read_full()?;
            let cpu = read.time_running().unwrap_or_default();
            Ok(Totals { count: sum.count + read.count(), cpu: sum.cpu + cpu })
        })
    }

    /// Takes every record that has arrived off the rings.
    pub(crate) fn drain(
        &mut self,
        mut take: impl FnMut(&Record<'_>, &ParseConfig<Native>, &Owners),
    ) {
        for (_, ring) in &mut self.rings {
            let config = ring.config().clone();
            while let Some(record) = ring.next_record() {
                take(&record, &config, &self.owners);
            }
        }
    }

    /// Descriptors that are readable when their ring is half full.
    pub(crate) fn ring_fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.rings.iter().map(|(_, ring)| borrow(ring))
    }
}

fn borrow(ring: &Sampler) -> BorrowedFd<'_> {
    // SAFETY: the descriptor is owned by `ring`, which the result borrows.
    unsafe { BorrowedFd::borrow_raw(ring.as_raw_fd()) }
}

/// Whether a harmless event may include the kernel.
///
/// # Errors
/// [`Refused`] if not even an event without the kernel may be opened.
fn may_see_kernel(sampling: Sampling) -> Result<bool> {
    let probe =
        |user_only| open_dummy(None, Sampling { user_only, ..sampling }, 0, Whom::Ourselves);
    if probe(false).is_ok() {
        return Ok(true);
    }
    match probe(true) {
        Ok(_) => Ok(false),
        Err(error) => match Refused::diagnose(&error) {
            Some(refused) => Err(refused.into()),
            None => Err(error).context("perf_event_open"),
        },
    }
}

/// Opens rings as large as the user may lock: tries each size on all CPUs before the next smaller
/// one.
fn open_rings(cpus: &[usize], sampling: Sampling, whom: Whom) -> Result<Vec<(usize, Sampler)>> {
    let share = RINGS_BYTES / cpus.len().next_power_of_two();
    let mut bytes = share.clamp(RING_BYTES / 4, RING_BYTES);
    loop {
        let rings: io::Result<Vec<_>> =
            cpus.iter().map(|&cpu| open_ring(cpu, sampling, bytes, whom)).collect();
        match rings {
            // EPERM: over the limit of locked memory. ENOMEM: no contiguous memory.
            Err(error)
                if bytes > RING_BYTES_MIN
                    && matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOMEM)) =>
            {
                bytes /= 2;
            }
            other => {
                return other.with_context(|| {
                    format!("cannot map a ring of {bytes} bytes a CPU for perf events")
                });
            }
        }
    }
}

fn open_ring(
    cpu: usize,
    sampling: Sampling,
    bytes: usize,
    whom: Whom,
) -> io::Result<(usize, Sampler)> {
    Ok((cpu, open_dummy(Some(cpu), sampling, bytes / 2, whom)?.sampled(bytes)?))
}

/// An event that never fires: it owns a ring, shows what is allowed, and reports changes of the
/// threads that it is on.
fn open_dummy(
    cpu: Option<usize>,
    sampling: Sampling,
    watermark: usize,
    whom: Whom,
) -> io::Result<Counter> {
    let mut builder = Builder::new(Software::DUMMY);
    configure(&mut builder, sampling);
    if let Some(cpu) = cpu {
        builder.one_cpu(cpu);
    }
    match whom {
        Whom::Ourselves => builder.observe_self(),
        Whom::Everyone => builder.any_pid().enabled(true),
    };
    builder.wakeup_watermark(watermark).build()
}

/// The event to use: by default the cycle counter if there is one. Virtual machines often have
/// none.
fn pick_event(choice: EventChoice, sampling: Sampling) -> Result<Event> {
    let cycles =
        || open_event(Sampling { event: Event::Cycles, ..sampling }, 0, None, Scope::ThisProcess);
    match choice {
        EventChoice::CpuClock => Ok(Event::CpuClock),
        EventChoice::Cycles => cycles().map(|_| Event::Cycles).map_err(|error| no_cycles(&error)),
        EventChoice::Auto => Ok(if cycles().is_ok() { Event::Cycles } else { Event::CpuClock }),
    }
}

fn no_cycles(error: &io::Error) -> anyhow::Error {
    let fix = Some("--event cpu-clock".to_owned());
    let why = match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::EOPNOTSUPP) => {
            "this machine offers no cycle counter (usual in a virtual machine)".to_owned()
        }
        _ => format!("the cycle counter cannot be used: {error}"),
    };
    Refused { why, fix }.into()
}

/// One sampling event, disabled, on thread `tid` (0: ourselves).
fn open_event(
    sampling: Sampling,
    tid: u32,
    cpu: Option<usize>,
    scope: Scope,
) -> io::Result<Counter> {
    let mut builder = match sampling.event {
        Event::CpuClock => Builder::new(Software::CPU_CLOCK),
        Event::Cycles => Builder::new(Hardware::CPU_CYCLES),
        // The samples have the stacks; the records of switches say when a thread is switched in,
        // and why it was switched out.
        Event::ContextSwitches => Builder::new(Software::CONTEXT_SWITCHES),
        Event::PageFaults => Builder::new(Software::PAGE_FAULTS),
    };
    configure(&mut builder, sampling);
    builder.context_switch(sampling.event == Event::ContextSwitches);
    match sampling.hz {
        Some(hz) => builder.sample_frequency(hz.into()),
        None => builder.sample_period(1),
    };
    builder.observe_pid(tid.cast_signed()).inherit(true);
    if let Some(cpu) = cpu {
        builder.one_cpu(cpu);
    }
    match scope {
        Scope::FromExec => builder.enable_on_exec(true),
        Scope::ThisProcess => builder.inherit_thread(true),
    };
    builder.build()
}

/// The settings that all events share, including the rings' owners, by whose settings the records
/// in a ring are parsed.
fn configure(builder: &mut Builder<'_>, sampling: Sampling) {
    let fields = SampleFlag::TID
        | SampleFlag::TIME
        | SampleFlag::ID
        | SampleFlag::PERIOD
        | SampleFlag::CALLCHAIN
        | SampleFlag::REGS_USER
        | SampleFlag::STACK_USER;
    builder
        .sample(fields)
        .sample_id_all(true)
        .sample_regs_user(USER_REGS)
        .sample_stack_user(STACK_BYTES)
        .clockid(Clock::MONOTONIC)
        .exclude_kernel(sampling.user_only)
        .exclude_hv(true)
        // Every switch is sampled, and walking the user's frames as well would lengthen each one.
        .exclude_callchain_user(matches!(sampling.event, Event::ContextSwitches))
        .mmap(true)
        .mmap2(true)
        .comm(true)
        .comm_exec(true)
        .task(true);
}

/// Lets `counter` write to `ring` (of the same CPU).
fn redirect(counter: &Counter, ring: &Sampler) -> io::Result<()> {
    // SAFETY: both descriptors are open perf events, and the call reads no memory of ours.
    let result = unsafe { ioctls::SET_OUTPUT(counter.as_raw_fd(), ring.as_raw_fd()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_with_events_of_its_own_is_not_sampled_by_inherited_ones_too() {
        let mut owners = Owners::default();
        // Event 100 was opened on thread 1, event 200 on its child 2, which had inherited 100
        // already.
        owners.insert(100, 1);
        owners.insert(200, 2);
        assert!(!owners.is_duplicate(1, 100));
        assert!(!owners.is_duplicate(2, 200));
        assert!(owners.is_duplicate(2, 100));
        // A later child has only the inherited event.
        assert!(!owners.is_duplicate(3, 100));
    }
}
