//! Starting every request on time.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::num::NonZeroU64;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity};

use crate::arrivals::mean_gap;
use crate::clock::Clock;
use crate::thread::{allowed_cpus, meanwhile_on, pin_to};

/// How long before a start the pacer stops sleeping and begins to spin, if it has a CPU to itself.
/// A timer wakes an idle virtual CPU some 50 to 100 µs late.
const SPIN: Duration = Duration::from_micros(120);
/// A pacer that shares its CPUs spins for at most 1/10 of the time between two starts.
const SHARED_SPIN: u32 = 10;
/// A pacer that shares its CPUs, with starts no further apart than this on average, works in
/// rounds.
const SHORT_GAP: Duration = Duration::from_micros(100);
/// The rest between two rounds: half of what a start may be late, since a timer is late too.
const ROUND: Duration = Duration::from_micros(50);

/// How a generator starts its requests on time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waking {
    /// It has this CPU to itself, and spins before each start.
    Alone(usize),
    /// It shares its CPUs with the servers: it wakes, sends all that is due, and spins for at most
    /// this long before a start.
    Shared(Duration),
    /// It shares its CPUs, and waking for each start would take much of one: it rests for this long
    /// at a time, then sends all that is due and reads all that came.
    Rounds(Duration),
}

thread_local! {
    /// How this thread was last prepared.
    static PREPARED: Cell<Option<Waking>> = const { Cell::new(None) };
}

impl Waking {
    /// Runs `body`, in which the calling thread is pinned to this CPU whenever it starts requests,
    /// even on a machine with few CPUs. The caller keeps the servers off it.
    pub fn alone_on<T>(cpu: usize, body: impl FnOnce() -> T) -> T {
        let before = PREPARED.replace(Some(Self::Alone(cpu)));
        let done = meanwhile_on(&allowed_cpus(), body);
        PREPARED.set(before);
        done
    }

    /// How the calling thread was prepared, if it has started any requests.
    pub(crate) fn of_this_thread() -> Option<Self> {
        PREPARED.get()
    }

    /// Prepares the calling thread to start requests `gap` apart on average; `None` if each start
    /// waits for an answer.
    pub fn prepare(gap: Option<Duration>) -> Self {
        tighten_timer();
        ask_for_short_slices();
        // A thread that is already pinned is allowed one CPU, and so would find none to spare.
        let waking = match (PREPARED.get(), spare_cpu()) {
            (Some(alone @ Self::Alone(_)), _) => alone,
            (_, Some(cpu)) => Self::Alone(cpu),
            (_, None) => Self::shared(gap),
        };
        if let Self::Alone(cpu) = waking {
            pin_to(cpu);
        }
        PREPARED.set(Some(waking));
        waking
    }

    fn shared(gap: Option<Duration>) -> Self {
        match gap {
            None => Self::Shared(Duration::ZERO),
            Some(gap) if gap <= SHORT_GAP => Self::Rounds(ROUND),
            Some(gap) => Self::Shared(SPIN.min(gap / SHARED_SPIN)),
        }
    }

    /// The longest spin before a start.
    pub(crate) fn spin(self) -> Duration {
        match self {
            Self::Alone(_) => SPIN,
            Self::Shared(spin) => spin,
            Self::Rounds(_) => Duration::ZERO,
        }
    }

    /// The shortest rest, whatever is due or comes meanwhile.
    pub(crate) fn rest(self) -> Duration {
        match self {
            Self::Alone(_) | Self::Shared(_) => Duration::ZERO,
            Self::Rounds(round) => round,
        }
    }

    /// How long to sleep before `at`; the generator spins for what remains.
    pub fn sleep(self, now: Duration, at: Duration) -> Duration {
        at.saturating_sub(now + self.spin()).max(self.rest())
    }

    /// A sentence for the trial's notes.
    pub(crate) fn sentence(self) -> String {
        match self {
            Self::Alone(cpu) => format!("The generator has CPU {cpu} for itself, and spins."),
            Self::Shared(spin) => format!(
                "The generator shares its CPUs with the servers, since there are too few to spare \
                 one: it wakes for its starts, and spins for {spin:?} at most before one."
            ),
            Self::Rounds(round) => format!(
                "The generator shares its CPUs with the servers, since there are too few to spare \
                 one: it rests for {round:?} at a time, then sends all that is due, without \
                 spinning."
            ),
        }
    }
}

/// Calls `send(number, intended)` at each start of the schedule, on the calling thread, which
/// should do nothing else; returns after the last. Deadlines are absolute and come from the
/// schedule, so one late request delays no other's deadline: all that is due is sent at once.
pub fn pace(starts: &[u64], clock: Clock, mut send: impl FnMut(usize, Duration)) -> Waking {
    let waking = Waking::prepare(Some(mean_gap(starts)));
    for (number, at_ns) in starts.iter().enumerate() {
        let intended = Duration::from_nanos(*at_ns);
        wait(clock, intended, waking);
        send(number, intended);
    }
    waking
}

/// Sleeps until shortly before `at`, then spins: precise, and idle between requests. For threads
/// that [`tighten_timer`] has prepared.
pub fn wait_until(clock: Clock, at: Duration) {
    wait(clock, at, Waking::Shared(SPIN));
}

fn wait(clock: Clock, at: Duration, waking: Waking) {
    let now = clock.now();
    if at > now {
        std::thread::sleep(waking.sleep(now, at));
    }
    while clock.now() < at {
        std::hint::spin_loop();
    }
}

/// Makes this thread's sleeps end on time: by default the kernel may delay a timer by 50 µs to save
/// wake-ups. [`pace`] does it for its own thread.
pub fn tighten_timer() {
    // A failure shows in the lateness that every trial records.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
}

/// The shortest time slice that the scheduler grants.
const SLICE: Duration = Duration::from_micros(100);

/// Lets this thread run as soon as it wakes. Its share of a busy CPU stays the same, but it gets
/// the CPU sooner: since Linux 6.12 a thread may set the slice it needs (`sched_setattr(2)`,
/// `sched_runtime`), and one with a short slice preempts one with a long slice, instead of waiting
/// up to a timer tick (4 ms at 250 Hz) for its end. Older kernels ignore this.
fn ask_for_short_slices() {
    if let Some(mut attributes) = scheduling() {
        attributes.sched_runtime = SLICE.as_nanos() as u64;
        // A failure shows in the lateness that every trial records. SAFETY: the kernel reads
        // `attributes.size` bytes, a length that it wrote itself.
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    }
}

/// How this thread is scheduled.
fn scheduling() -> Option<libc::sched_attr> {
    let mut attributes = MaybeUninit::<libc::sched_attr>::zeroed();
    let (of, size) = (attributes.as_mut_ptr(), size_of::<libc::sched_attr>());
    // SAFETY: the kernel writes at most `size` bytes, and any bytes are a valid value. 0 means the
    // calling thread.
    unsafe {
        (libc::syscall(libc::SYS_sched_getattr, 0, of, size, 0) == 0)
            .then(|| attributes.assume_init())
    }
}

/// With fewer CPUs, client and servers share them all.
const CPUS_TO_SPARE_ONE: u32 = 4;

/// A CPU that the generator can have to itself.
pub(crate) fn spare_cpu() -> Option<usize> {
    spare_of(&sched_getaffinity(None).ok()?)
}

/// The last CPU that a process may use, if enough remain for the servers.
fn spare_of(allowed: &CpuSet) -> Option<usize> {
    let last = (0..CpuSet::MAX_CPU).rev().find(|cpu| allowed.is_set(*cpu))?;
    (allowed.count() >= CPUS_TO_SPARE_ONE).then_some(last)
}

#[cfg(test)]
mod tests {
    use lab_skip::{Need, skip};

    use super::*;
    use crate::thread::Usage;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_late_request_moves_no_other_deadline() {
        let starts: Vec<u64> = (1..=50).map(|i| i * 1_000_000).collect();
        let clock = Clock::live();
        let mut intended_times = Vec::new();
        pace(&starts, clock, |number, intended| {
            if number == 10 {
                std::thread::sleep(Duration::from_millis(20));
            }
            assert!(clock.now() >= intended, "never early");
            intended_times.push(intended.as_nanos() as u64);
        });
        assert_eq!(intended_times, starts);
        assert!(clock.now() < Duration::from_secs(5), "it caught up in a burst");
    }

    #[test]
    fn a_generator_on_shared_cpus_spins_at_most_a_tenth_of_the_time() {
        let ms = Duration::from_millis;
        assert_eq!(Waking::shared(Some(ms(100))), Waking::Shared(SPIN));
        assert_eq!(Waking::shared(Some(ms(1))), Waking::Shared(ms(1) / 10));
        assert_eq!(Waking::shared(None), Waking::Shared(Duration::ZERO), "no spinning");
        let shared = Waking::Shared(ms(2));
        assert_eq!([ms(1), ms(9)].map(|now| shared.sleep(now, ms(10))), [ms(7), ms(0)]);
    }

    #[test]
    fn starts_that_are_close_do_not_wake_a_generator_on_shared_cpus_one_by_one() {
        let rounds = Waking::shared(Some(SHORT_GAP));
        assert_eq!(rounds, Waking::Rounds(ROUND));
        assert_eq!(rounds.spin(), Duration::ZERO);
        let sleep = |at| rounds.sleep(MS, at);
        assert_eq!([MS / 2, MS, MS + ROUND / 2].map(sleep), [ROUND; 3], "it rests");
        assert_eq!(sleep(3 * MS), 2 * MS, "there is nothing to do before");
        // Five starts in a round.
        let starts: Vec<u64> = (0..2_000).map(|i| i * 10_000).collect();
        let switches = || Usage::here().voluntary;
        let paced = std::thread::spawn(move || {
            let before = switches();
            pace(&starts, Clock::live(), |_, _| ());
            switches() - before
        });
        // 20 ms hold 400 rests.
        assert!(paced.join().unwrap() < 500, "of 2,000 starts");
    }

    #[test]
    fn a_generator_that_was_given_a_cpu_has_it_for_itself() {
        let free = sched_getaffinity(None).unwrap();
        let cpu = (0..CpuSet::MAX_CPU).find(|cpu| free.is_set(*cpu)).unwrap();
        let here = || sched_getaffinity(None).unwrap();
        let given = move || (Waking::alone_on(cpu, || (Waking::prepare(Some(MS)), here())), here());
        let (alone, after) = std::thread::spawn(given).join().unwrap();
        assert_eq!((alone, after), ((Waking::Alone(cpu), cpus(&[cpu])), free));
    }

    #[test]
    fn a_pacing_thread_has_the_slice_that_it_asked_for() {
        let before = scheduling().unwrap();
        if before.sched_runtime == 0 {
            return skip(Need::Scheduler, "this kernel grants no slices (Linux 6.12 does)");
        }
        let pacer = std::thread::spawn(|| {
            pace(&[0], Clock::live(), |_, _| ());
            scheduling().unwrap()
        });
        let after = pacer.join().unwrap();
        assert_eq!(after.sched_runtime, SLICE.as_nanos() as u64);
        assert_eq!(after.sched_nice, before.sched_nice, "its share of a CPU stays what it was");
    }

    fn cpus(numbers: &[usize]) -> CpuSet {
        let mut set = CpuSet::new();
        numbers.iter().for_each(|cpu| set.set(*cpu));
        set
    }

    #[test]
    fn the_generator_takes_the_last_cpu_when_three_are_left_for_servers() {
        assert_eq!(spare_of(&cpus(&[])), None);
        assert_eq!(spare_of(&cpus(&[0, 1, 2])), None);
        assert_eq!(spare_of(&cpus(&[0, 1, 2, 3])), Some(3));
        assert_eq!(spare_of(&cpus(&[4, 6, 8, 10])), Some(10), "what a container may use");
    }

    #[test]
    fn a_pinned_thread_stays_on_its_cpu() {
        let free = sched_getaffinity(None).unwrap();
        let first = (0..CpuSet::MAX_CPU).find(|cpu| free.is_set(*cpu)).unwrap();
        let pinned = std::thread::spawn(move || {
            pin_to(first);
            sched_getaffinity(None).unwrap()
        });
        assert_eq!(pinned.join().unwrap(), cpus(&[first]));
        assert_eq!(sched_getaffinity(None).unwrap(), free, "others stay free");
    }
}
