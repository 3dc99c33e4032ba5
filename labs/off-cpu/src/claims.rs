//! The claims, and what would refute each of them.
//!
//! Live checks hold on a machine that others use too: the time that a thread waits for a CPU is
//! kept apart from the time that it is blocked, so that others' work moves neither their sum nor a
//! blocked share.

use lab_kit::{
    Claim, Evidence, Figure, Finding, Gap, Judged, closed_form, cpus, live, observed, simulated,
};

use crate::drawing;
use crate::probed::{self, SUM};
use crate::sources::{HOT_COLD, OFF_CPU, OFF_CPU_FLAME_GRAPHS, PERF_LABS, TSA};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim {
        id: "OFF-1",
        says: "On-CPU and off-CPU time together are all of a thread's time.",
        source: &OFF_CPU,
        checks: &[
            live(&["thread-states"], |e| adds_up(e, "thread-states", SUM)).without(UNSEEN),
            live(&["migrating"], adds_up_on_the_move).without(UNSEEN),
        ],
        shown_by: &[],
    },
    Claim {
        id: "OFF-2",
        says: "A tar of 50.798 s with 1.048 s of user and 11.627 s of system time was off the CPU \
               for 38.2 s.",
        source: &OFF_CPU,
        checks: &[closed_form(missing).without(&[("tar-system", "0")]).calibrates()],
        shown_by: &[],
    },
    Claim {
        id: "OFF-3",
        says: "A blocked thread's stack does not change: one stack for each block is enough.",
        source: &OFF_CPU,
        checks: &[live(&["blocked-stack"], stack_stays).without(&[("look", "across")])],
        shown_by: &[],
    },
    Claim {
        id: "OFF-4",
        says: "A start for the thread that leaves, a sum for the one that comes: two lookups a \
               switch give all off-CPU time.",
        source: &OFF_CPU,
        checks: &[
            simulated(&["synthetic"], |e| e.metric("synthetic", "off_cpu_error")?.near(0.0, 0.0))
                .without(BY_CPU),
            live(&["migrating"], replay_agrees_with_the_kernel).without(BY_CPU),
            observed(&[("migrating", "offcputime")], probed::migration_is_whole).without(BY_CPU),
        ],
        shown_by: &[],
    },
    Claim {
        id: "OFF-5",
        says: "Off-CPU time holds time in a run queue too; without it, blocked time is left.",
        source: &OFF_CPU,
        checks: &[live(&["crowded"], run_queue_is_in_it).without(&[("spinners", "0")])],
        shown_by: &[],
    },
    Claim {
        id: "OFF-6",
        says: "A preempted thread's stack is of no meaning: count only those that block.",
        source: &OFF_CPU,
        checks: &[
            simulated(&["synthetic"], |e| e.metric("synthetic", "blocking_error")?.near(0.0, 0.0))
                .without(&[("filter", "off")]),
            live(&["crowded"], filter_leaves_nothing).without(&[("give-up", "sleep")]),
        ],
        shown_by: &[],
    },
    Claim {
        id: "OFF-7",
        says: "Threads that wait for work fill the graph, more than the wall clock's time; what \
               counts is what requests wait for.",
        source: &OFF_CPU,
        checks: &[live(&["idle-pool"], idle_threads_dominate).without(&[("workers", "1")])],
        shown_by: &[],
    },
    Claim {
        id: "OFF-8",
        says: "A dump of all switches grows with them, and costs CPU.",
        source: &OFF_CPU,
        checks: &[
            live(&["ping-pong"], dump_grows).without(UNRECORDED),
            live(&["ping-pong"], dump_costs).without(UNRECORDED),
        ],
        shown_by: &[],
    },
    Claim {
        id: "OFF-11",
        says: "The blocked stack shows the path; why it took so long, the one who woke it knows.",
        source: &OFF_CPU,
        checks: &[
            live(&["handoff"], chain_is_named).without(POLLING),
            observed(&[("handoff", "offwaketime")], probed::wakers_are_named).without(POLLING),
        ],
        shown_by: &[],
    },
    Claim {
        id: "OFF-13",
        says: "A hot/cold graph is all time of a thread, on and off the CPU: widths add up to the \
               wall clock.",
        source: &HOT_COLD,
        checks: &[
            closed_form(|e| drawing::off_13(e.settings().text("hot")))
                .without(&[("hot", "left-out")]),
            live(&["thread-states"], widths_are_the_wall).without(UNSEEN),
        ],
        shown_by: &[],
    },
    Claim {
        id: "OFF-14",
        says: "A program that sleeps a second and spins a hundredth of it is off the CPU for 98 % \
               and more, in one stack.",
        source: &PERF_LABS,
        checks: &[
            live(&["sleeper"], sleeps).without(SPINS_A_TENTH),
            observed(&[("sleeper", "offcputime")], probed::sleeps_in_one_stack)
                .without(SPINS_A_TENTH),
        ],
        shown_by: &[],
    },
    Claim {
        id: "OFF-15",
        says: "Off-CPU graphs are blue, count microseconds, and part user from kernel by a `-`.",
        source: &OFF_CPU_FLAME_GRAPHS,
        checks: &[closed_form(|e| drawing::off_15(e.settings().text("palette")))
            .without(&[("palette", "cpu")])],
        shown_by: &[],
    },
    Claim {
        id: "LAB-2",
        says: "A thread in accept() that nobody calls is off the CPU all of its time.",
        source: &PERF_LABS,
        checks: &[live(&["accept"], waits_in_accept).without(&[("accept", "polling")])],
        shown_by: &[],
    },
    Claim {
        id: "LAB-7",
        says: "Of a second's sleep and a hundredth's spin, the CPU sees 1 %.",
        source: &PERF_LABS,
        checks: &[live(&["sleeper"], spins_a_hundredth).without(SPINS_A_TENTH)],
        shown_by: &[],
    },
    Claim {
        id: "MTH-3",
        says: "Every thread's time is divided among its states, and the largest says where to \
               look.",
        source: &TSA,
        checks: &[live(&["thread-states"], states_tell_threads_apart).without(UNSEEN)],
        shown_by: &[],
    },
];

/// A second in each round that no diary notes: a wide gap, even on a busy machine.
const UNSEEN: &[(&str, &str)] = &[("unseen", "1s")];
const BY_CPU: &[(&str, &str)] = &[("key", "cpu")];
const UNRECORDED: &[(&str, &str)] = &[("record", "nothing")];
const POLLING: &[(&str, &str)] = &[("wake", "polling")];
const SPINS_A_TENTH: &[(&str, &str)] = &[("spin", "0.1")];

fn adds_up(e: &Evidence, variant: &str, tolerance: f64) -> Judged {
    let gap = e.metric(variant, "worst_gap")?;
    gap.at_most(tolerance)?.because("worst thread: running + waiting + blocked, off the wall clock")
}

fn adds_up_on_the_move(e: &Evidence) -> Judged {
    needs_two_cpus(e)?;
    adds_up(e, "migrating", SUM)
}

fn needs_two_cpus(e: &Evidence) -> Result<(), Gap> {
    if e.metric("migrating", "cpus")?.value < 2.0 {
        return Err(Gap::Unavailable("one CPU is too few to migrate".into()));
    }
    Ok(())
}

fn missing(e: &Evidence) -> Judged {
    let system_s = e.settings().float("tar-system");
    // The page prints a digit less than its figures give.
    Figure::exact(50.798 - 1.048 - system_s, "s").near(38.2, 0.1)
}

fn stack_stays(e: &Evidence) -> Judged {
    e.metric("blocked-stack", "same_stack")?
        .near(1.0, 0.0)?
        .because("blocks that end where they began")?
        .and(e.metric("blocked-stack", "places")?.at_least(2.0)?.because("places"))
}

fn replay_agrees_with_the_kernel(e: &Evidence) -> Judged {
    needs_two_cpus(e)?;
    e.metric("migrating", "replayed_over_truth")?
        .near(1.0, SUM)?
        .because("replayed switches over the kernel's clocks")
}

/// Other programs on the sleeper's CPU would be mistaken for the spinners.
const MOST_TIME_OF_OTHERS: f64 = 0.05;

fn run_queue_is_in_it(e: &Evidence) -> Judged {
    cpus::undisturbed("crowded", e.metric("crowded", "others")?.value, MOST_TIME_OF_OTHERS)?;
    let mean = |what| e.metric("crowded", what);
    let (off, blocked) = (mean("off_cpu_mean")?, mean("blocked_mean")?);
    // A timer on a virtual machine ends a sleep some 0.1 ms late.
    blocked
        .near_relative(10e6, 0.05)?
        .because("blocked a sleep")?
        .and(off.over(&mean("blocked_mean")?).at_least(1.1)?.because("off-CPU over blocked"))
}

fn filter_leaves_nothing(e: &Evidence) -> Judged {
    e.metric("crowded", "involuntary")?
        .at_least(0.9)?
        .because("spinners' switches that are involuntary")?
        .and(e.metric("crowded", "left_by_the_filter")?.at_most(0.05)?.because("off-CPU time left"))
}

fn idle_threads_dominate(e: &Evidence) -> Judged {
    e.metric("idle-pool", "off_cpu_over_wall")?
        .near_relative(8.0, SUM)?
        .because("off-CPU time over the wall clock")?
        .and(
            e.metric("idle-pool", "left_within_requests")?
                .at_most(0.1)?
                .because("of it in requests"),
        )
}

fn dump_grows(e: &Evidence) -> Judged {
    e.metric("ping-pong", "dump_growth")?
        .near_relative(4.0, 0.1)?
        .because("dump of four times the switches")
}

/// A cost whose whole interval is below this share counts as zero; an interval that reaches beyond
/// it decides nothing.
///
/// From the source: its dump took 9 % of a CPU for 12,750 switches a second, which is 7 µs each. A
/// switch takes some 3 µs itself, so that 5 % of it, 0.15 µs, is a fiftieth of what the source saw:
/// a machine that has the source's cost is never taken for one that has none. It does not decide
/// what holds, which is a cost that is surely above none, but only when its absence is sure.
const NO_COST: f64 = 0.05;

fn dump_costs(e: &Evidence) -> Judged {
    let metric = |name| Ok(e.metric("ping-pong", name)?.value);
    let (cost, low, high) = (metric("cost")?, metric("cost_low")?, metric("cost_high")?);
    if low <= 1.0 && high > 1.0 + NO_COST {
        let reason = "no cost to be told from the machine's noise";
        return Err(Gap::Invalid(format!("{reason}: {low:.3} to {high:.3} times")));
    }
    let figure = Figure { value: cost, interval: Some((low, high)), unit: "times".into() };
    let judged = figure.at_least(1.0)?.because("CPU a round trip, recorded over not, surely")?;
    Ok(Finding { holds: low > 1.0, ..judged })
}

fn chain_is_named(e: &Evidence) -> Judged {
    e.metric("handoff", "chain_named")?
        .near(1.0, 0.0)?
        .because("waits whose chain is server < disk < timer")
}

fn widths_are_the_wall(e: &Evidence) -> Judged {
    e.metric("thread-states", "widths_over_wall")?
        .near(1.0, SUM)?
        .because("widths over the wall clock")
}

fn sleeps(e: &Evidence) -> Judged {
    // A second of sleep in 1.01 s.
    e.metric("sleeper", "in_one_stack")?.near(1.0 / 1.01, 0.01)?.because("blocked in one stack")
}

fn waits_in_accept(e: &Evidence) -> Judged {
    e.metric("accept", "in_accept")?
        .at_least(0.99)?
        .because("blocked in accept")?
        .and(e.metric("accept", "on_cpu")?.at_most(0.01)?.because("on a CPU"))
}

fn spins_a_hundredth(e: &Evidence) -> Judged {
    let on_cpu = || e.metric("sleeper", "on_cpu");
    // A point to either side would take a sleeper that does nothing for one that spins.
    on_cpu()?.near(0.01 / 1.01, 0.01)?.because("on a CPU")?.and(on_cpu()?.at_least(0.005))
}

fn states_tell_threads_apart(e: &Evidence) -> Judged {
    let kept_waiting = e.metric("thread-states", "kept_waiting")?.value;
    if kept_waiting > 0.0 {
        let reason = "threads made to block waited for a CPU most of the time: others have it";
        return Err(Gap::Invalid(format!("{kept_waiting} {reason}")));
    }
    e.metric("thread-states", "told_apart")?
        .near(1.0, 0.0)?
        .because("threads whose largest state is their own")?
        .and(adds_up(e, "thread-states", 0.03))
}
