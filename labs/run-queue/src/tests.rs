//! Stored figures, which no busy machine moves, are judged by what they say, each requirement
//! alone.

use std::time::Duration;

use lab_kit::{Ctx, How, Lab, Mode, Rehearsal, rehearse, rehearse_observed, stub};
use lab_record::probe::{ProbeHistogram, ProbeLosses, ProbeRecord};
use lab_record::{Judgement, Outcome};

use crate::LAB;

use Outcome::{Invalid, NotReproduced, Reproduced, Unavailable};

fn rehearsal<'a>(variants: &'a [&'a str], set: &'a [(&'a str, &'a str)]) -> Rehearsal<'a> {
    let measure = Some(Duration::from_millis(1_000));
    Rehearsal { mode: Mode::Live, variants, set, measure }
}

fn run(lab: &Lab, variant: &str, set: &[(&str, &str)]) -> Vec<Judgement> {
    let dir = tempfile::tempdir().unwrap();
    rehearse(lab, dir.path(), rehearsal(&[variant], set)).unwrap()
}

/// The outcomes of a claim's checks in one way, in their order.
fn outcomes(judged: &[Judgement], id: &str, how: How) -> Vec<Outcome> {
    judged.iter().filter(|j| j.id == id && j.how == how).map(|j| j.outcome).collect()
}

fn file(ctx: &mut Ctx, metrics: &[(&str, f64)]) {
    ctx.metric("cpus", 2.0, "");
    metrics.iter().for_each(|(name, value)| ctx.metric(name, *value, "ns"));
}

fn crowd(ctx: &mut Ctx, [first, second, median, others]: [f64; 4]) {
    file(ctx, &[("first_mode", first), ("second_mode", second), ("long_wait_median", median)]);
    file(ctx, &[("slice", 1.4e6), ("slice_at_ticks", 4e6), ("spinners_beside", 3.0)]);
    file(ctx, &[("others", others)]);
}

fn sweep(ctx: &mut Ctx, waiting: [f64; 4], others: f64) {
    let names = ["waiting_1", "waiting_2", "waiting_4", "waiting_8"];
    names.iter().zip(waiting).for_each(|(name, share)| file(ctx, &[(name, share)]));
    file(ctx, &[("others", others), ("others_whole", others)]);
    file(ctx, &[("spinners_lived", 15.0), ("expected_whole", 8.0 / 15.0)]);
    file(ctx, &[("waited_by_ended", 8.0), ("waited_by_living", 0.5)]);
}

fn pinned(ctx: &mut Ctx, [least, most, idle, others]: [f64; 4]) {
    file(ctx, &[("least_waiting", least), ("most_waiting", most)]);
    file(ctx, &[("idle_elsewhere", idle), ("others", others)]);
    file(ctx, &[("reads", 1e6), ("bytes", 0.0)]);
}

/// As [`pinned`], of threads that read something.
fn pinned_reading(ctx: &mut Ctx) {
    pinned(ctx, [0.49, 0.51, 0.97, 0.01]);
    file(ctx, &[("bytes", 1e6)]);
}

fn quota(ctx: &mut Ctx, [mean_ms, per_period, others]: [f64; 3]) {
    file(ctx, &[("gap_mean", mean_ms * 1e6), ("gaps_a_period", per_period), ("others", others)]);
}

/// A variant, what it might have filed, and what a claim's live checks say to it.
type Stored<'a> = (&'static str, fn(&mut Ctx), &'a str, &'a [Outcome]);

const STORED: &[Stored] = &[
    (
        "eight-spinners",
        |ctx| crowd(ctx, [2e3, 2e6, 2.2e6, 0.01]),
        "BPF-9",
        &[Reproduced, Unavailable, Reproduced],
    ),
    // Spinners that sleep: one mode, no long wait.
    (
        "eight-spinners",
        |ctx| crowd(ctx, [2e3, 0.0, 0.0, 0.01]),
        "BPF-9",
        &[NotReproduced, Unavailable, NotReproduced],
    ),
    // Long waits, and too few for a mode.
    (
        "eight-spinners",
        |ctx| crowd(ctx, [2e3, 0.0, 2.2e6, 0.01]),
        "BPF-9",
        &[NotReproduced, Unavailable, NotReproduced],
    ),
    // All of them wait for slices; or for longer than these take.
    (
        "eight-spinners",
        |ctx| crowd(ctx, [1e6, 8e6, 13e6, 0.01]),
        "BPF-9",
        &[NotReproduced, Unavailable, NotReproduced],
    ),
    // Others have a tenth of the CPUs, or a third.
    (
        "eight-spinners",
        |ctx| crowd(ctx, [2e3, 2e6, 13e6, 0.1]),
        "BPF-9",
        &[Reproduced, Unavailable, Invalid],
    ),
    (
        "eight-spinners",
        |ctx| crowd(ctx, [2e3, 2e6, 13e6, 0.3]),
        "BPF-9",
        &[Invalid, Unavailable, Invalid],
    ),
    (
        "one-spinner",
        |ctx| crowd(ctx, [2e3, 16e3, 0.0, 0.01]),
        "BPF-9",
        &[Unavailable, Reproduced, Unavailable],
    ),
    (
        "one-spinner",
        |ctx| crowd(ctx, [2e3, 2e6, 2.2e6, 0.01]),
        "BPF-9",
        &[Unavailable, NotReproduced, Unavailable],
    ),
    (
        "one-spinner",
        |ctx| crowd(ctx, [2e3, 2e6, 2.2e6, 0.1]),
        "BPF-9",
        &[Unavailable, Invalid, Unavailable],
    ),
    ("more-spinners", |ctx| sweep(ctx, [0.01, 0.02, 0.52, 0.76], 0.02), "LA-12", &[Reproduced]),
    // No thread spins; one of the steps is off; other programs spin too.
    ("more-spinners", |ctx| sweep(ctx, [0.0; 4], 0.02), "LA-12", &[NotReproduced]),
    ("more-spinners", |ctx| sweep(ctx, [0.06, 0.0, 0.5, 0.75], 0.02), "LA-12", &[NotReproduced]),
    ("more-spinners", |ctx| sweep(ctx, [0.3, 0.5, 0.7, 0.9], 0.4), "LA-12", &[Invalid]),
    (
        "more-spinners",
        |ctx| {
            file(ctx, &[]);
            ctx.unavailable("1 CPUs are too few", "--set cpus=1");
        },
        "LA-12",
        &[Unavailable],
    ),
    ("pinned", |ctx| pinned(ctx, [0.49, 0.51, 0.97, 0.01]), "WS-2", &[Reproduced, Reproduced]),
    // On a CPU each; one starves the other; the other CPU is as busy.
    ("pinned", pinned_reading, "WS-2", &[Reproduced, NotReproduced]),
    ("pinned", |ctx| pinned(ctx, [0.0, 0.01, 0.02, 0.01]), "WS-2", &[NotReproduced, Reproduced]),
    ("pinned", |ctx| pinned(ctx, [0.4, 0.6, 0.97, 0.01]), "WS-2", &[NotReproduced, Reproduced]),
    ("pinned", |ctx| pinned(ctx, [0.5, 0.5, 0.5, 0.01]), "WS-2", &[NotReproduced, Reproduced]),
    ("pinned", |ctx| pinned(ctx, [0.7, 0.7, 0.0, 0.6]), "WS-2", &[Invalid, Reproduced]),
    (
        "pinned",
        |ctx| ctx.unavailable("1 CPUs are too few", "--set cpus=1"),
        "WS-2",
        &[Unavailable, Unavailable],
    ),
    ("quota", |ctx| quota(ctx, [79.6, 1.0, 0.01]), "BWC-1", &[Reproduced]),
    // No quota; half of the period; every other period; others had its CPU.
    ("quota", |ctx| quota(ctx, [0.0, 0.0, 0.01]), "BWC-1", &[NotReproduced]),
    ("quota", |ctx| quota(ctx, [50.0, 1.0, 0.01]), "BWC-1", &[NotReproduced]),
    ("quota", |ctx| quota(ctx, [80.0, 0.5, 0.01]), "BWC-1", &[NotReproduced]),
    ("quota", |ctx| quota(ctx, [50.0, 0.6, 0.6]), "BWC-1", &[Invalid]),
    (
        "quota",
        |ctx| ctx.unavailable("a cgroup with a quota: refused", "run as root"),
        "BWC-1",
        &[Unavailable],
    ),
];

/// A variant is a plain function: the case comes as the number of spinners.
fn case_of(ctx: &Ctx) -> usize {
    ctx.int("spinners") as usize
}

#[test]
fn stored_figures_are_judged_by_their_values() {
    for (case, (variant, _, id, expected)) in STORED.iter().enumerate() {
        let lab = stub(&LAB, &[variant], |ctx| {
            (STORED[case_of(ctx)].1)(ctx);
            Ok(())
        });
        let judged = run(&lab, variant, &[("spinners", &case.to_string())]);
        assert_eq!(outcomes(&judged, id, How::Live), *expected, "case {case}: {judged:#?}");
    }
}

/// A variant, what it filed, what runqlat saw (values and counts, sum, losses), and what a claim's
/// checks by it say.
type Seen<'a> = (&'static str, fn(&mut Ctx), &'a [(u64, u64)], u64, u64, &'a str, &'a [Outcome]);

const HEAPS: &[(u64, u64)] = &[(2_000, 900), (8_000, 90), (2_000_000, 500)];
const HEAP: &[(u64, u64)] = &[(2_000, 900), (8_000, 90), (2_000_000, 3)];

const SEEN: &[Seen] = &[
    ("eight-spinners", quiet, HEAPS, 0, 0, "BPF-9", &[Reproduced, Unavailable]),
    ("eight-spinners", quiet, HEAP, 0, 0, "BPF-9", &[NotReproduced, Unavailable]),
    // What holds although some are lost, holds.
    ("eight-spinners", quiet, HEAPS, 0, 7, "BPF-9", &[Reproduced, Unavailable]),
    ("eight-spinners", quiet, HEAP, 0, 7, "BPF-9", &[Invalid, Unavailable]),
    ("eight-spinners", busy, HEAPS, 0, 0, "BPF-9", &[Invalid, Unavailable]),
    ("eight-spinners", quiet, &[], 0, 0, "BPF-9", &[Unavailable, Unavailable]),
    ("one-spinner", quiet, HEAP, 0, 0, "BPF-9", &[Unavailable, Reproduced]),
    ("one-spinner", quiet, HEAPS, 0, 0, "BPF-9", &[Unavailable, NotReproduced]),
    // 8 s of 15 s, and half a second of threads that do not spin.
    ("more-spinners", quiet, HEAPS, 8_500_000_000, 0, "LA-12", &[Reproduced]),
    // Half of it; a twentieth more than the threads themselves say.
    ("more-spinners", quiet, HEAPS, 4_250_000_000, 0, "LA-12", &[NotReproduced]),
    ("more-spinners", quiet, HEAPS, 8_925_000_000, 0, "LA-12", &[NotReproduced]),
    ("more-spinners", quiet, HEAPS, 4_250_000_000, 1, "LA-12", &[Invalid]),
    ("more-spinners", busy, HEAPS, 8_500_000_000, 0, "LA-12", &[Invalid]),
];

fn quiet(ctx: &mut Ctx) {
    sweep(ctx, [0.0, 0.0, 0.5, 0.75], 0.01);
}

fn busy(ctx: &mut Ctx) {
    sweep(ctx, [0.0, 0.0, 0.5, 0.75], 0.3);
}

fn record(values: &[(u64, u64)], sum: u64, map_full: u64) -> ProbeRecord {
    let histogram = ProbeHistogram {
        name: "runqlat".into(),
        thread: None,
        unit: "ns".into(),
        count: values.iter().map(|(_, count)| count).sum(),
        sum,
        buckets: values.iter().map(|(value, count)| (*value, *value, *count)).collect(),
    };
    let losses = ProbeLosses { map_full, ..ProbeLosses::default() };
    ProbeRecord { histograms: vec![histogram], losses, ..ProbeRecord::empty("runqlat") }
}

#[test]
fn a_probe_record_is_judged_by_its_own_figures() {
    for (case, (variant, _, values, sum, lost, id, expected)) in SEEN.iter().enumerate() {
        let lab = stub(&LAB, &[variant], |ctx| {
            (SEEN[case_of(ctx)].1)(ctx);
            Ok(())
        });
        let dir = tempfile::tempdir().unwrap();
        let number = case.to_string();
        let set = [("spinners", &*number)];
        let what = rehearsal(std::slice::from_ref(variant), &set);
        let saw = |_: &_| record(values, *sum, *lost);
        let judged = rehearse_observed(&lab, dir.path(), what, "runqlat", saw).unwrap();
        assert_eq!(outcomes(&judged, id, How::Probe), *expected, "case {case}: {judged:#?}");
    }
}

#[test]
fn checks_are_unavailable_without_their_probe() {
    let lab = stub(&LAB, &["more-spinners"], |ctx| {
        quiet(ctx);
        Ok(())
    });
    let judged = run(&lab, "more-spinners", &[]);
    for id in ["BPF-9", "LA-12"] {
        let by_probe = outcomes(&judged, id, How::Probe);
        assert!(!by_probe.is_empty() && by_probe.iter().all(|outcome| *outcome == Unavailable));
    }
}
