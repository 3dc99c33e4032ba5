//! What is wrong with this program?
//!
//! Nine black boxes, each a program with something wrong, and an `example` without a secret. A box
//! is called by its number, and so is its file: those who want to find out for themselves read no
//! further than `account`, which files the same figures of every box.

mod account;
mod claims;
mod eight;
mod example;
mod five;
mod four;
mod lessons;
mod nine;
mod one;
mod part;
mod seven;
mod six;
mod three;
mod two;

use anyhow::bail;
use lab_kit::clap::Arg;
use lab_kit::{Chart, Ctx, Knob, Lab, Variant, Verb};

use account::keep;

/// The lab.
pub const LAB: Lab = Lab {
    name: "mystery",
    question: "What is wrong with this program?",
    sources: &[&claims::PERF_LABS, &claims::WORKSHOP, &claims::USE_METHOD],
    knobs: &[Knob::choice("problem", &[KEPT, SOLVED], "whether a program has its problem")],
    variants: VARIANTS,
    claims: claims::CLAIMS,
    charts: &[CPU, MEMORY],
    story: claims::STORY,
    lessons: lessons::LESSONS,
    verbs: &[PART],
};

/// A process of a program.
const PART: Verb = Verb {
    name: part::VERB,
    command: |command| {
        let word = |name: &'static str| Arg::new(name).required(true);
        command.hide(true).about("A process of a program").args([word("program"), word("what")])
    },
    run: |matches| {
        let word = |name| matches.get_one::<String>(name).map_or("", String::as_str);
        match word("program") {
            "2" => two::part(word("what")),
            "7" => seven::part(),
            other => bail!("program {other} has no parts"),
        }
    },
};

const KEPT: &str = "kept";
const SOLVED: &str = "solved";

/// Whether the program is to have its problem.
fn has_problem(ctx: &Ctx) -> bool {
    ctx.text("problem") == KEPT
}

/// The black boxes.
pub(crate) const BOXES: &[&str] = &["1", "2", "3", "4", "5", "6", "7", "8", "9"];

const VARIANTS: &[Variant] = &[
    program("example", "a program whose problem the README tells", |ctx| keep(ctx, example::run))
        .profiled(),
    program("1", "black box 1", |ctx| keep(ctx, one::run)).asks(&one::DIAGNOSIS),
    program("2", "black box 2", |ctx| keep(ctx, two::run)).asks(&two::DIAGNOSIS),
    program("3", "black box 3", |ctx| keep(ctx, three::run)).asks(&three::DIAGNOSIS),
    program("4", "black box 4", |ctx| keep(ctx, four::run)).asks(&four::DIAGNOSIS),
    program("5", "black box 5", |ctx| keep(ctx, five::run)).asks(&five::DIAGNOSIS),
    program("6", "black box 6", |ctx| keep(ctx, six::run)).asks(&six::DIAGNOSIS),
    program("7", "black box 7", |ctx| keep(ctx, seven::run)).asks(&seven::DIAGNOSIS),
    program("8", "black box 8", |ctx| keep(ctx, eight::run)).asks(&eight::DIAGNOSIS),
    program("9", "black box 9", |ctx| keep(ctx, nine::run)).asks(&nine::DIAGNOSIS),
];

const fn program(
    name: &'static str,
    why: &'static str,
    run: fn(&mut Ctx) -> anyhow::Result<()>,
) -> Variant {
    Variant::new(name, why, run).live([1_100, 3_500, 10_000])
}

/// Every program has these two, and no other.
const CPU: Chart = Chart::Gauge { title: "CPUs in use", gauge: "cpus" };
const MEMORY: Chart = Chart::Gauge { title: "Resident memory", gauge: "resident" };
