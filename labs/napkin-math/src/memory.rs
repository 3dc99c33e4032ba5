//! Reading memory in order, at random, and at places that depend on each other; and in order with
//! several threads.

use std::hint::black_box;
use std::io;

use lab_kit::Ctx;
use lab_kit::cpus;
use lab_kit::memory::has_room;
use lab_kit::rows::{Row, measure};
use lab_kit::thread::{meanwhile_on, pin_to};

use crate::loops::{Line, ReadSome, at_random, in_order, memory, one_by_one};

/// Lines read in a turn, which takes some milliseconds.
const LINES: u64 = 100_000;
const LINE: usize = size_of::<Line>();

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some(memory) = wanted(ctx)? else { return Ok(()) };
    let lines = memory.len() as u64;
    let prefetched = ctx.text("order") == "kept";
    let at_once: ReadSome = if ctx.text("reads") == "at-once" { at_random } else { one_by_one };
    let some = |name, read: ReadSome| {
        let (memory, mut from) = (&memory, 0);
        Row::new(name, LINE, LINES, move || {
            black_box(read(memory, from, LINES));
            from += LINES;
            Ok(())
        })
    };
    let sequential = if prefetched {
        // A turn takes several passes over a small memory.
        let passes = LINES.div_ceil(lines);
        let memory = &memory;
        Row::new("sequential", LINE, passes * lines, move || {
            for _ in 0..passes {
                black_box(in_order(memory));
            }
            Ok(())
        })
    } else {
        some("sequential", at_random)
    };
    measure(ctx, vec![sequential, some("random", at_once), some("dependent", one_by_one)])
}

/// Each thread reads its own part of the memory.
pub(crate) fn threads(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some(memory) = wanted(ctx)? else { return Ok(()) };
    let threads = ctx.int("threads") as usize;
    let Some(cpus) = cpus::take(ctx, threads, "threads") else { return Ok(()) };
    let read_by = |name, cpus: Vec<usize>| {
        let memory = &memory;
        Row::new(name, LINE, memory.len() as u64, move || read(memory, &cpus))
    };
    measure(ctx, vec![read_by("one_thread", cpus[..1].to_vec()), read_by("threaded", cpus)])
}

fn read(memory: &[Line], cpus: &[usize]) -> io::Result<()> {
    let (Some((here, others)), part) = (cpus.split_first(), memory.len().div_ceil(cpus.len()))
    else {
        return Ok(());
    };
    let mut parts = memory.chunks(part);
    let own = parts.next().unwrap_or_default();
    std::thread::scope(|scope| {
        for (cpu, part) in others.iter().zip(parts) {
            scope.spawn(move || {
                pin_to(*cpu);
                black_box(in_order(part));
            });
        }
        meanwhile_on(&[*here], || black_box(in_order(own)));
    });
    Ok(())
}

/// The memory to read; `None` if there is no room for it.
fn wanted(ctx: &mut Ctx) -> anyhow::Result<Option<Vec<Line>>> {
    let bytes = (ctx.int("memory-kib") as usize) << 10;
    Ok(has_room(ctx, bytes as u64)?.then(|| memory(bytes)))
}
