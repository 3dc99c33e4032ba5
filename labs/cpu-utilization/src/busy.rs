//! Loops that keep a CPU busy, and what they get done.

use std::hint::black_box;
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_kit::memory::has_room;
use lab_kit::rows::{Row, medians};
use lab_kit::stats::median;
use lab_kit::thread::cpu_time;
use lab_kit::{Clock, Ctx, CurveKind};

use crate::loops::{LOOPS, Line, Loop, chase, memory};

/// The curve of the time of a step of a chase, by the memory that it goes through.
pub(crate) const STEP: &str = "chase";

/// Steps in a turn: a tenth of a millisecond of the fastest loop, so that reading clocks counts
/// little.
const TURN: u64 = 50_000;
const KIB: usize = 1 << 10;
/// What random numbers are drawn for.
const ORDER: u64 = 0;

/// One loop, until the span is over: how busy its thread was, and the CPU time of a step.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some(memory) = wanted(ctx)? else { return Ok(()) };
    let (work, sleeps) = (loop_of(ctx.text("loop")), ctx.text("between") == "sleep");
    let (mut state, mut steps, clock) = (0, 0, Clock::live());
    ctx.began(clock);
    let ran = cpu_time();
    while clock.now() < ctx.timeline().span() {
        let turn = Instant::now();
        state = black_box(work(&memory, state, TURN));
        steps += TURN;
        if sleeps {
            sleep(turn.elapsed());
        }
    }
    let (wall, cpu) = (clock.now(), cpu_time() - ran);
    ctx.metric("busy", cpu.as_secs_f64() / wall.as_secs_f64(), "ratio");
    ctx.metric("step", cpu.as_nanos() as f64 / steps as f64, "ns");
    Ok(())
}

/// A chase through more and more memory: the instructions stay the same.
pub(crate) fn sizes(ctx: &mut Ctx) -> anyhow::Result<()> {
    let most = ctx.int("set-kib") as usize * KIB;
    if !has_room(ctx, 2 * most as u64)? {
        return Ok(());
    }
    let sizes: Vec<usize> = std::iter::successors(Some(4 * KIB), |bytes| Some(2 * bytes))
        .take_while(|b| *b <= most)
        .collect();
    let (span, mut rng) = (ctx.timeline().span() / sizes.len() as u32, ctx.rng(&[ORDER]));
    let mut points = Vec::new();
    for bytes in sizes {
        let memory = memory(bytes, &mut rng);
        points.push(((bytes / KIB) as f64, step_of_chase(&memory, span)));
    }
    let (least, most) = (points[0].1, points[points.len() - 1].1);
    ctx.metric("least", least, "ns");
    ctx.metric("most", most, "ns");
    ctx.metric("waits", 1.0 - least / most, "ratio");
    ctx.curve(STEP, CurveKind::Measured, ["KiB", "ns"], points);
    Ok(())
}

/// The CPU time of a step, in ns: the median of some turns, after a first one that fills the
/// caches.
fn step_of_chase(memory: &[Line], span: Duration) -> f64 {
    let (mut at, mut turns, begun) = (chase(memory, 0, TURN), Vec::new(), Instant::now());
    while turns.len() < 3 || begun.elapsed() < span {
        let from = cpu_time();
        at = black_box(chase(memory, at, TURN));
        turns.push((cpu_time() - from).as_nanos() as f64 / TURN as f64);
    }
    median(turns).unwrap_or_default()
}

/// All loops in turns, and the point halfway between the two that calibrate.
pub(crate) fn calibrate(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some(memory) = wanted(ctx)? else { return Ok(()) };
    let row = |(name, _, work): (&'static str, _, Loop)| {
        let (memory, mut state) = (&memory, 0);
        Row::timed(name, 0, TURN, move || {
            let from = cpu_time();
            state = black_box(work(memory, state, TURN));
            Ok(cpu_time() - from)
        })
    };
    let steps = medians(ctx, &mut LOOPS.map(row))?;
    for ((name, ..), ns) in LOOPS.iter().zip(&steps) {
        ctx.metric(name, *ns, "ns");
    }
    ctx.metric("midpoint", midpoint(steps[0], steps[1]), "ns");
    Ok(())
}

/// As many times the one as the other is times it. The mean of 1.5 ns and 200 ns is 100 ns, and
/// would call fast what takes 60 times as long as the fast loop.
fn midpoint(fast: f64, slow: f64) -> f64 {
    (fast * slow).sqrt()
}

pub(crate) fn loop_of(name: &str) -> Loop {
    let found = LOOPS.iter().find(|(known, ..)| *known == name);
    found.expect("the knob has no other option").2
}

/// The memory of the loops; `None` if there is no room for it.
pub(crate) fn wanted(ctx: &mut Ctx) -> anyhow::Result<Option<Vec<Line>>> {
    let bytes = ctx.int("set-kib") as usize * KIB;
    if !has_room(ctx, bytes as u64)? {
        return Ok(None);
    }
    Ok(Some(memory(bytes, &mut ctx.rng(&[ORDER]))))
}
