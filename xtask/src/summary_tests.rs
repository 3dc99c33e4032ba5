use std::collections::BTreeMap;
use std::path::PathBuf;

use lab_record::hlog::{Interval, Log, histogram};
use lab_record::{
    Accounting, Backend, CurveKind, Description, Metrics, Mode, Plan, Profile, ProfileKind, Trial,
    write_json,
};
use tempfile::TempDir;

use super::*;

/// A run of finished trials, each with a label and the values of its `response`, on disk.
struct Fixture {
    dir: TempDir,
    run: Run,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let description = Description {
            story: None,
            lessons: Vec::new(),
            name: "lab".into(),
            question: String::new(),
            sources: Vec::new(),
            knobs: Vec::new(),
            variants: Vec::new(),
            claims: Vec::new(),
            charts: Vec::new(),
        };
        let plan = Plan {
            command: Vec::new(),
            created: String::new(),
            mode: Mode::Live,
            seed: 1,
            description,
            set: Default::default(),
            trials: Vec::new(),
            without_probes: BTreeMap::new(),
            limits: Vec::new(),
        };
        let run =
            Run { dir: dir.path().to_owned(), plan, states: Vec::new(), finished: Vec::new() };
        Self { dir, run }
    }

    /// Adds a finished trial with these values; `change` completes its metrics.
    fn add(&mut self, label: &str, values_ns: &[u64], change: impl FnOnce(&mut Metrics)) {
        let trial = self.plan(label);
        let dir = self.dir.path().join("trials").join(&trial.id);
        std::fs::create_dir_all(&dir).unwrap();
        let mut all = histogram();
        let mut facts = SeriesFacts::default();
        for value in values_ns {
            all.record(*value).unwrap();
            let (min_ns, max_ns, mean_ns) = (*value, *value, *value as f64);
            facts = facts.merged(SeriesFacts {
                count: 1,
                min_ns,
                max_ns,
                mean_ns,
                ..SeriesFacts::default()
            });
        }
        let second = std::time::Duration::from_secs(1);
        let steady = vec![Interval { start: second, length: second, histogram: all }];
        Log { warmup: Vec::new(), steady }.write(&dir.join("response.hlog"), "response").unwrap();
        let mut metrics = Metrics {
            series: BTreeMap::from([("response".into(), facts)]),
            accounting: Accounting { offered: 5, completed: 5, ..Accounting::default() },
            ..Metrics::default()
        };
        change(&mut metrics);
        self.run.finished.push(FinishedTrial { dir, trial, metrics });
        *self.run.states.last_mut().unwrap() = State::Finished;
    }

    /// Adds a trial that was planned but never run.
    fn plan(&mut self, label: &str) -> Trial {
        let trial = Trial {
            id: format!("{:03}-{label}", self.run.plan.trials.len() + 1),
            lab: "lab".into(),
            variant: label.trim_end_matches("@simulated").into(),
            label: label.into(),
            mode: if label.contains('@') { Mode::Simulated } else { Mode::Live },
            seed: 1,
            warmup_ms: 0,
            measure_ms: 1_000,
            interval_ms: 100,
            deadline_ms: 1,
            knobs: Default::default(),
            profile: None,
            probe: None,
            inject: None,
        };
        self.run.plan.trials.push(trial.clone());
        self.run.states.push(State::NotRun);
        trial
    }

    /// Makes the last trial a profiled one.
    fn profiled(&mut self) {
        let profile =
            Some(Profile { kind: ProfileKind::Cpu, backend: Backend::Pprof, hz: Some(99) });
        self.run.finished.last_mut().unwrap().trial.profile = profile.clone();
        self.run.plan.trials.last_mut().unwrap().profile = profile;
    }

    fn summary(&self) -> Summary {
        summarize(&self.run, Default::default(), &PathBuf::from("target/run")).unwrap()
    }
}

fn metric(value: f64, of: Option<(u64, u64)>) -> Metric {
    Metric { value, unit: "ratio".into(), of }
}

#[test]
fn trials_of_a_label_are_one_histogram_and_other_labels_another() {
    let mut fixture = Fixture::new();
    fixture.add("fan-out", &(1..=600).collect::<Vec<_>>(), |_| ());
    fixture.add("fan-out", &(601..=1_000).collect::<Vec<_>>(), |_| ());
    fixture.add("fan-out@simulated", &[7; 20], |_| ());
    let summary = fixture.summary();
    let merged = &summary.series["fan-out"]["response"];
    assert_eq!((merged.count, merged.min_ns, merged.max_ns), (1_000, Some(1), Some(1_000)));
    assert_eq!(merged.mean_ns, Some(500.5));
    assert_eq!((merged.p50_ns, merged.p99_ns, merged.p99_9_ns), (Some(500), Some(990), None));
    let companion = &summary.series["fan-out@simulated"]["response"];
    assert_eq!((companion.count, companion.p50_ns), (20, Some(7)));
    assert_eq!(summary.run, "target/run");
}

#[test]
fn a_profiled_trial_enters_no_figure() {
    let mut fixture = Fixture::new();
    fixture.add("single", &[1; 20], |_| ());
    fixture.add("single", &[900; 20], |metrics| metrics.invalid_reasons.push("slow".into()));
    fixture.profiled();
    let summary = fixture.summary();
    assert_eq!(summary.series["single"]["response"].max_ns, Some(1));
    assert!(summary.valid, "its cost is known: it invalidates nothing");
    assert!(summary.trials[1].profiled);
}

#[test]
fn proportions_are_pooled_and_other_metrics_are_the_median() {
    let mut fixture = Fixture::new();
    for (hits, of, delay) in [(1, 10, 5.0), (90, 100, 7.0), (0, 90, 900.0)] {
        fixture.add("hedged", &[1], |metrics| {
            let share = metric(hits as f64 / of as f64, Some((hits, of)));
            metrics.metrics.insert("slow".into(), share);
            metrics.metrics.insert("delay".into(), metric(delay, None));
        });
    }
    let summary = fixture.summary();
    assert_eq!(summary.metrics["hedged"]["slow"], 91.0 / 200.0);
    assert_eq!(summary.metrics["hedged"]["delay"], 7.0);
}

#[test]
fn curves_over_the_same_x_are_the_median() {
    let mut fixture = Fixture::new();
    for y in [1.0, 100.0, 3.0] {
        fixture.add("sweep", &[1], |metrics| {
            let curve = |name: &str, kind, points| Curve {
                name: name.into(),
                kind,
                x_unit: "ratio".into(),
                y_unit: "ns".into(),
                points,
                intervals: Vec::new(),
            };
            metrics.curves = vec![
                curve("same", CurveKind::Measured, vec![(0.5, y), (0.9, 2.0 * y)]),
                curve("moving", CurveKind::Measured, vec![(y, 1.0)]),
                curve("same", CurveKind::Theory, vec![(0.5, 9.0)]),
            ];
        });
    }
    let curves = fixture.summary().curves;
    let intervals: Vec<_> = curves.iter().map(|curve| curve.intervals.clone()).collect();
    let reach = vec![(1.0, 100.0), (2.0, 200.0)];
    assert_eq!(intervals, [vec![], reach, vec![]], "from the lowest to the highest trial");
    let found: Vec<_> = curves.iter().map(|c| (c.name.as_str(), c.kind, &c.points)).collect();
    assert_eq!(
        found,
        [
            ("moving", CurveKind::Measured, &vec![(1.0, 1.0)]),
            ("same", CurveKind::Measured, &vec![(0.5, 3.0), (0.9, 6.0)]),
            ("same", CurveKind::Theory, &vec![(0.5, 9.0)]),
        ]
    );
}

#[test]
fn a_run_is_valid_only_if_every_counted_trial_is() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.summary().invalid_reasons, ["no trial finished"]);
    fixture.add("single", &[1], |_| ());
    fixture.plan("never-run");
    let summary = fixture.summary();
    assert!(summary.valid);
    assert_eq!(summary.trials[1].state, State::NotRun);
    assert_eq!(summary.trials[0].accounting.completed, 5);
    assert_eq!(summary.requests["single"].answered, 5);
    fixture.add("single", &[1], |metrics| metrics.invalid_reasons.push("late".into()));
    let summary = fixture.summary();
    assert!(!summary.valid);
    assert_eq!(summary.invalid_reasons, ["003-single: late"]);
}

#[test]
fn a_log_that_is_cut_off_is_an_error_with_its_path() {
    let mut fixture = Fixture::new();
    fixture.add("single", &[1, 2, 3], |_| ());
    let log = fixture.run.finished[0].dir.join("response.hlog");
    let whole = std::fs::read(&log).unwrap();
    std::fs::write(&log, &whole[..whole.len() - 20]).unwrap();
    let error = summarize(&fixture.run, Default::default(), &PathBuf::new()).unwrap_err();
    assert!(format!("{error:#}").contains("001-single/response.hlog"), "{error:#}");
}

#[test]
fn a_profile_is_listed_with_its_quality() {
    let mut fixture = Fixture::new();
    fixture.add("single", &[1], |_| ());
    fixture.profiled();
    assert!(fixture.summary().profiles.is_empty(), "no stacks, no profile");
    let dir = &fixture.run.finished[0].dir;
    std::fs::write(dir.join("cpu.folded"), "main;work 9\n").unwrap();
    let quality = ProfileQuality {
        kind: "cpu".into(),
        backend: "pprof".into(),
        requested_hz: Some(99.0),
        achieved_hz: Some(90.0),
        samples: 9,
        ..ProfileQuality::default()
    };
    write_json(&dir.join("cpu.json"), &quality).unwrap();
    let profiles = fixture.summary().profiles;
    assert_eq!(profiles[0].folded, "trials/001-single/cpu.folded");
    assert_eq!((profiles[0].samples, profiles[0].achieved_hz), (9, Some(90.0)));

    // As the probe leaves it for a program that took no CPU time.
    let text = r#"{"schema": "perf-lab.profile/1", "kind": "cpu", "backend": "perf-event",
        "requested_hz": 99, "achieved_hz": null, "samples": 0, "lost": 0, "rootless": 0.0, "kernel": 0.0}"#;
    std::fs::write(dir.join("cpu.json"), text).unwrap();
    assert_eq!(fixture.summary().profiles[0].achieved_hz, None);
}

#[test]
fn a_profile_of_waits_is_listed_as_one() {
    let mut fixture = Fixture::new();
    fixture.add("single", &[1], |_| ());
    fixture.profiled();
    let profile = Profile { kind: ProfileKind::OffCpu, backend: Backend::PerfEvent, hz: None };
    fixture.run.finished[0].trial.profile = Some(profile);
    let dir = &fixture.run.finished[0].dir;
    std::fs::write(dir.join("off-cpu.folded"), "main;wait 9000\n").unwrap();
    let text = r#"{"schema": "perf-lab.profile/1", "kind": "off-cpu", "backend": "perf-event",
        "blocked_seconds": 0.009, "preempted_seconds": 0.0, "samples": 3, "lost": 0, "rootless": 0.0,
        "notes": ["a word"]}"#;
    std::fs::write(dir.join("off-cpu.json"), text).unwrap();
    let summary = fixture.summary();
    let listed = &summary.profiles[0];
    assert_eq!((listed.kind.as_str(), listed.samples), ("off-cpu", 3));
    assert_eq!(listed.folded, "trials/001-single/off-cpu.folded");
    assert_eq!((listed.requested_hz, listed.achieved_hz), (None, None));
    assert_eq!(summary.notes, ["the profile of single: a word"]);
}

#[test]
fn a_percentile_among_unanswered_requests_is_a_bound_in_the_summary() {
    let mut fixture = Fixture::new();
    let values: Vec<u64> = (1..=1_000).map(|i| i * 1_000).collect();
    fixture.add("single", &values, |metrics| {
        let facts = metrics.series.get_mut("response").unwrap();
        (facts.censored, facts.censored_from_ns) = (80, Some(921_000));
        metrics.accounting = Accounting::default();
        metrics.accounting += Accounting { completed: 920, in_flight: 80, ..metrics.accounting };
        metrics.accounting.offered = 1_000;
    });
    let summary = fixture.summary();
    let response = &summary.series["single"]["response"];
    assert_eq!(response.columns().map(|(_, bound)| bound), [false, false, true, false, true]);
    assert_eq!(response.p99_9_ns, None, "too few samples for it");
    assert_eq!((response.censored, response.min_bound), (80, false));
    assert!(response.mean_bound);
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(json["requests"]["single"]["answered"], 920);
    assert_eq!(json["series"]["single"]["response"]["p99_bound"], true);
    assert!(json["series"]["single"]["response"].get("p90_bound").is_none());
}
