//! The same averages in simulated time, in which a trial of hours takes none.

use lab_kit::{Ctx, CurveKind};

use crate::average::{Averages, ONE, PERIODS_S, Rule, STEP_S, printed, remaining, tasks};
use crate::excess;

/// The three averages, as curves over the minutes.
pub(crate) const AVERAGES: [&str; 3] = ["1 minute", "5 minutes", "15 minutes"];

/// Tasks that run from the beginning to the end.
pub(crate) fn spinner(ctx: &mut Ctx) -> anyhow::Result<()> {
    let count = if ctx.text("spinners-do") == "spin" { ctx.int("spinners") } else { 0 };
    let mut machine = Machine::of(ctx);
    let rise: Vec<_> = (1..=excess::updates(ctx))
        .map(|update| (update as f64 * STEP_S, tasks(machine.update(count)[0])))
        .collect();
    excess::file(ctx, &rise);
    excess::draw(ctx, &rise);
    Ok(())
}

/// Tasks that run for a while and end: the averages a minute after each, and at the end.
pub(crate) fn rise_and_fall(ctx: &mut Ctx) -> anyhow::Result<()> {
    let busy_s = ctx.duration("busy").as_secs_f64();
    let (count, mut machine) = (ctx.int("spinners"), Machine::of(ctx));
    let [mut fixed, mut exponential] = [(); 2].map(|()| [(); 3].map(|()| vec![(0.0, 0.0)]));
    let updates = excess::updates(ctx);
    for update in 1..=updates {
        let at_s = update as f64 * STEP_S;
        let averages = machine.update(if at_s <= busy_s { count } else { 0 });
        for (name, moment_s) in
            [("rising", 60.0), ("falling", busy_s + 60.0), ("idle", updates as f64 * STEP_S)]
        {
            if at_s == moment_s {
                for (average, minutes) in averages.into_iter().zip([1, 5, 15]) {
                    ctx.metric(&format!("{name}_{minutes}"), printed(average), "tasks");
                }
            }
        }
        for (i, period_s) in PERIODS_S.into_iter().enumerate() {
            let grown = 1.0 - remaining(at_s.min(busy_s), period_s);
            let left = remaining((at_s - busy_s).max(0.0), period_s);
            fixed[i].push((at_s / 60.0, tasks(averages[i])));
            exponential[i].push((at_s / 60.0, count as f64 * grown * left));
        }
    }
    for (name, points) in AVERAGES.into_iter().zip(fixed) {
        ctx.curve(name, CurveKind::Measured, ["min", "tasks"], points);
    }
    for (name, points) in AVERAGES.into_iter().zip(exponential) {
        ctx.curve(name, CurveKind::Theory, ["min", "tasks"], points);
    }
    Ok(())
}

/// A machine that was idle.
struct Machine {
    rule: Rule,
    averages: Averages,
    /// Whether each average is of a window in time.
    windows: bool,
    /// What each update counted.
    counts: Vec<u64>,
}

impl Machine {
    fn of(ctx: &Ctx) -> Self {
        let windows = ctx.text("damping") == "window";
        Self { rule: Rule::of(ctx.settings()), averages: [0; 3], windows, counts: Vec::new() }
    }

    /// The averages after an update that counts `active` tasks.
    fn update(&mut self, active: u64) -> Averages {
        self.counts.push(active);
        let mean = |period_s: f64| {
            let last = (period_s / STEP_S) as usize;
            self.counts.iter().rev().take(last).sum::<u64>() * ONE / last as u64
        };
        self.averages = match self.windows {
            true => PERIODS_S.map(mean),
            false => self.rule.update(self.averages, active),
        };
        self.averages
    }
}
