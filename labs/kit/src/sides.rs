//! Two or more builds of a program, sampled in turns, so that what drifts on the machine drifts on
//! all of them.

use std::time::{Duration, Instant};

use crate::ctx::Ctx;
use crate::sampler::{Samples, sample};
use crate::spin;

/// 14,000 samples a second: twenty thousand of each side in a few seconds.
const PERIOD: Duration = Duration::from_nanos(71_003);

/// One side: how long its turns are, and what it does in them, over and over.
pub struct Side<'a> {
    /// Names its file: `before`.
    pub name: &'a str,
    /// Of a turn.
    pub turn: Duration,
    /// A piece of work, short against the turn.
    pub work: &'a mut dyn FnMut(),
}

impl std::fmt::Debug for Side<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Side").field("name", &self.name).field("turn", &self.turn).finish()
    }
}

/// Samples the sides on this thread in turns, there and back, until the measured span is over.
/// Keeps each side's stacks as `<name>.folded`, of which a report draws the differential of
/// `before` and `after`, and returns them in the order of the sides. The metric `samples` is the
/// fewest of a side.
///
/// # Errors
/// As [`sample`] and [`Ctx::keep`].
pub fn sample_in_turns<const N: usize>(
    ctx: &mut Ctx,
    mut sides: [Side<'_>; N],
) -> anyhow::Result<[Samples; N]> {
    let mut seen = [(); N].map(|()| Samples::default());
    let (start, span) = (Instant::now(), ctx.timeline().measure);
    let mut forth = true;
    while start.elapsed() < span {
        for at in 0..N {
            let at = if forth { at } else { N - 1 - at };
            let side = &mut sides[at];
            let ((), samples) = sample(PERIOD, || spin::repeat(side.turn, &mut *side.work))?;
            seen[at].extend(samples);
        }
        forth = !forth;
    }
    let fewest = seen.iter().map(|samples| samples.stacks.len()).min().unwrap_or(0);
    ctx.metric("samples", fewest as f64, "count");
    for (side, samples) in sides.iter().zip(&seen) {
        ctx.keep(&format!("{}.folded", side.name), &samples.folded())?;
    }
    Ok(seen)
}
