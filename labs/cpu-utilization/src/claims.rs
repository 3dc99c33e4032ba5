//! Who said it first, what is claimed, and the checks.

use lab_kit::{
    Claim, Evidence, Figure, Gap, Judged, Next, ShownBy, Source, Story, closed_form, live,
};

use crate::counters::EVENTS;
use crate::loops::{Bound, LOOPS};
use crate::{COSTS, SECONDS, STAIRCASE, STEPS, TWO};

/// The article on what the figure means.
pub(crate) const WRONG: Source = Source {
    short: "Gregg, CPU utilization",
    title: "B. Gregg, CPU Utilization is Wrong, 2017",
    link: "https://www.brendangregg.com/blog/2017-05-09/cpu-utilization-is-wrong.html",
};

/// The article on the counters of a virtual machine.
pub(crate) const PMCS: Source = Source {
    short: "Gregg, PMCs",
    title: "B. Gregg, The PMCs of EC2: Measuring IPC, 2017",
    link: "https://www.brendangregg.com/blog/2017-05-04/the-pmcs-of-ec2.html",
};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim {
        id: "CPU-1",
        says: "A CPU that waits for memory counts as busy: of two loops that are both 100 % busy, \
               one does ten times the work, and the other mostly waits.",
        source: &WRONG,
        checks: &[
            live(&["compute", "chase"], works_more).without(SMALL),
            live(&["compute", "chase"], both_are_busy).without(&[("between", "sleep")]),
            live(&["sizes"], mostly_waits).without(SMALL),
        ],
        shown_by: &[
            ShownBy::Chart(&STAIRCASE, &["sizes"]),
            ShownBy::FlameGraph("compute"),
            ShownBy::FlameGraph("chase"),
        ],
    },
    Claim {
        id: "CPU-2",
        says: "Less than one instruction in a cycle is likely memory bound, more is likely \
               instruction bound.",
        source: &WRONG,
        checks: &[live(&["counters"], one_in_a_cycle_lies_between).without(SMALL)],
        shown_by: &[],
    },
    Claim {
        id: "CPU-3",
        says: "What splits them differs by machine: run a loop of each kind, and take the midpoint.",
        source: &WRONG,
        checks: &[live(&["calibration"], midpoint_classifies).without(SMALL)],
        shown_by: &[ShownBy::Chart(&STEPS, &["calibration"])],
    },
    Claim {
        id: "CPU-4",
        says: "An IPC of 0.78 on a core that is four instructions wide is 19.5 % of what it can.",
        source: &WRONG,
        checks: &[closed_form(of_the_width).without(&[("width", "6")]).calibrates()],
        shown_by: &[],
    },
    Claim {
        id: "CPU-5",
        says: "Averages hide bursts: 100 ms of work in each second read as 10 %. And a spin lock \
               reads as work.",
        source: &WRONG,
        checks: &[
            live(&["bursts"], average_hides_bursts).without(&[("bursts", "ten")]),
            live(&["spinner"], spinning_does_nothing).without(&[("lock", "free")]),
            live(&["spinner"], spinning_is_busy).without(&[("lock", "mutex")]),
        ],
        shown_by: &[ShownBy::Chart(&SECONDS, &["bursts"])],
    },
    Claim {
        id: "CPU-6",
        says: "A second thread on a second CPU doubles the busy time, whatever it adds in work: \
               hyper-threads and the hypervisor decide that.",
        source: &WRONG,
        checks: &[live(&["two-threads"], busy_time_doubles).without(&[("second", "same-cpu")])],
        shown_by: &[ShownBy::Chart(&TWO, &["two-threads"])],
    },
    Claim {
        id: "PMC-1",
        says: "Seven architectural events count cycles, reference cycles, instructions, and uses \
               and misses of the last cache and of branches.",
        source: &PMCS,
        checks: &[live(&["counters"], all_events_count).without(&[("counters", "off")])],
        shown_by: &[],
    },
    Claim {
        id: "PMC-2",
        says: "A loop of no operations has an IPC of 3.97, where 4 is the most: 24,766,697,057 \
               instructions in 6,245,387,593 cycles.",
        source: &PMCS,
        checks: &[closed_form(loop_of_nothing)
            .without(&[("loop-cycles", "8000000000")])
            .calibrates()],
        shown_by: &[],
    },
    Claim {
        id: "PMC-3",
        says: "A build of software has an IPC of 0.78: 1,118,336,816,068 instructions in \
               1,433,972,173,374 cycles.",
        source: &PMCS,
        checks: &[closed_form(build).without(&[("build-cycles", "1000000000000")]).calibrates()],
        shown_by: &[],
    },
    Claim {
        id: "PMC-4",
        says: "Counting costs next to nothing, and sampling costs by its rate: less than 1 % at 99 \
               samples in a second.",
        source: &PMCS,
        checks: &[
            live(&["sampling"], cheap_at_its_rate).without(&[("rate", "9999")]),
            live(&["sampling"], counting_is_cheaper).without(&[("counting", "samples")]),
        ],
        shown_by: &[ShownBy::Chart(&COSTS, &["sampling"])],
    },
];

/// Memory that the nearest cache has room for.
pub(crate) const SMALL: &[(&str, &str)] = &[("set-kib", "16")];

/// How many times as long as `compute` a step of the chase takes, in CPU time.
pub(crate) fn times_the_work(e: &Evidence) -> Result<Figure, Gap> {
    Ok(e.metric("chase", "step")?.over(&e.metric("compute", "step")?))
}

fn works_more(e: &Evidence) -> Judged {
    times_the_work(e)?.at_least(5.0)?.because("times the steps of a CPU-second")
}

fn both_are_busy(e: &Evidence) -> Judged {
    let busy = |variant| e.metric(variant, "busy")?.at_least(0.95)?.because(variant);
    busy("chase")?.and(busy("compute"))
}

/// The instructions are the same: what small memory does without is waiting.
fn mostly_waits(e: &Evidence) -> Judged {
    e.metric("sizes", "waits")?.at_least(0.5)?.because("of its busy time")
}

fn one_in_a_cycle_lies_between(e: &Evidence) -> Judged {
    let ipc = |kind: &str| {
        let count = |event| e.metric("counters", &format!("{kind}_{event}"));
        Ok::<_, Gap>(count("instructions")?.over(&count("cycles")?))
    };
    // Not merely below 1: in the nearest cache the chase takes about one instruction in a cycle,
    // and is bound by no memory.
    ipc("chase")?
        .at_most(0.2)?
        .because("IPC of chase")?
        .and(ipc("compute")?.at_least(1.0)?.because("of compute"))
}

fn midpoint_classifies(e: &Evidence) -> Judged {
    let of = |name| Ok::<f64, Gap>(e.metric("calibration", name)?.value);
    let (midpoint, mut right, mut wrong) = (of("midpoint")?, 0.0, Vec::new());
    for (name, bound, _) in &LOOPS[2..] {
        let found = if of(name)? < midpoint { Bound::Cpu } else { Bound::Memory };
        if found == *bound {
            right += 1.0;
        } else {
            wrong.push(*name);
        }
    }
    let words = match &wrong[..] {
        [] => "loops classified by the time of a step".to_owned(),
        wrong => format!("not {}", wrong.join(", ")),
    };
    Figure::exact(right, "loops").near(4.0, 0.0)?.because(&words)
}

fn of_the_width(e: &Evidence) -> Judged {
    Figure::exact(0.78 / e.settings().int("width") as f64, "ratio").near(0.195, 1e-9)
}

fn average_hides_bursts(e: &Evidence) -> Judged {
    let figure = |name| e.metric("bursts", name);
    figure("busiest")?
        .at_least(0.9)?
        .because("busiest tenth of a second")?
        .and(figure("average")?.near(0.1, 0.02)?.because("on average"))?
        .and(figure("between")?.at_most(0.05)?.because("tenths neither busy nor idle"))
}

fn spinning_is_busy(e: &Evidence) -> Judged {
    e.metric("spinner", "busy")?.at_least(0.95)?.because("busy")
}

fn spinning_does_nothing(e: &Evidence) -> Judged {
    e.metric("spinner", "taken")?.near(0.0, 0.0)?.because("critical sections")
}

/// The work is reported beside it: what it must be, no virtual machine can know.
fn busy_time_doubles(e: &Evidence) -> Judged {
    let busy = e.metric("two-threads", "busy_of_two")?;
    busy.near(2.0, 0.1)?.because("times the CPU time of one thread")
}

fn all_events_count(e: &Evidence) -> Judged {
    let refused = e.metric("counters", "refused")?.value;
    if refused > 0.0 {
        let all = EVENTS.len();
        let reason =
            format!("{refused:.0} of {all} events are refused: notes of the trial say why");
        return Err(Gap::Unavailable(reason));
    }
    e.metric("counters", "counted")?.near(EVENTS.len() as f64, 0.0)?.because("events that count")
}

fn loop_of_nothing(e: &Evidence) -> Judged {
    let (knobs, instructions) = (e.settings(), 24_766_697_057.0);
    let ipc = instructions / knobs.int("loop-cycles") as f64;
    Figure::exact(ipc, "instructions")
        .near(3.97, 0.005)?
        .because("in a cycle")?
        .and(Figure::exact(ipc, "instructions").at_most(knobs.int("width") as f64))
}

fn build(e: &Evidence) -> Judged {
    let instructions = 1_118_336_816_068.0;
    let ipc = instructions / e.settings().int("build-cycles") as f64;
    Figure::exact(ipc, "instructions").near(0.78, 0.005)?.because("in a cycle")
}

/// By the cost of a sample, which ten thousand in a second tell exactly: what 99 of them cost is less
/// than what comes and goes between turns.
fn cheap_at_its_rate(e: &Evidence) -> Judged {
    let figure = |name| e.metric("sampling", name);
    figure("at_rate")?
        .at_most(0.01)?
        .because("cost of a sample, times the rate")?
        .and(figure("taken")?.at_least(0.8)?.because("samples taken, of those asked for"))
}

fn counting_is_cheaper(e: &Evidence) -> Judged {
    let of_sampling = e.metric("sampling", "counting")?.over(&e.metric("sampling", "fast")?);
    of_sampling.at_most(0.25)?.because("of the cost of 9,999 samples in a second")
}

/// Two loops that look alike to `top`.
pub(crate) const STORY: Story = Story {
    finding,
    reads: &["compute", "chase"],
    chart: Some(ShownBy::Chart(&STAIRCASE, &["sizes"])),
    next: Next {
        set: SMALL,
        ask: "The memory fits into the nearest cache now, and the loops stay as they are: how many \
              times the work?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let busy = |variant| Ok::<f64, Gap>(100.0 * e.metric(variant, "busy")?.value);
    let times = times_the_work(e)?.value;
    let times = if times < 10.0 { format!("{times:.1}") } else { format!("{times:.0}") };
    Ok(format!(
        "Two loops kept a CPU {:.0} % and {:.0} % busy. In a CPU-second the first did {times} times \
         the work of the second.",
        busy("compute")?,
        busy("chase")?,
    ))
}

#[cfg(test)]
mod tests {
    use lab_kit::{Mode, judge_figures};

    use crate::LAB;

    /// The outcome of a claim from made-up counts: of the chase in a step, and of events.
    fn outcome(id: &str, instructions: f64, cycles: f64, [counted, refused]: [f64; 2]) -> String {
        let counts = [
            ("chase_instructions", instructions),
            ("chase_cycles", cycles),
            ("compute_instructions", 11.0),
            ("compute_cycles", 4.0),
            ("counted", counted),
            ("refused", refused),
        ];
        let figures = counts.map(|(metric, count)| ("counters", metric, count, None));
        let dir = tempfile::tempdir().unwrap();
        let judged = judge_figures(&LAB, dir.path(), Mode::Live, &figures).unwrap();
        let judged = judged.into_iter().find(|judged| judged.id == id).unwrap();
        judged.outcome.words().to_owned()
    }

    #[test]
    fn counters_tell_a_chase_through_memory_from_one_through_a_cache() {
        let ipc = |cycles| outcome("CPU-2", 6.0, cycles, [7.0, 0.0]);
        assert_eq!([ipc(450.0), ipc(5.0)], ["reproduced", "not reproduced"]);
    }

    #[test]
    fn seven_events_are_unavailable_where_one_is_refused_and_fail_where_one_counts_nothing() {
        let events = |counts| outcome("PMC-1", 6.0, 450.0, counts);
        assert_eq!(events([7.0, 0.0]), "reproduced");
        assert_eq!(events([6.0, 1.0]), "unavailable");
        assert_eq!(events([6.0, 0.0]), "not reproduced");
    }
}
