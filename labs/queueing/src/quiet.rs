//! A live trial on a machine that has nothing else to do.

use lab_kit::thread::allowed_cpus;
use lab_kit::{Ctx, cpus};

/// What others may have of the CPUs: with more, what is measured is their doing.
const MOST_OF_OTHERS: f64 = 0.05;

/// Runs a variant; a live trial beside busy programs is invalid.
///
/// # Errors
/// As the variant.
pub(crate) fn quietly(
    ctx: &mut Ctx,
    run: fn(&mut Ctx) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if !ctx.is_live() {
        return run(ctx);
    }
    let watch = cpus::Watch::begin(&allowed_cpus())?;
    run(ctx)?;
    let others = watch.shares()?.others;
    ctx.metric("others", others, "ratio");
    if others > MOST_OF_OTHERS {
        let [others, most] = [others, MOST_OF_OTHERS].map(|share| 100.0 * share);
        ctx.invalid(format!("others had {others:.1} % of the CPUs, more than {most} %"));
    }
    Ok(())
}
