//! Probe records are judged by their own figures.

use std::time::Duration;

use lab_kit::{How, Lab, Mode, Rehearsal, rehearse, rehearse_observed, stub};
use lab_record::probe::{ProbeLosses, ProbeRecord, ProbeStacks};
use lab_record::{Judgement, Outcome, Run};
use lab_skip::{Need, skip};

use crate::LAB;

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

/// A claim, its variant and probe, the stacks that the probe leaves, and what is said of them. Of
/// the threads' own figures `WALL_MS` stands for each.
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
    // A timer ends the waits of a thread that polls.
    ("OFF-11", "handoff", "offwaketime", POLLED, NotReproduced),
    ("OFF-11", "handoff", "offwaketime", "client;ask_the_server;--;server 5\n", Unavailable),
];

const HANDED_OFF: &str = "client;ask_the_server;futex;--;wake;server \
                          99\nclient;ask_the_server;mutex;--;wake;other \
                          1\nserver;ask_the_disk;--;wake;disk 90\nserver;idle;--;wake;client \
                          10\ndisk;nanosleep;--;hrtimer_wakeup_[k];rustc 80\n";
const POLLED: &str = "client;ask_the_server;nanosleep;--;hrtimer_wakeup_[k];swapper/0 99\n\
    server;ask_the_disk;--;wake;disk 90\ndisk;nanosleep;--;hrtimer_wakeup_[k];rustc 80\n";

#[test]
fn a_probe_record_is_judged_by_its_own_figures() {
    for (id, variant, probe, folded, expected) in SEEN {
        let lab = stub(&LAB, &[variant], |ctx| {
            ctx.metric("replayed", WALL_MS * 1e6, "ns");
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
fn a_failed_check_is_invalid_where_the_probe_lost_events() {
    let lab = stub(&LAB, &["sleeper"], |ctx| {
        ctx.metric("wall", WALL_MS * 1e6, "ns");
        Ok(())
    });
    for (us, expected) in [(99_010, Reproduced), (75_000, Invalid)] {
        let dir = tempfile::tempdir().unwrap();
        let what = Rehearsal { mode: Mode::Live, variants: &["sleeper"], set: &[], measure: None };
        let file = dir.path().join("trials/001-sleeper/probe/stacks.folded");
        let judged = rehearse_observed(&lab, dir.path(), what, "offcputime", |_| {
            std::fs::write(&file, format!("sleeper;fall_asleep {us}\n")).unwrap();
            let losses = ProbeLosses { unfinished: 1, ..ProbeLosses::default() };
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
fn a_thread_migrates_as_often_as_asked() {
    let (_, run) = run(&LAB, Mode::Live, &["migrating"], &[("moves", "50")]);
    let metrics = &run.finished[0].metrics.metrics;
    if metrics["cpus"].value < 2.0 {
        return skip(Need::Cpus, "one CPU is too few to migrate");
    }
    // It may have been on the first of the two CPUs when it began.
    assert!((49.0..=50.0).contains(&metrics["moves"].value), "{metrics:?}");
}

#[test]
fn graphs_are_kept_as_folded_stacks() {
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
