//! A heap that is filled, emptied and filled again: what is seen of that, and what it costs to see
//! it.

use std::alloc::{GlobalAlloc as _, Layout, System, alloc, dealloc};
use std::hint::black_box;
use std::time::Duration;

use lab_kit::thread::{Usage, cpu_time};
use lab_kit::{Ctx, CurveKind, allocations, live_bytes, memory};

/// How often the heap is filled.
const PASSES: usize = 5;
/// One block in this many is filled again to be watched.
const WATCHED: usize = 8;

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (bytes, block) = ((ctx.int("heap-mib") as usize) << 20, ctx.int("block") as usize);
    if block > bytes {
        ctx.unavailable("a block is larger than the heap", "a smaller block, or a larger heap-mib");
        return Ok(());
    }
    // Blocks have heads, and a watched one has an account.
    if !memory::has_room(ctx, 3 * bytes as u64)? {
        return Ok(());
    }
    let count = bytes / block;
    let mut heap = Heap { blocks: Vec::with_capacity(count), block };
    let first = heap.fill(count);
    // The last block stays above all others: the heap does not shrink when they are freed.
    let pin = heap.blocks.pop();
    heap.blocks.clear();
    let again: Vec<Filled> = (1..PASSES).map(|_| heap.fill_and_free(count)).collect();
    let (watched, told) = live_bytes(|| heap.fill_and_free(count.div_ceil(WATCHED)));
    drop(pin);
    ctx.metric("requests", first.requests as f64, "count");
    ctx.metric("faults", first.faults as f64, "count");
    ctx.metric("faults_again", again[0].faults as f64, "count");
    ctx.metric("requests_per_fault", first.requests as f64 / first.faults.max(1) as f64, "ratio");
    // A profile of memory watches by itself.
    if told.is_some() {
        let unwatched = again.iter().map(Filled::of_each).fold(f64::INFINITY, f64::min);
        let slower = watched.of_each() / unwatched;
        ctx.metric("watched_slower", slower, "times");
    }
    let faults = [first].into_iter().chain(again).enumerate();
    let points = faults.map(|(pass, filled)| ((pass + 1) as f64, filled.faults as f64)).collect();
    ctx.curve("faults", CurveKind::Measured, ["pass", "count"], points);
    ctx.metric("allocator_cost", cost_of_counting(), "ns");
    Ok(())
}

struct Heap {
    blocks: Vec<Vec<u8>>,
    block: usize,
}

/// What was seen of a heap being filled.
struct Filled {
    blocks: usize,
    /// Including those that watching makes, if the heap is watched.
    requests: u64,
    faults: u64,
    /// CPU time.
    took: Duration,
}

impl Filled {
    /// CPU seconds of a block: to ask for it, and to write to it.
    fn of_each(&self) -> f64 {
        self.took.as_secs_f64() / self.blocks as f64
    }
}

impl Heap {
    fn fill_and_free(&mut self, count: usize) -> Filled {
        let filled = self.fill(count);
        self.blocks.clear();
        filled
    }

    /// The name of this function is what stands in flame graphs.
    #[inline(never)]
    fn fill(&mut self, count: usize) -> Filled {
        let (requests, faults, began) = (allocations(), Usage::here().minor_faults, cpu_time());
        for _ in 0..count {
            self.blocks.push(black_box(vec![1; self.block]));
        }
        Filled {
            blocks: count,
            took: cpu_time() - began,
            faults: Usage::here().minor_faults - faults,
            requests: allocations() - requests,
        }
    }
}

/// What the kit's allocator adds to a request that is not watched, and to freeing it, in
/// nanoseconds.
fn cost_of_counting() -> f64 {
    const TIMES: u32 = 100_000;
    let layout = Layout::new::<[u64; 8]>();
    let timed = |request: &dyn Fn()| {
        let once = || {
            let began = cpu_time();
            (0..TIMES).for_each(|_| request());
            cpu_time() - began
        };
        (0..5).map(|_| once()).min().unwrap_or_default().as_secs_f64()
    };
    // SAFETY: the layout has a size, and each block is freed once, by its own allocator.
    let counted = timed(&|| unsafe { dealloc(black_box(alloc(layout)), layout) });
    // SAFETY: as above.
    let plain = timed(&|| unsafe { System.dealloc(black_box(System.alloc(layout)), layout) });
    (counted - plain) / f64::from(TIMES) * 1e9
}
