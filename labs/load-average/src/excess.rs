//! What a trial's tasks add to the one-minute average.

use lab_kit::{Ctx, CurveKind};

use crate::average::{PERIODS_S, Rule, STEP_S, remaining, tasks};

/// Curves over the seconds since the tasks began.
pub(crate) const EXCESS: &str = "1-minute average";
pub(crate) const FIXED_POINT: &str = "the kernel's arithmetic";
pub(crate) const EXPONENTIAL: &str = "1 - e^(-t/60)";
pub(crate) const WINDOW: &str = "average of the last 60 s";

/// The number of updates in the trial's measured span: at least one.
pub(crate) fn updates(ctx: &Ctx) -> usize {
    ((ctx.timeline().measure.as_secs_f64() / STEP_S) as usize).max(1)
}

/// Files what the tasks had added at the last of these updates, each with its time in seconds.
pub(crate) fn file(ctx: &mut Ctx, rise: &[(f64, f64)]) {
    let (after_s, excess) = rise.last().copied().unwrap_or_default();
    ctx.metric("after", after_s, "s");
    ctx.metric("excess", excess, "tasks");
}

/// Draws it, beside what the same tasks add by the kernel's arithmetic, by the exponential, and to
/// an average of the last minute.
pub(crate) fn draw(ctx: &mut Ctx, rise: &[(f64, f64)]) {
    let (rule, own) = (Rule::of(ctx.settings()), ctx.int("spinners") + ctx.int("blocked"));
    let fixed =
        |(i, (at_s, _)): (usize, &(f64, f64))| (*at_s, tasks(rule.after(i as u64 + 1, own)[0]));
    let exponential = |at_s: f64| 1.0 - remaining(at_s, PERIODS_S[0]);
    let window = |at_s: f64| (at_s / PERIODS_S[0]).min(1.0);
    let theory = |share: fn(f64) -> f64| {
        rise.iter().map(|(at_s, _)| (*at_s, own as f64 * share(*at_s))).collect()
    };
    for (name, kind, points) in [
        (EXCESS, CurveKind::Measured, rise.to_vec()),
        (FIXED_POINT, CurveKind::Theory, rise.iter().enumerate().map(fixed).collect()),
        (EXPONENTIAL, CurveKind::Theory, theory(exponential)),
        (WINDOW, CurveKind::Theory, theory(window)),
    ] {
        let from_zero = [vec![(0.0, 0.0)], points].concat();
        ctx.curve(name, kind, ["s", "tasks"], from_zero);
    }
}
