//! A server that answers requests. Two of its functions keep what they should free.

use std::hint::black_box;
use std::mem::forget;

use lab_kit::{Ctx, live_bytes};

/// Requests that it answers.
pub(crate) const ANSWERED: usize = 1_000;
/// Bytes that each leaves in the cache.
pub(crate) const REMEMBERED: usize = 96;
/// A session is opened after this many requests, of this many bytes.
pub(crate) const PER_SESSION: usize = 50;
pub(crate) const SESSION: usize = 4_096;

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let leaks = ctx.text("leak") == "yes";
    let ((), folded) = live_bytes(|| (0..ANSWERED).for_each(|number| answer(number, leaks)));
    let Some(folded) = folded else {
        ctx.unavailable("a profile of memory has what lives", "run it without --profile memory");
        return Ok(());
    };
    for (metric, function) in [
        ("remembered", "leak::remember"),
        ("sessions", "leak::open_session"),
        ("parsed", "leak::parse"),
    ] {
        ctx.metric(metric, live_of(&folded, function), "B");
    }
    ctx.keep("leak.folded", &folded)
}

/// Bytes of the stacks that have this function.
fn live_of(folded: &str, function: &str) -> f64 {
    let bytes = |line: &str| line.rsplit_once(' ')?.1.parse::<f64>().ok();
    folded
        .lines()
        .filter(|line| line.contains(function))
        .filter_map(bytes)
        .fold(0.0, |sum, more| sum + more)
}

#[inline(never)]
fn answer(number: usize, leaks: bool) {
    parse();
    remember(leaks);
    if number.is_multiple_of(PER_SESSION) {
        open_session(leaks);
    }
}

/// By far the most is asked for here, and all of it is freed.
#[inline(never)]
fn parse() {
    drop(black_box(vec![1_u8; 64 << 10]));
}

#[inline(never)]
fn remember(leaks: bool) {
    keep(black_box(vec![1_u8; REMEMBERED]), leaks);
}

#[inline(never)]
fn open_session(leaks: bool) {
    keep(black_box(vec![1_u8; SESSION]), leaks);
}

fn keep(memory: Vec<u8>, leaks: bool) {
    if leaks {
        forget(memory);
    }
}
