//! Loads and stores: of each memory order, and beside a second thread that uses the same cache
//! line, or another one.

use std::hint::{black_box, spin_loop};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread::scope;
use std::time::Instant;

use lab_kit::rows::{Row, measure, medians};
use lab_kit::thread::{first_and_last_cpu, meanwhile_on, pin_to};
use lab_kit::{Ctx, CurveKind};

/// The curves over the bytes between two threads.
pub(crate) const BESIDE_STORES: &str = "loads beside stores";
pub(crate) const BESIDE_ADDITIONS: &str = "additions beside additions";

const DISTANCES: [usize; 11] = [8, 16, 32, 48, 56, 64, 72, 96, 128, 192, 256];
/// Bytes for each cell if they are padded: two lines, since some processors fetch them in pairs.
const PADDED: usize = 128;

/// Operations in a turn, so that it takes a millisecond: what a thread disturbs by its start and
/// end counts little. Of slow ones, a tenth.
const TURN: u64 = 2_000_000;
const SLOW: u64 = TURN / 10;
/// What a second thread does before it looks whether it is to stop.
const BURST: u64 = 1_000;

/// An operation on a cell, this many times.
pub type Operation = fn(&AtomicU64, u64);

/// The operations by their metrics.
pub const OPERATIONS: [(&str, Operation); 8] = [
    // SAFETY: the cell lives, and no other thread writes to it.
    ("plain_load", |cell, n| repeat(n, |_| unsafe { cell.as_ptr().read_volatile() })),
    ("relaxed_load", LOADS),
    ("acquire_load", |cell, n| repeat(n, |_| cell.load(Acquire))),
    ("relaxed_store", STORES),
    ("release_store", RELEASES),
    ("seqcst_store", |cell, n| repeat(n, |i| cell.store(i, SeqCst))),
    ("addition", ADDITIONS),
    ("failing_exchange", FAILING),
];

const LOADS: Operation = |cell, n| repeat(n, |_| cell.load(Relaxed));
const STORES: Operation = |cell, n| repeat(n, |i| cell.store(i, Relaxed));
const RELEASES: Operation = |cell, n| repeat(n, |i| cell.store(i, Release));
const ADDITIONS: Operation = |cell, n| repeat(n, |_| cell.fetch_add(1, Relaxed));
const ADDITIONS_OF_0: Operation = |cell, n| repeat(n, |_| cell.fetch_add(0, Relaxed));
/// No thread stores the expected value, so no exchange succeeds.
const FAILING: Operation =
    |cell, n| repeat(n, |_| cell.compare_exchange(u64::MAX, 0, Relaxed, Relaxed));

fn repeat<T>(times: u64, operation: impl Fn(u64) -> T) {
    for i in 0..times {
        black_box(operation(i));
    }
}

/// Eight products at a time, of no memory: they leave the second thread of a core no multiplier.
fn products(_: &AtomicU64, times: u64) {
    let mut all: [u64; 8] = black_box([3; 8]);
    for _ in 0..times / 8 {
        all.iter_mut().for_each(|x| *x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 1);
    }
    black_box(all);
}

/// The operations one by one, by one thread.
pub(crate) fn orders(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (cell, relaxed, seqcst) =
        (AtomicU64::new(0), ctx.text("load") == "relaxed", ctx.text("strongest") == "seqcst");
    let row = |(name, operation): (&'static str, Operation)| {
        let operation = match name {
            "relaxed_load" if !relaxed => ADDITIONS_OF_0,
            "seqcst_store" if !seqcst => RELEASES,
            _ => operation,
        };
        let cell = &cell;
        Row::new(name, 0, SLOW, move || {
            operation(cell, SLOW);
            Ok(())
        })
    };
    measure(ctx, OPERATIONS.map(row).into())
}

/// Loads of a cell: alone, and beside a second thread that loads, stores or fails to exchange what
/// is at `distance`.
pub(crate) fn beside(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some(pair) = Pair::new(ctx) else { return Ok(()) };
    let at = ctx.int("distance") as usize;
    let quiet = if ctx.text("quiet") == "loads" { LOADS } else { STORES };
    let others = [None, Some((quiet, 0)), Some((STORES, at)), Some((FAILING, at))];
    let mut rows = others.map(|other| pair.row(LOADS, TURN, other)).into();
    for (name, ns) in BESIDE.iter().zip(pair.medians(ctx, &mut rows)?) {
        ctx.metric(name, ns, "ns");
    }
    Ok(())
}

const BESIDE: [&str; 4] = ["alone", "beside_loads", "beside_stores", "beside_exchanges"];

/// Loads beside stores, and additions beside additions, at growing distances.
pub(crate) fn distances(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some(pair) = Pair::new(ctx) else { return Ok(()) };
    let padded = ctx.text("neighbours") == "padded";
    let place = |distance: usize| if padded { distance.next_multiple_of(PADDED) } else { distance };
    let mut rows = Vec::new();
    for (own, other, turn) in [(LOADS, STORES, TURN), (ADDITIONS, ADDITIONS, SLOW)] {
        rows.push(pair.row(own, turn, None));
        rows.extend(DISTANCES.map(|at| pair.row(own, turn, Some((other, place(at))))));
    }
    let times = pair.medians(ctx, &mut rows)?;
    let curves = [BESIDE_STORES, BESIDE_ADDITIONS].into_iter();
    for (name, times) in curves.zip(times.chunks(1 + DISTANCES.len())) {
        let (alone, beside) = (times[0], &times[1..]);
        let points = DISTANCES.iter().zip(beside).map(|(at, ns)| (*at as f64, ns / alone));
        ctx.curve(name, CurveKind::Measured, ["B", "times alone"], points.collect());
    }
    Ok(())
}

/// The first CPU and the last; with one alone, the trial is unavailable.
pub(crate) fn two_cpus(ctx: &mut Ctx) -> Option<[usize; 2]> {
    let (first, last) = first_and_last_cpu();
    if last.is_none() {
        ctx.unavailable("on one CPU no thread runs beside another", "");
    }
    Some([first, last?])
}

/// How many times as long a thread may take on one CPU while another runs on the other, before the
/// two count as one core.
const ONE_CORE: f64 = 1.25;

/// Two CPUs, and lines of memory at the beginning of a page.
#[repr(align(4096))]
struct Pair {
    cells: [AtomicU64; 64],
    cpus: [usize; 2],
}

impl Pair {
    fn new(ctx: &mut Ctx) -> Option<Self> {
        Some(Self { cells: [const { AtomicU64::new(0) }; 64], cpus: two_cpus(ctx)? })
    }

    /// Times an operation on the first cell, while another thread does the other one at a distance
    /// in bytes.
    fn row(&self, own: Operation, turn: u64, other: Option<(Operation, usize)>) -> Row<'_> {
        Row::timed("", 0, turn, move || {
            let (begun, stop) = (AtomicBool::new(false), AtomicBool::new(false));
            Ok(scope(|scope| {
                if let Some((other, at)) = other {
                    let (begun, stop) = (&begun, &stop);
                    scope.spawn(move || {
                        pin_to(self.cpus[1]);
                        while !stop.load(Relaxed) {
                            other(&self.cells[at / size_of::<AtomicU64>()], BURST);
                            begun.store(true, Relaxed);
                        }
                    });
                    while !begun.load(Relaxed) {
                        spin_loop();
                    }
                }
                let from = Instant::now();
                own(&self.cells[0], turn);
                let took = from.elapsed();
                stop.store(true, Relaxed);
                took
            }))
        })
    }

    /// The rows' medians. If the two CPUs turn out to be one core's, which hides what lines cost,
    /// the trial is unavailable.
    fn medians<'a>(&'a self, ctx: &mut Ctx, rows: &mut Vec<Row<'a>>) -> anyhow::Result<Vec<f64>> {
        rows.push(self.row(products, TURN, None));
        rows.push(self.row(products, TURN, Some((products, 0))));
        let mut times = meanwhile_on(&self.cpus[..1], || medians(ctx, rows))?;
        if let (Some(beside), Some(alone)) = (times.pop(), times.pop()) {
            let slower = beside / alone;
            ctx.metric("multiplying_beside", slower, "times");
            if slower > ONE_CORE {
                let [here, there] = self.cpus;
                let reason = format!(
                    "CPU {here} multiplies {slower:.1} times as slowly while CPU {there} does: they \
                     share a core, which moves no lines, or others use them"
                );
                ctx.unavailable(reason, "");
            }
        }
        Ok(times)
    }
}
