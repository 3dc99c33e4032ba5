//! Who said it first, what is claimed, and the checks.
//!
//! A claim speaks of the method, and each of its checks reads all boxes: so neither tells which box
//! it is about.

use lab_kit::{
    Claim, Evidence, Figure, Gap, Judged, Next, ShownBy, Source, Story, live, statements,
};

use crate::account::{RESOURCES, lit, noted};
use crate::{BOXES, CPU, eight, example, five, seven, three, two};

/// Small programs with faults.
pub(crate) const PERF_LABS: Source = Source {
    short: "perf-labs",
    title: "B. Gregg, perf-labs: small programs whose faults a profiler should find, 2015",
    link: "https://github.com/brendangregg/perf-labs",
};

/// More of them.
pub(crate) const WORKSHOP: Source = Source {
    short: "bpf-perf-workshop",
    title: "B. Gregg, bpf-perf-workshop: programs to be analysed, LISA 2019",
    link: "https://github.com/brendangregg/bpf-perf-workshop",
};

/// What to look at first.
pub(crate) const USE_METHOD: Source = Source {
    short: "Gregg, USE",
    title: "B. Gregg, The USE Method, 2012",
    link: "https://www.brendangregg.com/usemethod.html",
};

/// Takes the problem away from every program.
const WITHOUT: &[(&str, &str)] = &[("problem", "solved")];

pub(crate) const CLAIMS: &[Claim] = &[
    Claim {
        id: "MTH-2",
        says: "For every resource look at utilisation, saturation and errors: of one that is \
               short, the right cell lights up.",
        source: &USE_METHOD,
        checks: &[
            live(&["example"], the_cpu_lights_up).without(WITHOUT),
            live(BOXES, |e| of_all(e, four_of_four)).without(WITHOUT),
        ],
        shown_by: &[ShownBy::Chart(&CPU, &["example"])],
    },
    Claim {
        id: "LAB-1",
        says: "What runs most is the widest tower of a flame graph.",
        source: &PERF_LABS,
        checks: &[live(&["example"], one_tower).without(WITHOUT)],
        shown_by: &[ShownBy::FlameGraph("example")],
    },
    Claim {
        id: "LAB-4",
        says: "The kernel's account of a process tells what a list of processes misses.",
        source: &PERF_LABS,
        checks: &[live(BOXES, |e| of_all(e, in_the_account)).without(WITHOUT)],
        shown_by: &[],
    },
    Claim {
        id: "LAB-6",
        says: "A function's share of a profile tells what it costs; how often it is called does \
               not.",
        source: &PERF_LABS,
        checks: &[live(BOXES, |e| of_all(e, share_of_the_profile)).without(WITHOUT)],
        shown_by: &[],
    },
    Claim {
        id: "LAB-13",
        says: "How a program ended, and what it had touched until then, tell why.",
        source: &PERF_LABS,
        checks: &[live(BOXES, |e| of_all(e, ended_when_full)).without(WITHOUT)],
        shown_by: &[],
    },
    Claim {
        id: "WS-2",
        says: "A program may have more than one problem: the first that is found need not be all.",
        source: &WORKSHOP,
        checks: &[live(BOXES, |e| of_all(e, all_problems)).without(WITHOUT)],
        shown_by: &[],
    },
    Claim {
        id: "WS-3",
        says: "A program can be slow although no resource is short: where it waits tells why.",
        source: &WORKSHOP,
        checks: &[live(BOXES, |e| of_all(e, waits_for_nothing)).without(WITHOUT)],
        shown_by: &[],
    },
];

/// Judges if all boxes ran. What it says names none of them: a run of one box does not tell which
/// claim is about it.
fn of_all(e: &Evidence, judge: fn(&Evidence) -> Judged) -> Judged {
    if !BOXES.iter().all(|name| e.ran(name)) {
        return Err(Gap::Unavailable("it takes a run of all boxes".into()));
    }
    let unnamed = |reason: String| match reason.split_once(": ") {
        Some((name, reason)) if BOXES.contains(&name) => reason.to_owned(),
        _ => reason,
    };
    judge(e).map_err(|gap| match gap {
        Gap::Unavailable(reason) => Gap::Unavailable(unnamed(reason)),
        Gap::Invalid(reason) => Gap::Invalid(unnamed(reason)),
    })
}

/// Whether this resource stands out.
///
/// # Errors
/// It does not: the run shows nothing.
pub(crate) fn shows(lit: [f64; 4], resource: &str) -> Result<(), Gap> {
    if at(lit, resource) > 0.0 {
        return Ok(());
    }
    Err(Gap::Invalid("no resource stood out in it as it does".into()))
}

fn at(lit: [f64; 4], resource: &str) -> f64 {
    let at = RESOURCES.iter().position(|(name, _)| *name == resource);
    at.map_or(0.0, |at| lit[at])
}

/// Whether this resource stands out, and no other.
fn alone(lit: [f64; 4], resource: &str) -> bool {
    at(lit, resource) > 0.0 && at(lit, resource) == lit.iter().sum::<f64>()
}

fn the_cpu_lights_up(e: &Evidence) -> Judged {
    let lit = lit(e, "example")?;
    statements(&[
        ("the CPU stands out", at(lit, "CPU") > 0.0),
        ("nothing else does", alone(lit, "CPU")),
    ])
}

fn four_of_four(e: &Evidence) -> Judged {
    let short = [("6", "CPU"), ("4", "memory"), ("9", "disk"), ("1", "network")];
    let mut right = 0.0;
    for (name, resource) in short {
        right += f64::from(u8::from(alone(lit(e, name)?, resource)));
    }
    Figure::exact(right, "").near(4.0, 0.0)?.because("the right resource alone stands out")
}

fn one_tower(e: &Evidence) -> Judged {
    let tower = noted(e, "example", example::TOWER)?;
    Figure::exact(tower, "ratio").at_least(0.9)?.because("share of samples in one tower")
}

/// Four times as much as the rest: what one process does beside starting others is nearly nothing.
const DOMINATES: f64 = 0.8;

fn in_the_account(e: &Evidence) -> Judged {
    let time = |name| Ok(e.metric("7", name)?.value);
    let children = time("cutime")? + time("cstime")?;
    let all = children + time("utime")? + time("stime")?;
    let seen = Figure::exact(noted(e, "7", seven::SEEN)?, "ratio");
    Figure::exact(children / all, "ratio")
        .at_least(DOMINATES)?
        .because("share of its CPU time in that account")?
        .and(seen.at_most(0.2)?.because("share that is in lists"))
}

/// Relative to the prediction, like the next two: the figure itself would give the box away.
fn share_of_the_profile(e: &Evidence) -> Judged {
    let costlier = three::COSTLIER as f64;
    let predicted = costlier / (1.0 + costlier);
    let samples = noted(e, "3", three::SAMPLES)?;
    if samples < 400.0 {
        return Err(Gap::Unavailable(format!("{samples} samples are too few")));
    }
    let error = (predicted * (1.0 - predicted) / samples).sqrt();
    let share = noted(e, "3", three::SHARE)?;
    of_predicted(share / predicted, 3.0 * error / predicted)
}

fn ended_when_full(e: &Evidence) -> Judged {
    let (crashed, touched) = two::crashed(e)?;
    let ended = statements(&[("it ended as predicted", crashed)]);
    of_predicted(touched / two::ROOM_MIB as f64, 0.1)?.and(ended)
}

fn all_problems(e: &Evidence) -> Judged {
    of_predicted(eight::problems(e)? as f64 / eight::PROBLEMS as f64, 0.0)
}

fn of_predicted(times: f64, tolerance: f64) -> Judged {
    Figure::exact(times, "times").near(1.0, tolerance)?.because("times what is predicted")
}

fn waits_for_nothing(e: &Evidence) -> Judged {
    let seconds = Figure::exact(noted(e, "5", five::SECONDS)?, "s");
    Figure::exact(noted(e, "5", five::BLOCKED)?, "ratio")
        .at_least(0.95)?
        .because("share of a wait in which it sleeps")?
        .and(seconds.between(1.0, 2.0, None)?.because("its length in seconds"))
}

pub(crate) const STORY: Story = Story {
    finding,
    reads: &["example"],
    chart: Some(ShownBy::Chart(&CPU, &["example"])),
    next: Next {
        set: WITHOUT,
        ask: "The same program runs without its problem now. Which of its figures change?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    if !e.ran("example") {
        let ran: Vec<&str> = BOXES.iter().copied().filter(|name| e.ran(name)).collect();
        return match ran[..] {
            [] => Err(Gap::Unavailable("no program ran to its end".into())),
            [name] => {
                Ok(format!("What is wrong with box {name}? `cargo xtask answer mystery {name}`"))
            }
            _ => Ok(format!("What is wrong with the boxes {}?", ran.join(", "))),
        };
    }
    let lit = lit(e, "example")?;
    let found = RESOURCES.iter().zip(lit).filter(|(_, lit)| *lit > 0.0);
    let names: Vec<&str> = found.map(|((name, _), _)| *name).collect();
    let short = match &names[..] {
        [] => "None of the example's resources stands out".to_owned(),
        names => format!("Of the example's resources only {} stands out", names.join(" and ")),
    };
    let tower = 100.0 * noted(e, "example", example::TOWER)?;
    Ok(format!("{short}, and {tower:.0} of 100 samples are in one tower of functions."))
}
