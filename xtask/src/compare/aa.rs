//! `--aa`: compares a side with itself, repeatedly, to find which differences this machine can
//! detect.

use std::fmt::Write as _;

use anyhow::Context as _;
use lab_text::quantity::percent;
use lab_verdict::calibrate::{Calibration, calibrate};
use lab_verdict::comparison::Comparison;
use lab_verdict::render;

use super::args::{Args, Format};
use super::plan::ComparisonPlan;
use super::{bench, command, labs};
use crate::exit::{Code, usage};
use crate::output::{markdown_table, print};
use crate::quantity;

/// Compares, reports after each comparison, and finally prints the smallest detectable change.
pub(super) fn run(args: &Args) -> anyhow::Result<Code> {
    if args.format == Format::Junit {
        return Err(usage("--aa prints human, json or md"));
    }
    if args.out.is_some() && args.comparisons > 1 {
        return Err(usage(
            "--aa makes a directory for each comparison; --out goes with --comparisons 1",
        ));
    }
    let began = std::time::Instant::now();
    let (made, method) = if args.bench.are_asked_for() {
        let (bench, plan) = bench::Bench::prepare(args)?;
        (each(args, &plan, |plan| bench.begin(plan, args))?, plan.method)
    } else if args.command.are_asked_for() {
        let (bench, plan) = command::Bench::prepare(args)?;
        (each(args, &plan, |plan| bench.begin(plan, args))?, plan.method)
    } else {
        let (bench, plan) = labs::Bench::of_one_side(args)?;
        (each(args, &plan, |plan| bench.begin(plan, args))?, plan.method)
    };
    let calibration = calibrate(&made, &method);
    let each = began.elapsed() / args.comparisons;
    print(&match args.format {
        Format::Json => {
            let text = serde_json::to_string_pretty(&calibration).context("write JSON")?;
            format!("{text}\n")
        }
        Format::Md => markdown(&calibration),
        Format::Human | Format::Junit => table(&calibration, &quantity::span(each)),
    })?;
    Ok(if calibration.is_invalid() { Code::InvalidRun } else { Code::Fine })
}

/// Makes every comparison, each with a seed of its own.
fn each<W: Clone>(
    args: &Args,
    plan: &ComparisonPlan<W>,
    compare: impl Fn(&ComparisonPlan<W>) -> anyhow::Result<Comparison>,
) -> anyhow::Result<Vec<Comparison>> {
    let mut made = Vec::new();
    for n in 0..args.comparisons {
        let plan = ComparisonPlan { seed: args.seed + u64::from(n), ..plan.clone() };
        let comparison = compare(&plan)?;
        eprintln!("[{}/{}] {}", n + 1, args.comparisons, comparison.outcome.name());
        made.push(comparison);
    }
    Ok(made)
}

fn table(calibration: &Calibration, each: &str) -> String {
    let mut out = format!(
        "{} of a side with itself, {each} each; {} invalid, {}\n\n",
        render::count(calibration.comparisons, "comparison"),
        render::count(calibration.invalid, "scenario"),
        render::count(calibration.disturbed_pairs, "disturbed pair"),
    );
    let _ = writeln!(out, "metric  judged  regressed  improved  inconclusive  sees from");
    for row in &calibration.metrics {
        let sees = row.smallest_visible_ratio.map_or_else(|| "-".to_owned(), percent);
        let _ = writeln!(
            out,
            "{:<6} {:>7} {:>10} {:>9} {:>13} {:>10}",
            row.metric, row.judged, row.false_regressed, row.false_improved, row.inconclusive, sees
        );
    }
    out.push_str(MEANING);
    out.push_str(&frames(calibration));
    out
}

/// What the differentials of profiled trials showed; empty if there were none.
fn frames(calibration: &Calibration) -> String {
    let Calibration { differentials, differentials_with_moved_frames: moved, .. } = calibration;
    match differentials {
        0 => String::new(),
        _ => {
            let of = render::count(*differentials, "differential");
            format!("{moved} of {of} falsely show a frame that moved.\n")
        }
    }
}

fn markdown(calibration: &Calibration) -> String {
    let rows = calibration.metrics.iter().map(|row| {
        let counts = [row.judged, row.false_regressed, row.false_improved, row.inconclusive];
        let [judged, regressed, improved, inconclusive] = counts.map(|count| count.to_string());
        let sees = row.smallest_visible_ratio.map_or_else(|| "-".to_owned(), percent);
        [row.metric.to_string(), judged, regressed, improved, inconclusive, sees]
    });
    let head = ["metric", "judged", "regressed", "improved", "inconclusive", "sees from"];
    format!("{}{MEANING}{}", markdown_table(head, rows), frames(calibration))
}

/// How to read either table.
const MEANING: &str = "
Every verdict of regressed or improved here is false. A metric is seen from
where four of five comparisons with the noise of these pairs would call a
slowness regressed.
";
