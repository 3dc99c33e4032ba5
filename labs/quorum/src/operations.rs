//! A client's operations on its replicas: one each millisecond, or at the rate that a load gives.

use lab_kit::sim::{Nanos, Profile, Spacing};
use lab_kit::{Ctx, Series};

use crate::replicas::{Replicas, kth};

/// Operations a second if replicas have no queue.
const RATE: f64 = 1_000.0;
/// Purposes of random numbers, each with a stream of its own.
const ARRIVALS: u64 = 100;
/// Offsets of replica numbers: for a write, for the read after it, and for the pieces of a block.
const WRITE: u64 = 1_000;
const READ: u64 = 2_000;
const PIECES: u64 = 3_000;

/// Asks all replicas; an operation ends when `wait-for` have answered.
pub(crate) fn quorum(ctx: &mut Ctx, series: &str) -> anyhow::Result<()> {
    let (of, wait_for) = (ctx.int("replicas"), ctx.int("wait-for"));
    if wait_for > of {
        ctx.invalid(format!("waits for {wait_for} of {of} replicas: no operation ends"));
        return Ok(());
    }
    let replicas = Replicas::of(ctx.settings(), ctx.seed())?;
    let load = ctx.float("load");
    let mut free_at = vec![0.0_f64; of as usize];
    let mut tally = Tally::new(ctx);
    for (operation, at) in starts(ctx, &replicas)? {
        let answers = (0..of).filter_map(|replica| {
            let work = replicas.answer(operation, replica)?;
            if load == 0.0 {
                return Some(work);
            }
            // First come, first served: a request begins when those before it have ended (Lindley
            // 1952).
            let free_at = &mut free_at[replica as usize];
            *free_at = free_at.max(at as f64) + work;
            Some(*free_at - at as f64)
        });
        tally.count(at, kth(wait_for, answers));
    }
    tally.file(ctx, series)
}

/// Asks a chain of services, one after another, and the same chain without its slow mode.
pub(crate) fn chain(ctx: &mut Ctx) -> anyhow::Result<()> {
    let of = ctx.int("replicas");
    let replicas = Replicas::of(ctx.settings(), ctx.seed())?;
    let never_slow = replicas.never_slow();
    let mut tally = Tally::new(ctx);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for (operation, at) in starts(ctx, &replicas)? {
        let sum = |of_these: &Replicas| -> Option<f64> {
            (0..of).map(|service| of_these.answer(operation, service)).sum()
        };
        let took = sum(&replicas);
        tally.count(at, took);
        with.extend(took);
        without.extend(sum(&never_slow));
    }
    ctx.metric("variance_ratio", variance(&with) / variance(&without).max(1.0), "times");
    tally.file(ctx, "call")
}

fn variance(values: &[f64]) -> f64 {
    let of = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / of;
    values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / of
}

/// Reads a block from the server that has it. If that takes a while, it also asks others for their
/// pieces, of which `pieces` are enough to rebuild the block.
pub(crate) fn rebuild(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (pieces, asked) = (ctx.int("pieces"), ctx.int("asked"));
    if pieces > asked {
        ctx.invalid(format!("takes {pieces} pieces to rebuild a block, and asks for {asked}"));
        return Ok(());
    }
    let after = ctx.duration("rebuild-after").as_nanos() as f64;
    let replicas = Replicas::of(ctx.settings(), ctx.seed())?;
    let mut tally = Tally::new(ctx);
    let (mut sent, mut reads) = (0, 0_u64);
    for (operation, at) in starts(ctx, &replicas)? {
        let block = replicas.answer(operation, 0);
        let rebuilds = block.is_none_or(|took| took > after);
        let others = (0..asked).filter_map(|i| replicas.answer(operation, PIECES + i));
        let rebuilt = rebuilds.then(|| kth(pieces, others)).flatten();
        reads += 1;
        sent += if rebuilds { asked } else { 0 };
        tally.count(at, first(block, rebuilt.map(|took| after + took)));
    }
    ctx.metric("pieces_per_read", sent as f64 / reads.max(1) as f64, "");
    tally.file(ctx, "read")
}

fn first(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).min_by(f64::total_cmp)
}

/// Writes to all replicas, which ends when `write` have answered, and at once reads from the `read`
/// that answer first. Half of an answer's time is the way to the replica.
pub(crate) fn read_after_write(ctx: &mut Ctx) -> anyhow::Result<()> {
    let [of, read, write] = ["replicas", "read", "write"].map(|knob| ctx.int(knob));
    if read.max(write) > of {
        ctx.invalid(format!("waits for {} of {of} replicas: nothing ends", read.max(write)));
        return Ok(());
    }
    let replicas = Replicas::of(ctx.settings(), ctx.seed())?;
    let mut tally = Tally::new(ctx);
    let (mut stale, mut reads) = (0, 0);
    for (operation, at) in starts(ctx, &replicas)? {
        let answers = |what: u64| (0..of).map(move |i| (i, what + i));
        let took = |(_, replica): (u64, u64)| replicas.answer(operation, replica);
        let written = kth(write, answers(WRITE).filter_map(took));
        let answered = kth(read, answers(READ).filter_map(took));
        tally.count(at, written.zip(answered).map(|(write, read)| write + read));
        let Some((written, answered)) = written.zip(answered) else { continue };
        // Whether a replica had the write when the read reached it.
        let has_it = |(i, replica): (u64, u64)| {
            let (Some(wrote), Some(reads)) = (took((i, WRITE + i)), took((i, replica))) else {
                return false;
            };
            reads <= answered && wrote / 2.0 <= written + reads / 2.0
        };
        reads += 1;
        stale += u64::from(!answers(READ).any(has_it));
    }
    ctx.proportion("stale", stale, reads);
    tally.file(ctx, "both")
}

/// The number of each operation, and when it starts.
fn starts(
    ctx: &Ctx,
    replicas: &Replicas,
) -> anyhow::Result<impl Iterator<Item = (u64, Nanos)> + use<>> {
    let (load, span) = (ctx.float("load"), ctx.timeline().span());
    let (rate, spacing) = if load == 0.0 {
        (RATE, Spacing::Even)
    } else {
        (load * 1e9 / replicas.mean(), Spacing::Poisson)
    };
    let profile = Profile::new().hold(rate, span)?;
    Ok((0..).zip(profile.starts(span, spacing, ctx.rng(&[ARRIVALS]))?))
}

/// Nanoseconds that five of six typical answers stay below.
const TYPICAL: f64 = 12e6;

/// How operations end.
struct Tally {
    late_after: f64,
    took: Series,
    late: u64,
    over_typical: u64,
    ended: u64,
    all: u64,
}

impl Tally {
    fn new(ctx: &Ctx) -> Self {
        let late_after = ctx.duration("late-after").as_nanos() as f64;
        Self { late_after, took: ctx.series(), late: 0, over_typical: 0, ended: 0, all: 0 }
    }

    fn count(&mut self, at: Nanos, took: Option<f64>) {
        self.all += 1;
        let Some(took) = took else { return };
        self.took.record_ns(at, took as Nanos);
        self.ended += 1;
        self.late += u64::from(took > self.late_after);
        self.over_typical += u64::from(took > TYPICAL);
    }

    fn file(self, ctx: &mut Ctx, series: &str) -> anyhow::Result<()> {
        if self.all == 0 {
            ctx.invalid("no operation begins in so short a trial");
        }
        ctx.proportion("late", self.late, self.ended);
        ctx.proportion("over_12ms", self.over_typical, self.ended);
        ctx.proportion("unavailable", self.all - self.ended, self.all);
        ctx.save(series, self.took)
    }
}
