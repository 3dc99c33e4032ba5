//! What the counts of a CPU profile are: samples, or what each sample stands for.
//!
//! Collapsers may add up periods (10,101,010 ns at 99 Hz) or events (cycles) instead of samples. Taken
//! for samples, ten million of them would leave no doubt where a hundred and fifty leave much.

use super::Folded;

/// The least period: a microsecond's worth of nanoseconds. Three counts share such a divisor by
/// chance once in a thousand million profiles.
const LEAST_PERIOD: u64 = 1_000;

/// The least number of counts that must share it.
const LEAST_COUNTS: usize = 3;

/// A profile of samples has stacks that were seen once or twice. Where this many stacks have nothing
/// under this the counts are something else.
const LEAST_AMOUNT: u64 = 10_000;
const AMOUNTS: usize = 10;

/// What one count is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// A sample.
    Samples,
    /// This many counts are one sample: a period, in any unit.
    Periods(u64),
    /// Something that is added up, as cycles are: how many samples there are is not known.
    Amounts,
}

impl Weights {
    /// What the counts of several profiles are, taken together.
    pub fn of<'a>(profiles: impl IntoIterator<Item = &'a Folded>) -> Weights {
        let (mut divisor, mut counts, mut least, mut scaled) = (0, 0, u64::MAX, false);
        for profile in profiles {
            scaled |= profile.scale > 1;
            for span in &profile.stacks {
                (divisor, least) = (gcd(divisor, span.count), least.min(span.count));
                counts += 1;
            }
        }
        if counts >= LEAST_COUNTS && divisor >= LEAST_PERIOD {
            Weights::Periods(divisor)
        } else if scaled || (counts >= AMOUNTS && least >= LEAST_AMOUNT) {
            Weights::Amounts
        } else {
            Weights::Samples
        }
    }
}

/// Where the counts of profiles are periods, makes samples of them, and returns a sentence that says
/// so; also one where they are amounts.
pub fn count_samples(profiles: &mut [&mut Folded]) -> Option<String> {
    match Weights::of(profiles.iter().map(|profile| &**profile)) {
        Weights::Samples => None,
        Weights::Amounts => Some(
            "the counts are amounts and not samples: how many samples there were is not known"
                .to_owned(),
        ),
        Weights::Periods(period) => {
            for profile in profiles {
                profile.total /= period;
                profile.scale = 1;
                profile.stacks.iter_mut().for_each(|span| span.count /= period);
            }
            Some(format!(
                "every count is a multiple of {period}, a sampling period: samples are counted"
            ))
        }
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
