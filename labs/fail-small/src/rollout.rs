//! A change that fails a share of requests, and reaches a fleet in stages.

use lab_kit::sim::{Nanos, Profile, Spacing};
use lab_kit::{Ctx, Grid, Settings, seed};

use crate::charts::{BY_GROUP, IN_ROLLOUT};
use crate::tally::{Tally, begin, too_many};

/// How many times as large a stage is as the one before.
const GROWTH: f64 = 10.0;
/// Points of the error rate over time.
const POINTS: u32 = 60;
/// Fewer failures until the gate decides are too few to judge.
const ENOUGH: f64 = 100.0;
/// What random numbers are drawn for.
const ARRIVALS: u64 = 0;
const NODES: u64 = 1;
const FAILURES: u64 = 2;

/// The nodes that have the change after each stage; the last has all.
fn stages(knobs: &Settings) -> Vec<u64> {
    let nodes = knobs.int("nodes");
    let mut share = knobs.float("first");
    let mut stages = Vec::new();
    while share < 1.0 {
        stages.push((share * nodes as f64).round() as u64);
        share *= GROWTH;
    }
    stages.push(nodes);
    stages
}

/// What a rollout costs until its gate decides, by the knobs: for this many seconds of all traffic
/// every request would have to fail. None if the gate never stops it.
pub(crate) fn lost_s(knobs: &Settings) -> Option<f64> {
    if knobs.text("gate") == "off" || knobs.float("errors") < knobs.float("alarm") {
        return None;
    }
    let [bake, detect] = ["bake", "detect"].map(|knob| knobs.duration(knob).as_secs_f64());
    let stages = stages(knobs);
    let lasts = |stage: usize| {
        let until =
            if stage + 1 == stages.len() { detect } else { detect.min(bake * (stage + 1) as f64) };
        (until - bake * stage as f64).max(0.0)
    };
    let exposed = stages.iter().enumerate().map(|(stage, nodes)| *nodes as f64 * lasts(stage));
    Some(knobs.float("errors") * exposed.sum::<f64>() / knobs.int("nodes") as f64)
}

/// Why a rollout with these knobs would show nothing, if so.
fn shows_nothing(ctx: &Ctx, stages: &[u64]) -> Option<String> {
    let timeline = ctx.timeline();
    let [bake, detect] = ["bake", "detect"].map(|knob| ctx.duration(knob));
    let left = timeline.span() - begin(timeline);
    let (first, nodes) = (ctx.float("first"), ctx.int("nodes"));
    let reached = stages[0] as f64 / nodes as f64;
    let failures = ctx.float("errors") * ctx.float("traffic") * reached * detect.as_secs_f64();
    if stages[0] == 0 {
        Some(format!("a first stage of {first} of {nodes} servers has none"))
    } else if detect > left {
        Some(format!(
            "a gate that decides after {detect:?} is too late for the {left:?} that are left"
        ))
    } else if ctx.text("gate") == "off" && bake.saturating_mul(stages.len() as u32) > left {
        Some(format!(
            "{} stages of {bake:?} end after the trial, of which {left:?} is left",
            stages.len()
        ))
    } else if failures < ENOUGH {
        Some(format!(
            "{failures:.1} failures are expected until the gate decides, too few to judge"
        ))
    } else {
        None
    }
}

/// Rolls the change out for a trial. When the gate decides, it takes it back from all servers if
/// enough of their requests have failed since it last did.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (timeline, traffic, errors) = (ctx.timeline(), ctx.float("traffic"), ctx.float("errors"));
    let (stages, nodes) = (stages(ctx.settings()), ctx.int("nodes"));
    if let Some(why) = shows_nothing(ctx, &stages) {
        ctx.invalid(why);
        return Ok(());
    }
    if too_many(ctx, traffic) {
        return Ok(());
    }
    let times = [begin(timeline), ctx.duration("bake"), ctx.duration("detect")];
    let [begin, bake, detect] = times.map(|time| time.as_nanos() as Nanos);
    let alarm = if ctx.text("gate") == "on" { ctx.float("alarm") } else { f64::INFINITY };
    let profile = Profile::new().hold(traffic, timeline.span())?;
    let starts = profile.starts(timeline.span(), Spacing::Poisson, ctx.rng(&[ARRIVALS]))?;
    let draw = |what, number: u64| seed::uniform(ctx.seed(), &[what, number]);
    let tally = Tally::new(timeline, timeline.measure / POINTS);
    let (mut fleet, mut groups) = (tally.clone(), vec![tally; stages.len()]);
    let (mut failed, mut stopped, mut decides) = (0, false, begin + detect);
    // Requests to servers with the change: those that failed, and all.
    let mut seen = [0_u64; 2];
    for (number, at) in (0..).zip(starts) {
        while at >= decides {
            stopped |= seen[0] > 0 && seen[0] as f64 >= alarm * seen[1] as f64;
            (seen, decides) = ([0; 2], decides + detect);
        }
        let reached = match at.checked_sub(begin) {
            Some(since) if !stopped => stages[(stages.len() - 1).min((since / bake) as usize)],
            _ => 0,
        };
        let node = (draw(NODES, number) * nodes as f64) as u64;
        let fails = node < reached && draw(FAILURES, number) < errors;
        seen[0] += u64::from(fails);
        seen[1] += u64::from(node < reached);
        failed += u64::from(fails);
        fleet.count(at, fails);
        groups[stages.partition_point(|last| *last <= node)].count(at, fails);
    }
    fleet.file(ctx, IN_ROLLOUT);
    let names = (0..).zip(&stages).map(|(stage, last)| match stage {
        0 => format!("servers 1 to {last}"),
        _ => format!("to {last}"),
    });
    let rows = names.zip(groups.iter().map(Tally::rates)).collect();
    let (starts_s, end_s) = (fleet.starts_s(), timeline.measure.as_secs_f64());
    ctx.grid(BY_GROUP, Grid { unit: "ratio".into(), starts_s, end_s, rows });
    ctx.metric("lost", failed as f64 / traffic, "s");
    Ok(())
}
