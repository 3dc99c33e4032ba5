//! Which pages are needed: the kernel marks each page that is used, forgets on request, and is
//! asked again after a while. A window is a number of touches here: by a clock it would have the
//! scheduler's noise in it.

use std::time::Duration;

use lab_kit::memory::{Mapping, Pages, has_room};
use lab_kit::proc::{clear_referenced, smaps_at};
use lab_kit::scratch::PAGE;
use lab_kit::sim::Zipf;
use lab_kit::thread::cpu_time;
use lab_kit::{Ctx, CurveKind};

const MIB: f64 = (1 << 20) as f64;
/// How uneven the touches are: the most needed page is needed a thousand times as often as the
/// least.
const EXPONENT: f64 = 0.9;
/// Touches in the shortest window, as a power of two, and in the longest.
const WINDOWS: std::ops::RangeInclusive<u32> = 8..=17;
/// What random numbers are drawn for.
const TOUCHES: u64 = 0;

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some(mut memory) = mapped(ctx)? else { return Ok(()) };
    let needed = ((ctx.int("set-mib") as usize) << 20) / PAGE;
    if needed > memory.pages() {
        ctx.unavailable("more is needed than there is", "a smaller set-mib, or a larger map-mib");
        return Ok(());
    }
    let resets = ctx.text("reset") == "each";
    let forget = || if resets { clear_referenced() } else { Ok(()) };
    memory.touch(0..memory.pages());
    forget()?;
    memory.touch(0..needed);
    let seen = smaps_at(memory.address())?;
    ctx.metric("referenced", seen.referenced as f64 / MIB, "MiB");
    ctx.metric("resident", seen.resident as f64 / MIB, "MiB");
    let (zipf, mut rng) = (Zipf::new(needed as u32, EXPONENT)?, ctx.rng(&[TOUCHES]));
    let (mut measured, mut theory) = (Vec::new(), Vec::new());
    for touches in WINDOWS.map(|power| 1_u32 << power) {
        forget()?;
        for _ in 0..touches {
            let page = zipf.draw(&mut rng);
            memory.touch(page..page + 1);
        }
        let referenced = smaps_at(memory.address())?.referenced as f64 / MIB;
        measured.push((f64::from(touches), referenced));
        theory.push((f64::from(touches), touched(needed, touches) * PAGE as f64 / MIB));
    }
    let off =
        measured.iter().zip(&theory).map(|((_, is), (_, was_to_be))| (is / was_to_be - 1.0).abs());
    ctx.metric("off_theory", off.fold(0.0, f64::max), "ratio");
    ctx.curve("referenced", CurveKind::Measured, ["touches", "MiB"], measured);
    ctx.curve("referenced", CurveKind::Theory, ["touches", "MiB"], theory);
    Ok(())
}

/// The memory that is looked at; `None` where this machine lacks what that takes.
fn mapped(ctx: &mut Ctx) -> anyhow::Result<Option<Mapping>> {
    let bytes = (ctx.int("map-mib") as usize) << 20;
    if !has_room(ctx, bytes as u64)? || !can_forget(ctx) {
        return Ok(None);
    }
    Ok(Some(Mapping::new(bytes, Pages::Small)?))
}

fn can_forget(ctx: &mut Ctx) -> bool {
    let tried = clear_referenced();
    if let Err(error) = &tried {
        let needs = "a kernel with CONFIG_PROC_PAGE_MONITOR, and a /proc that may be written";
        ctx.unavailable(error.to_string(), needs);
    }
    tried.is_ok()
}

/// Of pages that are drawn by Zipf's distribution, how many are drawn at least once.
fn touched(pages: usize, touches: u32) -> f64 {
    let weight = |page: usize| (page as f64).powf(-EXPONENT);
    let all: f64 = (1..=pages).map(weight).sum();
    (1..=pages).map(|page| 1.0 - (1.0 - weight(page) / all).powi(touches as i32)).sum()
}

/// What a look costs, by how much memory is in use: forgetting, and asking.
pub(crate) fn walk(ctx: &mut Ctx) -> anyhow::Result<()> {
    let most = 4 * ctx.int("map-mib");
    if !has_room(ctx, most << 20)? || !can_forget(ctx) {
        return Ok(());
    }
    let resident = ctx.text("resident") == "yes";
    let mut points = Vec::new();
    // The rest of the process is walked too: at 0 MiB that is all.
    for mib in [0, most / 8, most / 4, most / 2, most] {
        let mut memory = Mapping::new(((mib as usize) << 20).max(PAGE), Pages::Small)?;
        if resident {
            memory.touch(0..memory.pages());
        }
        let look = || {
            let began = cpu_time();
            clear_referenced().and_then(|()| smaps_at(memory.address()))?;
            Ok::<Duration, std::io::Error>(cpu_time() - began)
        };
        let looks = (0..5).map(|_| look()).collect::<Result<Vec<_>, _>>()?;
        let least = looks.into_iter().min().unwrap_or_default();
        points.push((mib as f64, least.as_nanos() as f64));
    }
    let [none, least, .., all] = points[..] else { unreachable!("five sizes") };
    ctx.metric("dearer", (all.1 - none.1) / (least.1 - none.1).max(1.0), "times");
    // 100 GB of small pages, of what a look adds for each.
    ctx.metric("of_100_gb", (all.1 - none.1) / all.0 * 100e9 / MIB, "ns");
    ctx.curve("walk", CurveKind::Measured, ["MiB", "ns"], points);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_are_touched_once_are_counted_once() {
        assert_eq!(touched(1, 5), 1.0);
        // Two pages: 1 − p² − q², p and q by their weights.
        let p = 1.0 / (1.0 + 2_f64.powf(-EXPONENT));
        let both = 1.0 - p.powi(2) - (1.0 - p).powi(2);
        assert!((touched(2, 2) - (1.0 + both)).abs() < 1e-12);
    }
}
