//! What tasks add to the one-minute average of a machine that was idle before.

use lab_kit::{Ctx, CurveKind};

use crate::average::{Averages, PERIODS_S, Rule, STEP_S, remaining, tasks};

/// Curves over the seconds since the tasks began: the average, without what an idle machine would
/// have left of it; the same by the kernel's arithmetic and by the exponential; and an average of
/// the last minute.
pub(crate) const EXCESS: &str = "1-minute average";
pub(crate) const FIXED_POINT: &str = "the kernel's arithmetic";
pub(crate) const EXPONENTIAL: &str = "1 - e^(-t/60)";
pub(crate) const WINDOW: &str = "average of the last 60 s";

/// The number of updates in the trial's measured span: at least one.
pub(crate) fn updates(ctx: &Ctx) -> u64 {
    ((ctx.timeline().measure.as_secs_f64() / STEP_S) as u64).max(1)
}

/// Files the averages after each update, with its time in seconds, and the curves beside them.
pub(crate) fn file(ctx: &mut Ctx, begin: Averages, updates: &[(f64, Averages)]) {
    let rule = Rule::of(ctx.settings());
    let own = ctx.int("spinners") + ctx.int("blocked");
    let (mut idle, mut busy) = (begin, begin);
    let [mut measured, mut fixed, mut exponential, mut window] = [(); 4].map(|()| vec![(0.0, 0.0)]);
    for &(at_s, after) in updates {
        (idle, busy) = (rule.update(idle, 0), rule.update(busy, own));
        let above_idle = |averages: Averages| tasks(averages[0]) - tasks(idle[0]);
        measured.push((at_s, above_idle(after)));
        fixed.push((at_s, above_idle(busy)));
        exponential.push((at_s, own as f64 * (1.0 - remaining(at_s, PERIODS_S[0]))));
        window.push((at_s, own as f64 * (at_s / PERIODS_S[0]).min(1.0)));
    }
    let (after_s, excess) = measured.last().copied().unwrap_or_default();
    ctx.metric("after", after_s, "s");
    ctx.metric("excess", excess, "tasks");
    let units = ["s", "tasks"];
    ctx.curve(EXCESS, CurveKind::Measured, units, measured);
    ctx.curve(FIXED_POINT, CurveKind::Theory, units, fixed);
    ctx.curve(EXPONENTIAL, CurveKind::Theory, units, exponential);
    ctx.curve(WINDOW, CurveKind::Theory, units, window);
}
