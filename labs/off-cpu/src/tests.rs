//! Each claim is seen to hold, and to fail once its cause is taken away: on stored figures, which no
//! busy machine moves, and live where the cause is wider than any disturbance.

use std::time::Duration;

use lab_kit::{Ctx, How, Judged, Lab, Mode, Rehearsal, Variant, rehearse, rehearse_observed};
use lab_record::probe::{ProbeLosses, ProbeRecord, ProbeStacks};
use lab_record::{Judgement, Outcome, Run};
use lab_skip::{Need, skip};

use crate::claims::{missing_s, replay_is_exact};
use crate::replay::Key;
use crate::{LAB, VARIANTS};

use Outcome::{Invalid, NotReproduced, Reproduced, Unavailable};

fn run(lab: &Lab, mode: Mode, variants: &[&str], set: &[(&str, &str)]) -> (Vec<Judgement>, Run) {
    let dir = tempfile::tempdir().unwrap();
    let measure = Some(Duration::from_millis(if mode == Mode::Live { 800 } else { 20_000 }));
    let judged = rehearse(lab, dir.path(), Rehearsal { mode, variants, set, measure }).unwrap();
    (judged, Run::load(dir.path()).unwrap())
}

/// The outcomes of a claim's checks in one way, in their order.
fn outcomes(judged: &[Judgement], id: &str, how: How) -> Vec<Outcome> {
    judged.iter().filter(|j| j.id == id && j.how == how).map(|j| j.outcome).collect()
}

fn holds(judged: Judged) -> bool {
    judged.unwrap().holds
}

#[test]
fn formulas_hold_and_nothing_is_said_without_trials() {
    let (judged, _) = run(&LAB, Mode::Virtual, &[], &[]);
    let by = |how| judged.iter().filter(move |j| j.how == how);
    assert_eq!(by(How::ClosedForm).count(), 4);
    assert!(by(How::ClosedForm).all(|j| j.outcome == Reproduced), "{judged:#?}");
    assert!(by(How::Live).all(|j| j.outcome == Unavailable), "{judged:#?}");
    assert!(holds(missing_s(50.798, 1.048, 11.627)) && !holds(missing_s(50.798, 1.048, 0.0)));
    assert!(holds(replay_is_exact(Key::Thread)) && !holds(replay_is_exact(Key::Cpu)));
}

#[test]
fn a_replay_needs_its_key_and_its_filter() {
    for (set, off_4, off_6) in [
        (&[][..], Reproduced, Reproduced),
        (&[("key", "cpu")], NotReproduced, NotReproduced),
        (&[("filter", "off")], Reproduced, NotReproduced),
    ] {
        let (judged, _) = run(&LAB, Mode::Virtual, &["synthetic"], set);
        let of = |id| outcomes(&judged, id, How::Virtual);
        assert_eq!((of("OFF-4"), of("OFF-6")), (vec![off_4], vec![off_6]), "{set:?}");
    }
}

/// The lab with one variant that files other figures under the same name.
fn planted(name: &'static str, run: fn(&mut Ctx) -> anyhow::Result<()>) -> Lab {
    let plant = Variant::new(name, "planted", run).live([1; 3]);
    let others = VARIANTS.iter().filter(|v| !format!("{v:?}").contains(&format!("\"{name}\"")));
    let variants: Vec<Variant> = std::iter::once(plant).chain(others.copied()).collect();
    Lab { variants: variants.leak(), ..LAB }
}

/// A variant, what it might have filed, and what each claim's live checks say to it.
type Stored<'a> = (&'static str, fn(&mut Ctx), &'a [(&'a str, &'a [Outcome])]);

const STORED: &[Stored] = &[
    (
        "thread-states",
        |ctx| {
            ctx.metric("worst_gap", 0.004, "ratio");
            ctx.metric("widths_over_wall", 0.999, "ratio");
            ctx.proportion("told_apart", 8, 8);
            ctx.metric("kept_waiting", 0.0, "threads");
        },
        &[
            ("OFF-1", &[Reproduced, Unavailable]),
            ("OFF-13", &[Reproduced]),
            ("MTH-3", &[Reproduced]),
        ],
    ),
    (
        // A sleep that nobody noted.
        "thread-states",
        |ctx| {
            ctx.metric("worst_gap", 0.3, "ratio");
            ctx.metric("widths_over_wall", 0.7, "ratio");
            ctx.proportion("told_apart", 8, 8);
            ctx.metric("kept_waiting", 0.0, "threads");
        },
        &[
            ("OFF-1", &[NotReproduced, Unavailable]),
            ("OFF-13", &[NotReproduced]),
            ("MTH-3", &[NotReproduced]),
        ],
    ),
    (
        "thread-states",
        |ctx| {
            ctx.metric("worst_gap", 0.004, "ratio");
            ctx.proportion("told_apart", 7, 8);
            ctx.metric("kept_waiting", 0.0, "threads");
        },
        &[("MTH-3", &[NotReproduced])],
    ),
    (
        "thread-states",
        |ctx| {
            ctx.metric("worst_gap", 0.004, "ratio");
            ctx.proportion("told_apart", 7, 8);
            ctx.metric("kept_waiting", 1.0, "threads");
        },
        &[("OFF-1", &[Reproduced, Unavailable]), ("MTH-3", &[Invalid])],
    ),
    (
        "migrating",
        |ctx| {
            ctx.metric("cpus", 2.0, "");
            ctx.metric("worst_gap", 0.01, "ratio");
            ctx.metric("replayed_over_truth", 0.99, "ratio");
        },
        &[("OFF-1", &[Unavailable, Reproduced]), ("OFF-4", &[Reproduced])],
    ),
    (
        "migrating",
        |ctx| {
            ctx.metric("cpus", 2.0, "");
            ctx.metric("worst_gap", 0.03, "ratio");
            ctx.metric("replayed_over_truth", 1.5, "ratio");
        },
        &[("OFF-1", &[Unavailable, NotReproduced]), ("OFF-4", &[NotReproduced])],
    ),
    (
        "migrating",
        |ctx| ctx.metric("cpus", 1.0, ""),
        &[("OFF-1", &[Unavailable, Unavailable]), ("OFF-4", &[Unavailable])],
    ),
    (
        "crowded",
        |ctx| crowded(ctx, [13e6, 10.1e6, 0.99, 0.001]),
        &[("OFF-5", &[Reproduced]), ("OFF-6", &[Reproduced])],
    ),
    // Nobody else wants the CPU; the spinners sleep.
    (
        "crowded",
        |ctx| crowded(ctx, [10.2e6, 10.1e6, 0.3, 0.5]),
        &[("OFF-5", &[NotReproduced]), ("OFF-6", &[NotReproduced])],
    ),
    // What is subtracted is not what was waited.
    (
        "crowded",
        |ctx| crowded(ctx, [13e6, 12e6, 0.99, 0.2]),
        &[("OFF-5", &[NotReproduced]), ("OFF-6", &[NotReproduced])],
    ),
    (
        "ping-pong",
        |ctx| ping_pong(ctx, [4.0, 1.0], [1.07, 1.05, 1.09]),
        &[("OFF-8", &[Reproduced, Reproduced])],
    ),
    // Nothing is recorded; or sums are dumped; or nothing can be told.
    (
        "ping-pong",
        |ctx| ping_pong(ctx, [0.0, 1.0], [0.93, 0.91, 0.95]),
        &[("OFF-8", &[NotReproduced, NotReproduced])],
    ),
    (
        "ping-pong",
        |ctx| ping_pong(ctx, [4.0, 4.0], [1.01, 0.97, 1.05]),
        &[("OFF-8", &[NotReproduced, Invalid])],
    ),
    (
        "ping-pong",
        |ctx| ctx.metric("perf_event_errno", 13.0, ""),
        &[("OFF-8", &[Unavailable, Unavailable])],
    ),
    ("blocked-stack", |ctx| ctx.metric("syscall_errno", 2.0, ""), &[("OFF-3", &[Unavailable])]),
];

fn crowded(ctx: &mut Ctx, [off, blocked, involuntary, left]: [f64; 4]) {
    ctx.metric("off_cpu_mean", off, "ns");
    ctx.metric("blocked_mean", blocked, "ns");
    ctx.proportion("involuntary", (involuntary * 1_000.0) as u64, 1_000);
    ctx.metric("left_by_the_filter", left, "ratio");
}

fn ping_pong(ctx: &mut Ctx, [dump, sum]: [f64; 2], [cost, low, high]: [f64; 3]) {
    ctx.metric("dump_growth", dump, "times");
    ctx.metric("sum_growth", sum, "times");
    ctx.metric("cost", cost, "times");
    ctx.metric("cost_low", low, "times");
    ctx.metric("cost_high", high, "times");
}

#[test]
fn stored_figures_are_judged_by_what_they_say() {
    for (case, (variant, _, expected)) in STORED.iter().enumerate() {
        let lab = planted(variant, |ctx| {
            // A variant is a plain function: the case comes as the number of workers.
            (STORED[ctx.int("workers") as usize - 1].1)(ctx);
            Ok(())
        });
        let number = (case + 1).to_string();
        let (judged, _) = run(&lab, Mode::Live, &[variant], &[("workers", &number)]);
        for (id, outcome) in *expected {
            assert_eq!(outcomes(&judged, id, How::Live), *outcome, "case {case}: {id}");
        }
    }
}

/// Claim, which of its live checks, its variant, and what takes the cause away.
type Live<'a> = (&'a str, usize, &'a str, (&'a str, &'a str));

// Whatever the machine is busy with, a second in each round is a wide gap.
const LIVE: &[Live] = &[
    ("OFF-1", 0, "thread-states", ("unseen", "1s")),
    ("OFF-3", 0, "blocked-stack", ("look", "across")),
    ("OFF-4", 0, "migrating", ("key", "cpu")),
    ("OFF-6", 0, "crowded", ("give-up", "sleep")),
    ("OFF-7", 0, "idle-pool", ("workers", "1")),
    ("OFF-8", 0, "ping-pong", ("record", "nothing")),
    ("OFF-11", 0, "handoff", ("wake", "polling")),
    ("OFF-13", 0, "thread-states", ("unseen", "1s")),
    ("OFF-14", 0, "sleeper", ("spin", "0.1")),
    ("LAB-2", 0, "accept", ("accept", "polling")),
    ("LAB-7", 0, "sleeper", ("spin", "0.1")),
];

/// A trial that a busy machine makes invalid says nothing; otherwise the claim has to fail.
#[test]
fn live_checks_fail_without_their_cause() {
    for (id, check, variant, without_cause) in LIVE {
        let (judged, _) = run(&LAB, Mode::Live, &[variant], &[*without_cause]);
        let outcome = outcomes(&judged, id, How::Live)[*check];
        let said_nothing = [Invalid, Unavailable].contains(&outcome);
        assert!(outcome == NotReproduced || said_nothing, "{id}: {judged:#?}");
        if said_nothing {
            println!("{id}: {outcome:?}");
        }
    }
}

/// What counts tell, and shares that others' work on the machine does not move.
#[test]
fn live_checks_find_what_is_there() {
    for (id, check, variant, _) in LIVE {
        // A machine that is busy elsewhere may disturb one trial, not every one.
        let found = (0..3).any(|_| {
            let (judged, _) = run(&LAB, Mode::Live, &[variant], &[]);
            let outcome = outcomes(&judged, id, How::Live)[*check];
            if outcome != Reproduced {
                println!("{:?}", judged.iter().find(|j| j.id == *id && j.how == How::Live));
            }
            matches!(outcome, Reproduced | Invalid | Unavailable)
        });
        assert!(found, "{id}");
    }
}

/// A claim, its variant and probe, the stacks that the probe leaves, and what is said of them. Of the threads' own
/// figures `WALL_MS` stands for each.
type Seen<'a> = (&'a str, &'static str, &'static str, &'a str, Outcome);

const WALL_MS: f64 = 100.0;

const SEEN: &[Seen] = &[
    (
        "OFF-4",
        "migrating",
        "offcputime",
        "migrates;a 60000\nmigrates;b 39500\nhiccup;c 70000\n",
        Reproduced,
    ),
    // Starts kept by CPU: each is charged twice.
    ("OFF-4", "migrating", "offcputime", "migrates;a 120000\nmigrates;b 79000\n", NotReproduced),
    ("OFF-4", "migrating", "offcputime", "hiccup;c 70000\n", NotReproduced),
    ("OFF-14", "sleeper", "offcputime", "sleeper;x;fall_asleep;y 99010\n", Reproduced),
    // It spins a tenth; or its blocked stack changes.
    ("OFF-14", "sleeper", "offcputime", "sleeper;x;fall_asleep;y 90000\n", NotReproduced),
    (
        "OFF-14",
        "sleeper",
        "offcputime",
        "sleeper;fall_asleep;y 49505\nsleeper;fall_asleep;z 49505\n",
        NotReproduced,
    ),
    ("OFF-11", "handoff", "offwaketime", HANDED_OFF, Reproduced),
    // A timer ends the waits of who polls.
    ("OFF-11", "handoff", "offwaketime", POLLED, NotReproduced),
    ("OFF-11", "handoff", "offwaketime", "client;ask_the_server;--;server 5\n", Unavailable),
];

const HANDED_OFF: &str = "client;ask_the_server;futex;--;wake;server 99\nclient;ask_the_server;mutex;--;wake;other 1\n\
    server;ask_the_disk;--;wake;disk 90\nserver;idle;--;wake;client 10\ndisk;nanosleep;--;hrtimer_wakeup_[k];rustc 80\n";
const POLLED: &str = "client;ask_the_server;nanosleep;--;hrtimer_wakeup_[k];swapper/0 99\n\
    server;ask_the_disk;--;wake;disk 90\ndisk;nanosleep;--;hrtimer_wakeup_[k];rustc 80\n";

#[test]
fn what_a_probe_saw_is_judged_by_what_it_says() {
    for (id, variant, probe, folded, expected) in SEEN {
        let lab = planted(variant, |ctx| {
            ctx.metric("voluntary", WALL_MS * 1e6, "ns");
            ctx.metric("wall", WALL_MS * 1e6, "ns");
            Ok(())
        });
        let dir = tempfile::tempdir().unwrap();
        let what = Rehearsal { mode: Mode::Live, variants: &[variant], set: &[], measure: None };
        let directory = dir.path().join(format!("trials/001-{variant}/probe"));
        let judged = rehearse_observed(&lab, dir.path(), what, probe, |_| {
            std::fs::write(directory.join("stacks.folded"), folded).unwrap();
            record(probe)
        });
        assert_eq!(outcomes(&judged.unwrap(), id, How::Probe), [*expected], "{id}: {folded}");
    }
}

#[test]
fn what_fails_where_a_probe_lost_something_is_invalid() {
    let lab = planted("sleeper", |ctx| {
        ctx.metric("wall", WALL_MS * 1e6, "ns");
        Ok(())
    });
    for (us, expected) in [(99_010, Reproduced), (75_000, Invalid)] {
        let dir = tempfile::tempdir().unwrap();
        let what = Rehearsal { mode: Mode::Live, variants: &["sleeper"], set: &[], measure: None };
        let file = dir.path().join("trials/001-sleeper/probe/stacks.folded");
        let judged = rehearse_observed(&lab, dir.path(), what, "offcputime", |_| {
            std::fs::write(&file, format!("sleeper;fall_asleep {us}\n")).unwrap();
            let losses = ProbeLosses { untold: 1, ..ProbeLosses::default() };
            ProbeRecord { losses, ..record("offcputime") }
        });
        assert_eq!(outcomes(&judged.unwrap(), "OFF-14", How::Probe), [expected]);
    }
}

/// Of `probe`, with its stacks in `stacks.folded`.
fn record(probe: &str) -> ProbeRecord {
    let kind = if probe == "offcputime" { "off-cpu" } else { "offwake" };
    let folded = ProbeStacks {
        kind: kind.into(),
        file: "stacks.folded".into(),
        unit: "us".into(),
        total: 0,
        rootless: 0.0,
    };
    ProbeRecord { folded: vec![folded], ..ProbeRecord::empty(probe) }
}

#[test]
fn a_thread_is_moved_as_often_as_asked() {
    let (_, run) = run(&LAB, Mode::Live, &["migrating"], &[("moves", "50")]);
    let metrics = &run.finished[0].metrics.metrics;
    if metrics["cpus"].value < 2.0 {
        return skip(Need::Cpus, "one CPU is too few to migrate");
    }
    // It may have been on the first of the two CPUs when it began.
    assert!((49.0..=50.0).contains(&metrics["moves"].value), "{metrics:?}");
}

#[test]
fn pictures_are_kept_as_folded_stacks() {
    let dir = tempfile::tempdir().unwrap();
    let what = Rehearsal {
        mode: Mode::Live,
        variants: &["handoff", "idle-pool"],
        set: &[],
        measure: Some(Duration::from_millis(200)),
    };
    rehearse(&LAB, dir.path(), what).unwrap();
    let read = |path: &str| std::fs::read_to_string(dir.path().join("trials").join(path)).unwrap();
    let chains = read("001-handoff/offwake.folded");
    let chain = chains.lines().next().unwrap();
    for link in
        ["client;", "ask_the_server", ";--;server;", "answer_the_client", ";--;disk;", ";--;timer "]
    {
        assert!(chain.contains(link), "{link} is not in {chains}");
    }
    let (all, within) =
        (read("002-idle-pool/off-cpu.folded"), read("002-idle-pool/within-requests.folded"));
    assert!(all.contains("wait_for_work") && all.contains("read_disk"), "{all}");
    assert!(within.contains("read_disk") && !within.contains("wait_for_work"), "{within}");
}

#[test]
fn the_lab_describes_itself() {
    assert_eq!(LAB.describe().name, env!("CARGO_PKG_NAME"));
}
