//! Random writes to disks that keep each block twice, or a parity block for each stripe.

use lab_kit::Ctx;
use lab_kit::seed::Generator;
use lab_kit::sim::{Agenda, Nanos};
use rand::RngExt as _;

/// What an access takes, and how many writers always have a write under way.
const ACCESS: Nanos = 10_000_000;
const WRITERS: usize = 64;
/// What random numbers are drawn for.
const PLACES: u64 = 2;

/// Disks, each of which does one access after another.
struct Disks {
    free: Vec<Nanos>,
    accesses: u64,
}

impl Disks {
    /// Accesses these disks now, each behind what it was asked before, and says when all are done.
    fn access(&mut self, now: Nanos, disks: &[usize]) -> Nanos {
        let done = disks.iter().map(|disk| {
            self.accesses += 1;
            self.free[*disk] = self.free[*disk].max(now) + ACCESS;
            self.free[*disk]
        });
        done.max().unwrap_or(now)
    }
}

/// The blocks that are written a second, and the accesses for each, of both ways.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (disks, stripes) = (2 * ctx.int("pairs") as usize, ctx.text("write") == "stripe");
    let mirrored = |rng: &mut Generator| {
        let pair = rng.random_range(0..disks / 2);
        vec![vec![2 * pair, 2 * pair + 1]]
    };
    // The old block and the old parity are read first, unless the whole stripe is new.
    let parity = |rng: &mut Generator| {
        let block = rng.random_range(0..disks);
        let two = vec![block, (block + rng.random_range(1..disks)) % disks];
        if stripes { vec![(0..disks).collect()] } else { vec![two.clone(), two] }
    };
    let blocks = if stripes { disks as u64 - 1 } else { 1 };
    keep_writing(ctx, "mirrored", disks, 1, mirrored)?;
    keep_writing(ctx, "parity", disks, blocks, parity)
}

/// Writes all the time: `write` names the disks that each step of a write accesses.
fn keep_writing(
    ctx: &mut Ctx,
    name: &str,
    disks: usize,
    blocks: u64,
    write: impl Fn(&mut Generator) -> Vec<Vec<usize>>,
) -> anyhow::Result<()> {
    let span = ctx.timeline().span();
    let (mut rng, mut written) = (ctx.rng(&[PLACES]), 0);
    let mut disks = Disks { free: vec![0; disks], accesses: 0 };
    let mut agenda = Agenda::until(span.as_nanos() as Nanos);
    (0..WRITERS).for_each(|_| agenda.at(0, write(&mut rng)));
    while let Some(mut steps) = agenda.step()? {
        if steps.is_empty() {
            written += blocks;
            steps = write(&mut rng);
        }
        let done = disks.access(agenda.now(), &steps.remove(0));
        agenda.at(done, steps);
    }
    if written == 0 {
        ctx.invalid("no write ends in so short a trial");
        return Ok(());
    }
    ctx.metric(&format!("{name}_rate"), written as f64 / span.as_secs_f64(), "1/s");
    ctx.metric(&format!("{name}_accesses"), disks.accesses as f64 / written as f64, "accesses");
    Ok(())
}
