//! The kernel's arithmetic: three averages, in whole numbers of 1/2048.

use lab_kit::Settings;

/// 1 in the kernel's averages: eleven bits are behind the point.
pub(crate) const ONE: u64 = 2_048;
/// The time in which each average forgets all but 1/e of what it was, in seconds.
pub(crate) const PERIODS_S: [f64; 3] = [60.0, 300.0, 900.0];
/// The time between two updates that the kernel's constants assume, in seconds.
pub(crate) const STEP_S: f64 = 5.0;

/// The averages over 1, 5 and 15 minutes, in 1/2048.
pub(crate) type Averages = [u64; 3];

/// How the averages are updated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// What remains of the averages at an update, in 1/2048.
    pub(crate) remains: Averages,
    rounds_up: bool,
}

impl Rule {
    /// The rule of the kernel, or of what the knobs make of it.
    pub(crate) fn of(knobs: &Settings) -> Self {
        let interval_s = knobs.duration("interval").as_secs_f64();
        let remains = |period_s| (ONE as f64 * remaining(interval_s, period_s)).round() as u64;
        let rounds_up = knobs.text("rounding") == "kernel";
        Self { remains: PERIODS_S.map(remains), rounds_up }
    }

    /// The averages after an update that counts `active` tasks. An average that does not fall is
    /// rounded up: otherwise it would never reach the number of tasks.
    pub(crate) fn update(&self, averages: Averages, active: u64) -> Averages {
        let one = |i: usize| {
            let (old, new, remains) = (averages[i], active * ONE, self.remains[i]);
            let up = if self.rounds_up && new >= old { ONE - 1 } else { 0 };
            (old * remains + new * (ONE - remains) + up) / ONE
        };
        [one(0), one(1), one(2)]
    }

    /// The averages of a machine that was idle, after this many updates with `active` tasks.
    pub(crate) fn after(&self, updates: u64, active: u64) -> Averages {
        (0..updates).fold([0; 3], |averages, _| self.update(averages, active))
    }

    /// How many tasks an update counted that made `before` into `after`. An average of one minute
    /// is exact to 1/164 of a task.
    pub(crate) fn counted(&self, before: Averages, after: Averages) -> u64 {
        let (remains, after) = (self.remains[0] as f64, after[0] as f64);
        let added = after - before[0] as f64 * remains / ONE as f64;
        (added / (ONE as f64 - remains)).round() as u64
    }
}

/// The part of an average with this period that is left after a time.
pub(crate) fn remaining(time_s: f64, period_s: f64) -> f64 {
    libm::exp(-time_s / period_s)
}

/// An average as a number of tasks.
pub(crate) fn tasks(average: u64) -> f64 {
    average as f64 / ONE as f64
}

/// An average as `/proc/loadavg` prints it: rounded to hundredths.
pub(crate) fn printed(average: u64) -> f64 {
    ((average + ONE / 200) * 100 / ONE) as f64 / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: Rule = Rule { remains: [1_884, 2_014, 2_037], rounds_up: true };

    #[test]
    fn averages_are_those_that_a_kernel_had() {
        // Linux 6.18 with other programs running, 1 December 2026: before, tasks, and after.
        for (before, active, after) in [
            ([5_522, 4_193, 2_119], 4, [5_736, 4_260, 2_152]),
            ([5_736, 4_260, 2_152], 9, [6_753, 4_496, 2_240]),
            ([9_964, 5_782, 2_802], 2, [9_494, 5_754, 2_809]),
        ] {
            assert_eq!(KERNEL.update(before, active), after);
            assert_eq!(KERNEL.counted(before, after), active);
        }
    }

    #[test]
    fn a_steady_load_is_reached_and_printed_only_if_averages_are_rounded_up() {
        let steady = |rule: Rule| printed(rule.after(2_000, 34)[0]);
        assert_eq!(steady(KERNEL), 34.0);
        assert_eq!(steady(Rule { rounds_up: false, ..KERNEL }), 33.99);
    }
}
