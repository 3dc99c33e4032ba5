//! The allocator of every lab: it samples requests for memory while a memory profile is taken, and
//! shows where the program allocates.
//!
//! Allocated bytes are sampled every [`BYTES_A_SAMPLE`] bytes on average, at exponential distances,
//! so that no pattern of allocations stays in step with the sampler. The stack that allocates a
//! sampled byte is charged with [`BYTES_A_SAMPLE`] bytes: the sum is an unbiased estimate of what
//! was allocated. A sampled block is remembered until it is freed, so live bytes are known by stack
//! as well, which shows leaks. [`live_bytes`] keeps every request and is exact.
//!
//! Between profiles, an allocation costs one count and one load more than the system allocator's,
//! and freeing costs one load more.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::ffi::c_void;
use std::path::Path;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use lab_record::{ProfileKind, ProfileQuality, write_json};
use lab_stats::splitmix64;

use crate::profile::plain;

/// Bytes between two samples, on average.
const BYTES_A_SAMPLE: u64 = 16 * 1024;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// The system's allocator, counted.
struct Allocator;

/// Which requests are kept: [`NONE`], [`SAMPLED`] or [`EVERY`] one.
static KEPT: AtomicU8 = AtomicU8::new(NONE);
const NONE: u8 = 0;
const SAMPLED: u8 = 1;
const EVERY: u8 = 2;
/// The seed of the next thread's random numbers.
static NEXT_SEED: AtomicU64 = AtomicU64::new(1);
/// The requests kept so far.
static FOUND: Mutex<Option<Found>> = Mutex::new(None);
/// The number of addresses of each slot in `FOUND`: freeing any other address costs one load.
static SLOTS: [AtomicU16; 1 << 14] = [const { AtomicU16::new(0) }; 1 << 14];

/// Bytes requested by stack, and how many of them are live.
#[derive(Debug, Default)]
struct Found {
    /// Each stack's index into `samples` and `requested`.
    stacks: BTreeMap<Stack, usize>,
    samples: Vec<u64>,
    requested: Vec<f64>,
    /// For each live block, by address: the bytes charged to each stack. A block that grew has
    /// several stacks.
    live: HashMap<usize, Vec<(usize, f64)>>,
}

/// A thread's name, and return addresses, innermost first.
type Stack = (String, Vec<usize>);

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    /// Bytes until the next sample.
    static BYTES_LEFT: Cell<f64> = const { Cell::new(0.0) };
    /// State of the random numbers; 0 before the first draw.
    static RANDOM: Cell<u64> = const { Cell::new(0) };
    /// Whether a sample is being taken: the sampler's own allocations are not counted.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// The number of requests for memory that this thread has made.
pub fn allocations() -> u64 {
    CALLS.get()
}

/// Begins a profile.
pub(crate) fn start() {
    KEPT.store(SAMPLED, Relaxed);
}

/// Ends the profile, and writes `memory.folded` and `memory-live.folded`, both in bytes, and
/// `memory.json` into `dir`.
///
/// # Errors
/// The directory cannot be written.
pub(crate) fn stop(dir: &Path) -> anyhow::Result<()> {
    let found = take();
    let requested = found.folded(found.requested.iter().copied().enumerate());
    lab_files::write(&dir.join("memory.folded"), requested)?;
    lab_files::write(&dir.join("memory-live.folded"), found.live())?;
    let live: f64 = found.live.values().flatten().map(|(_, bytes)| bytes).sum();
    let notes = (live > 0.0).then(|| {
        format!(
            "{live:.0} of the bytes asked for live at the end: memory-live.folded has them by \
                 stack."
        )
    });
    let quality = ProfileQuality {
        kind: ProfileKind::Memory.name().into(),
        backend: "allocator".into(),
        samples: found.samples.iter().sum(),
        notes: notes.into_iter().collect(),
        ..ProfileQuality::default()
    };
    write_json(&dir.join("memory.json"), &quality)
}

/// Runs `work`, and returns as folded stacks the bytes that this process requested meanwhile and
/// that are live at the end. It is exact: every request is kept, at the cost of one stack walk
/// each. `None` during a memory profile, which reports live bytes itself.
pub fn live_bytes<T>(work: impl FnOnce() -> T) -> (T, Option<String>) {
    if KEPT.compare_exchange(NONE, EVERY, Relaxed, Relaxed).is_err() {
        return (work(), None);
    }
    let done = work();
    let found = take();
    (done, Some(found.live()))
}

/// Stops keeping requests, and returns those kept.
fn take() -> Found {
    KEPT.store(NONE, Relaxed);
    INSIDE.set(true);
    let mut kept = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let found = kept.take().unwrap_or_default();
    for address in found.live.keys() {
        slot(*address).fetch_sub(1, Relaxed);
    }
    drop(kept);
    INSIDE.set(false);
    found
}

impl Found {
    /// Live bytes as folded stacks.
    fn live(&self) -> String {
        self.folded(self.live.values().flatten().copied())
    }

    /// Folds bytes that are given by the index of their stack.
    fn folded(&self, bytes: impl Iterator<Item = (usize, f64)>) -> String {
        let mut sums = vec![0.0; self.samples.len()];
        bytes.for_each(|(stack, bytes)| sums[stack] += bytes);
        let mut names = BTreeMap::new();
        let mut lines: BTreeMap<String, f64> = BTreeMap::new();
        for ((thread, addresses), stack) in &self.stacks {
            if sums[*stack] > 0.0 {
                *lines.entry(fold(thread, addresses, &mut names)).or_default() += sums[*stack];
            }
        }
        lines.iter().map(|(line, bytes)| format!("{line} {bytes:.0}\n")).collect()
    }
}

// SAFETY: every call goes to the system's allocator with the arguments that it was given.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        let memory = unsafe { System.alloc(layout) };
        note(memory, layout.size(), Vec::new());
        memory
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        let memory = unsafe { System.alloc_zeroed(layout) };
        note(memory, layout.size(), Vec::new());
        memory
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        let mut before = forget(memory);
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        let moved = unsafe { System.realloc(memory, layout, bytes) };
        if moved.is_null() {
            note(memory, 0, before);
            return moved;
        }
        // Shrinking takes the same share from each stack.
        let left = (bytes as f64 / layout.size() as f64).min(1.0);
        before.iter_mut().for_each(|(_, bytes)| *bytes *= left);
        // Only the growth: the rest was counted when it was requested.
        note(moved, bytes.saturating_sub(layout.size()), before);
        moved
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // Before another thread can be given this address.
        drop_unseen(forget(memory));
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Counts a request for more bytes, which were given at `memory`, and keeps it if it is sampled.
/// `before` is what was charged for this memory already.
#[inline]
fn note(memory: *mut u8, bytes: usize, before: Vec<(usize, f64)>) {
    CALLS.set(CALLS.get() + 1);
    let kept = KEPT.load(Relaxed);
    if kept != NONE && !memory.is_null() && !INSIDE.replace(true) {
        keep(memory.addr(), kept, bytes, before);
        INSIDE.set(false);
    } else {
        drop_unseen(before);
    }
}

/// Forgets this memory, and returns what was charged for it.
#[inline]
fn forget(memory: *mut u8) -> Vec<(usize, f64)> {
    if slot(memory.addr()).load(Relaxed) == 0 || INSIDE.replace(true) {
        return Vec::new();
    }
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let known = found.as_mut().and_then(|found| found.live.remove(&memory.addr()));
    if known.is_some() {
        slot(memory.addr()).fetch_sub(1, Relaxed);
    }
    drop(found);
    INSIDE.set(false);
    known.unwrap_or_default()
}

/// Frees memory of the sampler itself, which is not counted.
#[inline]
fn drop_unseen(known: Vec<(usize, f64)>) {
    if known.capacity() > 0 {
        let inside = INSIDE.replace(true);
        drop(known);
        INSIDE.set(inside);
    }
}

fn slot(address: usize) -> &'static AtomicU16 {
    // Addresses are multiples of 16.
    &SLOTS[(address >> 4) % SLOTS.len()]
}

#[inline(never)]
fn keep(address: usize, kept: u8, bytes: usize, mut stands_for: Vec<(usize, f64)>) {
    let points = if kept == EVERY { u64::from(bytes > 0) } else { points_within(bytes) };
    if points == 0 && stands_for.is_empty() {
        return;
    }
    let stack = (points > 0).then(here);
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    // The profile may have ended meanwhile.
    if KEPT.load(Relaxed) != kept {
        return;
    }
    let found = found.get_or_insert_default();
    if let Some(stack) = stack {
        let next = found.stacks.len();
        let place = *found.stacks.entry(stack).or_insert(next);
        if place == next {
            found.samples.push(0);
            found.requested.push(0.0);
        }
        let bytes = if kept == EVERY { bytes as f64 } else { (points * BYTES_A_SAMPLE) as f64 };
        found.samples[place] += points;
        found.requested[place] += bytes;
        stands_for.push((place, bytes));
    }
    if found.live.insert(address, stands_for).is_none() {
        slot(address).fetch_add(1, Relaxed);
    }
}

/// The number of sampled points within these bytes.
fn points_within(bytes: usize) -> u64 {
    if RANDOM.get() == 0 {
        RANDOM.set(splitmix64(NEXT_SEED.fetch_add(1, Relaxed), 0) | 1);
        BYTES_LEFT.set(distance());
    }
    let mut left = BYTES_LEFT.get() - bytes as f64;
    let mut points = 0;
    while left < 0.0 {
        points += 1;
        left += distance();
    }
    BYTES_LEFT.set(left);
    points
}

/// Bytes to the next sampled point: exponential, from Marsaglia's xorshift (2003).
fn distance() -> f64 {
    let mut x = RANDOM.get();
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    RANDOM.set(x);
    // In (0, 1]: its logarithm is finite.
    let uniform = ((x >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    -uniform.ln() * BYTES_A_SAMPLE as f64
}

/// The stack of this thread.
fn here() -> Stack {
    let mut addresses = Vec::with_capacity(64);
    // SAFETY: `backtrace::trace` takes its lock only to protect dbghelp, on Windows.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            addresses.push(frame.ip().addr());
            true
        });
    }
    // In a thread that is ending, std's own copy of the name may be gone.
    let thread = rustix::thread::name()
        .map_or_else(|_| String::new(), |name| name.to_string_lossy().into_owned());
    (thread, addresses)
}

/// `thread;outermost;…;innermost`, without the allocator itself.
fn fold(thread: &str, addresses: &[usize], names: &mut BTreeMap<usize, Vec<String>>) -> String {
    let mut frames: Vec<String> = Vec::new();
    for address in addresses {
        frames.extend(names.entry(*address).or_insert_with(|| functions(*address)).iter().cloned());
    }
    // The innermost frames are the sampler's and the allocator's entry point. The entry point has
    // none where the compiler turned its call into a jump.
    let is_ours = |frame: &String| {
        ["Allocator", "note"]
            .iter()
            .any(|of| frame.contains(&format!("lab_kit::allocations::{of}")))
    };
    let ours = frames.iter().rposition(is_ours);
    let callers = frames.split_off(ours.map_or(0, |at| at + 1));
    let entry = callers.iter().take_while(|frame| frame.contains("__rust")).count();
    let outermost_first = callers[entry..].iter().rev().cloned();
    std::iter::once(plain(thread)).chain(outermost_first).collect::<Vec<_>>().join(";")
}

/// The functions at a return address, inlined ones first.
fn functions(address: usize) -> Vec<String> {
    let mut names = Vec::new();
    let address: *mut c_void = std::ptr::without_provenance_mut(address);
    backtrace::resolve(address, |symbol| {
        names.push(symbol.name().map_or("[unknown]".into(), |name| plain(&format!("{name:#}"))));
    });
    names
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[inline(never)]
    fn allocate_for_the_profile(times: usize, bytes: usize) {
        for _ in 0..times {
            drop(std::hint::black_box(vec![1_u8; bytes]));
        }
    }

    #[inline(never)]
    fn grow_for_the_profile(bytes: usize) {
        let mut grows = Vec::new();
        (0..bytes).for_each(|i| grows.push(i as u8));
        std::hint::black_box(grows);
    }

    /// Ends a profile, and says how many samples it has.
    fn samples(dir: &Path) -> u64 {
        stop(dir).unwrap();
        lab_record::read_json::<ProfileQuality>(&dir.join("memory.json")).unwrap().samples
    }

    /// Bytes charged to stacks with this function.
    fn charged(folded: &str, function: &str) -> f64 {
        let lines = folded.lines().filter(|line| line.contains(function));
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
    }

    /// Requests are kept for the whole process: tests take turns.
    static TURN: Mutex<()> = Mutex::new(());

    #[inline(never)]
    fn keep_for_the_test(times: usize, bytes: usize) -> Vec<Vec<u8>> {
        (0..times).map(|_| std::hint::black_box(vec![1_u8; bytes])).collect()
    }

    #[inline(never)]
    fn grow_for_the_test(memory: &mut Vec<u8>, bytes: usize) {
        memory.reserve_exact(bytes);
        std::hint::black_box(memory);
    }

    #[test]
    fn live_memory_is_attributed_to_stacks_to_the_byte() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let ((leaked, mut grown), live) = live_bytes(|| {
            allocate_for_the_profile(1_000, 4_096);
            let mut all = keep_for_the_test(100, 1_000);
            // Another thread frees nine tenths of them.
            let freed = all.split_off(10);
            std::thread::scope(|scope| drop(scope.spawn(move || drop(freed))));
            let mut grown = keep_for_the_test(1, 5_000).remove(0);
            grow_for_the_test(&mut grown, 7_000);
            (all, grown)
        });
        let live = live.expect("no profile is taken");
        assert_eq!(charged(&live, "allocate_for_the_profile"), 0.0, "{live}");
        // Ten of 1,000 bytes, one of 5,000, and the list itself, which was made for a hundred.
        let list = 100.0 * size_of::<Vec<u8>>() as f64;
        assert_eq!(charged(&live, "keep_for_the_test"), 15_000.0 + list, "{live}");
        assert_eq!(charged(&live, "grow_for_the_test"), 7_000.0, "{live}");
        let ours = live.lines().find(|line| line.contains("lab_kit::allocations::keep"));
        assert_eq!(ours, None);

        // Freed and grown afterwards, they are no longer counted.
        let again = live_bytes(|| {
            drop(leaked);
            grow_for_the_test(&mut grown, 20_000);
        });
        assert_eq!(charged(&again.1.unwrap(), "keep_for_the_test"), 0.0);
    }

    #[test]
    fn a_memory_profile_reports_what_is_live_at_its_end() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = tempfile::tempdir().unwrap();
        start();
        let kept = keep_for_the_test(64, 1 << 20);
        allocate_for_the_profile(64, 1 << 20);
        assert_eq!(live_bytes(|| ()).1, None, "the profile has it");
        stop(dir.path()).unwrap();
        drop(kept);
        let live = fs::read_to_string(dir.path().join("memory-live.folded")).unwrap();
        let ratio = charged(&live, "keep_for_the_test") / f64::from(64 << 20);
        assert!((0.9..1.1).contains(&ratio), "{ratio} of what lived");
        assert_eq!(charged(&live, "allocate_for_the_profile"), 0.0, "{live}");
    }

    #[test]
    fn bytes_are_charged_to_the_function_that_allocates_them_for_any_size() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = tempfile::tempdir().unwrap();
        start();
        // 64 MiB each: 4,096 samples, with a standard error of 64. The harness's own tests may
        // allocate meanwhile.
        allocate_for_the_profile(1 << 20, 64);
        let small = "allocate_for_the_profile";
        std::thread::scope(|scope| drop(scope.spawn(|| grow_for_the_profile(64 << 20))));
        let samples = samples(dir.path());
        let folded = fs::read_to_string(dir.path().join("memory.folded")).unwrap();
        let all = (64 << 20) as f64;
        for function in [small, "grow_for_the_profile"] {
            let ratio = charged(&folded, function) / all;
            assert!((0.9..1.1).contains(&ratio), "{function}: {ratio} of what it allocated");
        }
        assert!(samples >= 8_000, "{samples}");
        assert!(!folded.contains("lab_kit::allocations::keep"), "{folded}");

        allocate_for_the_profile(1 << 10, 1 << 20);
        assert_eq!(self::samples(dir.path()), 0, "no profile was requested");
    }

    #[test]
    fn each_request_for_memory_is_counted() {
        let before = allocations();
        allocate_for_the_profile(10, 8);
        assert_eq!(allocations() - before, 10);
    }
}
