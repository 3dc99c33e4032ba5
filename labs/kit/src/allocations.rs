//! Where a program allocates: the allocator of every lab, which samples when a profile is asked for.
//!
//! A point falls on the axis of allocated bytes every [`BYTES_A_SAMPLE`] on average, at exponential
//! distances, so that nothing marches in step with it, and the stack that allocates there is charged
//! with that many bytes: the sum of all is what was allocated, without bias, whatever the sizes.
//! Between profiles an allocation costs a count and a load more than the system's own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use lab_record::{ProfileKind, ProfileQuality, write_json};

use crate::profile::plain;

/// Bytes between two samples, on average.
const BYTES_A_SAMPLE: u64 = 16 * 1024;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// The system's allocator, counted.
struct Allocator;

/// Whether samples are taken.
static SAMPLING: AtomicBool = AtomicBool::new(false);
/// What the next thread begins its luck with.
static NEXT_SEED: AtomicU64 = AtomicU64::new(1);
/// Samples by thread and return addresses, innermost first.
static FOUND: Mutex<BTreeMap<(String, Vec<usize>), u64>> = Mutex::new(BTreeMap::new());

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    /// Bytes to the next sample.
    static BYTES_LEFT: Cell<f64> = const { Cell::new(0.0) };
    /// Nought before the first draw.
    static LUCK: Cell<u64> = const { Cell::new(0) };
    /// A sample is being taken: what that allocates is not the lab's.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// How often this thread has asked for memory so far.
pub fn allocations() -> u64 {
    CALLS.get()
}

/// Begins a profile.
pub(crate) fn start() {
    SAMPLING.store(true, Relaxed);
}

/// Ends it, and writes `memory.folded` (bytes) and `memory.json` into `dir`.
///
/// # Errors
/// The directory cannot be written.
pub(crate) fn stop(dir: &Path) -> anyhow::Result<()> {
    SAMPLING.store(false, Relaxed);
    INSIDE.set(true);
    let found = std::mem::take(&mut *FOUND.lock().unwrap_or_else(PoisonError::into_inner));
    INSIDE.set(false);
    let mut names = BTreeMap::new();
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    for ((thread, addresses), samples) in &found {
        *lines.entry(fold(thread, addresses, &mut names)).or_default() += samples;
    }
    let text: String =
        lines.iter().map(|(line, n)| format!("{line} {}\n", n * BYTES_A_SAMPLE)).collect();
    lab_files::write(&dir.join("memory.folded"), text)?;
    let quality = ProfileQuality {
        kind: ProfileKind::Memory.name().into(),
        backend: "allocator".into(),
        samples: lines.values().sum(),
        ..ProfileQuality::default()
    };
    write_json(&dir.join("memory.json"), &quality)
}

// SAFETY: every call goes to the system's allocator with the arguments that it was given.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as the caller promised for us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as the caller promised for us.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // What it grows by: the rest was counted when it was asked for.
        note(bytes.saturating_sub(layout.size()));
        // SAFETY: as the caller promised for us.
        unsafe { System.realloc(memory, layout, bytes) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised for us.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[inline]
fn note(bytes: usize) {
    CALLS.set(CALLS.get() + 1);
    if SAMPLING.load(Relaxed) && !INSIDE.replace(true) {
        draw(bytes);
        INSIDE.set(false);
    }
}

/// Counts the points that fall within these bytes, and keeps the stack if there are any.
#[inline(never)]
fn draw(bytes: usize) {
    if LUCK.get() == 0 {
        LUCK.set(NEXT_SEED.fetch_add(1, Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        BYTES_LEFT.set(distance());
    }
    let mut left = BYTES_LEFT.get() - bytes as f64;
    let mut points = 0;
    while left < 0.0 {
        points += 1;
        left += distance();
    }
    BYTES_LEFT.set(left);
    if points > 0 {
        keep(points);
    }
}

/// To the next point: exponential, from Marsaglia's xorshift (2003).
fn distance() -> f64 {
    let mut x = LUCK.get();
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    LUCK.set(x);
    // In (0, 1]: its logarithm is finite.
    let uniform = ((x >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    -uniform.ln() * BYTES_A_SAMPLE as f64
}

fn keep(points: u64) {
    let mut addresses = Vec::with_capacity(64);
    // SAFETY: what `backtrace::trace` locks against is dbghelp, on Windows.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            addresses.push(frame.ip().addr());
            true
        });
    }
    // The thread may be ending: std's own name of it may be gone already.
    let thread = rustix::thread::name()
        .map_or_else(|_| String::new(), |name| name.to_string_lossy().into_owned());
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    *found.entry((thread, addresses)).or_default() += points;
}

/// `thread;outermost;…;innermost`, without the allocator itself.
fn fold(thread: &str, addresses: &[usize], names: &mut BTreeMap<usize, Vec<String>>) -> String {
    let mut frames: Vec<String> = Vec::new();
    for address in addresses {
        frames.extend(names.entry(*address).or_insert_with(|| functions(*address)).iter().cloned());
    }
    // Innermost come the sampler and the allocator's entry points.
    let ours = frames.iter().rposition(|frame| frame.contains("lab_kit::allocations::Allocator"));
    let callers = frames.split_off(ours.map_or(0, |at| at + 1));
    let entry = callers.iter().take_while(|frame| frame.contains("__rust")).count();
    let outermost_first = callers[entry..].iter().rev().cloned();
    std::iter::once(plain(thread)).chain(outermost_first).collect::<Vec<_>>().join(";")
}

/// The functions at a return address, those that were inlined there first.
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

    #[test]
    fn bytes_are_charged_to_whoever_allocates_them_whatever_their_size() {
        let dir = tempfile::tempdir().unwrap();
        start();
        // 64 MiB each: 4,096 samples, of which a standard error is 64. The harness's own tests may allocate meanwhile.
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
        assert!(!folded.contains("lab_kit::allocations::draw"), "{folded}");

        allocate_for_the_profile(1 << 10, 1 << 20);
        assert_eq!(self::samples(dir.path()), 0, "nobody asked for a profile");
    }

    #[test]
    fn each_request_for_memory_is_counted() {
        let before = allocations();
        allocate_for_the_profile(10, 8);
        assert_eq!(allocations() - before, 10);
    }
}
