//! Run directories made by hand: as large, as hostile or as broken as a test wants them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lab_record::hlog::{Interval, Log, histogram};
use lab_record::*;
use tempfile::TempDir;

/// Markup, quotes and separators that must stay text wherever a page shows them.
pub(crate) const HOSTILE: &str = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">'\"]]>--&lt;\u{2028}`${1}`";

/// What a run is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Timed trials, shared out to the two variants.
    pub trials: usize,
    /// Intervals of each trial.
    pub intervals: u64,
    /// Requests of each interval.
    pub requests: u64,
    /// Distinct stacks of the profiled trial; 0 for no profile.
    pub stacks: u64,
    /// Whether its samples carry times.
    pub times: bool,
    /// Whether trials record nothing but `response`.
    pub only_response: bool,
    /// Whether every string is [`HOSTILE`].
    pub hostile: bool,
}

pub(crate) const USUAL: Shape = Shape {
    trials: 4,
    intervals: 20,
    requests: 500,
    stacks: 200,
    times: true,
    only_response: false,
    hostile: false,
};

/// When the trials began, in ns.
const BEGAN_NS: u64 = 5_000_000_000;

/// Makes a run; it lies in the directory for as long as that lives.
pub(crate) fn run(shape: Shape) -> (TempDir, Summary) {
    let home = tempfile::tempdir().unwrap();
    let summary = write(home.path(), shape);
    (home, summary)
}

/// The page of a run in `dir`.
pub(crate) fn page(dir: &Path) -> PathBuf {
    lab_report::write_run(dir, None).unwrap()
}

/// Writes a whole run into `dir`, and its summary as the runner would.
pub(crate) fn write(dir: &Path, shape: Shape) -> Summary {
    let mut trials: Vec<Trial> = (0..shape.trials).map(|i| trial(shape, i)).collect();
    if shape.stacks > 0 {
        let backend = if shape.times { Backend::PerfEvent } else { Backend::Pprof };
        let profile = Some(Profile { kind: ProfileKind::Cpu, backend, hz: Some(99) });
        trials.push(Trial { id: "900-profiled".into(), profile, ..trial(shape, 0) });
    }
    let mut series: BTreeMap<String, BTreeMap<String, SeriesSummary>> = BTreeMap::new();
    let mut merged = BTreeMap::new();
    for (number, trial) in trials.iter().enumerate() {
        let metrics = write_trial(dir, trial, shape, number as u64);
        if trial.profile.is_some() {
            continue;
        }
        for (name, facts) in &metrics.series {
            let log = Log::read(&dir.join("trials").join(&trial.id).join(format!("{name}.hlog")))
                .unwrap();
            let (all, sum) = merged
                .entry((trial.label.clone(), name.clone()))
                .or_insert_with(|| (histogram(), SeriesFacts::default()));
            all.add(log.total()).unwrap();
            *sum = sum.merged(*facts);
        }
    }
    for ((label, name), (all, facts)) in &merged {
        let of_label = series.entry(label.clone()).or_default();
        of_label.insert(name.clone(), SeriesSummary::new(all, *facts));
    }
    let summary = summary(shape, &trials, series);
    write_json(&dir.join("plan.json"), &plan(shape, trials)).unwrap();
    write_json(&dir.join("environment.json"), &environment(shape)).unwrap();
    write_json(&dir.join("summary.json"), &summary).unwrap();
    summary
}

/// `plain`, or the hostile text with `plain` before it.
fn text(shape: Shape, plain: &str) -> String {
    if shape.hostile { format!("{plain}{HOSTILE}") } else { plain.to_owned() }
}

/// A name of a file cannot be hostile: a run with such a one is refused when it is read.
fn variant(i: usize) -> String {
    if i.is_multiple_of(2) { "calm".to_owned() } else { "busy".to_owned() }
}

fn trial(shape: Shape, i: usize) -> Trial {
    Trial {
        id: format!("{:03}-{}", i + 1, variant(i)),
        lab: "example".into(),
        variant: variant(i),
        label: variant(i),
        mode: Mode::Live,
        seed: 7 + i as u64,
        warmup_ms: 200,
        measure_ms: shape.intervals * 100,
        interval_ms: 100,
        deadline_ms: 60_000,
        knobs: BTreeMap::from([("note".into(), KnobValue::Text(text(shape, "other")))]),
        profile: None,
        probe: None,
        inject: None,
    }
}

fn write_trial(dir: &Path, trial: &Trial, shape: Shape, number: u64) -> Metrics {
    let dir = dir.join("trials").join(&trial.id);
    fs::create_dir_all(&dir).unwrap();
    write_json(&dir.join("trial.json"), trial).unwrap();
    let mut metrics = Metrics { notes: vec![text(shape, "a note")], ..Metrics::default() };
    let base_ns = if trial.variant.starts_with("busy") { 4_000_000 } else { 1_000_000 };
    for (name, ns) in
        [("response", base_ns), ("service", base_ns / 2), ("lateness", 20_000), ("hiccup", 80_000)]
    {
        if shape.only_response && name != "response" {
            continue;
        }
        let (log, facts) = log(shape, ns, number);
        log.write(&dir.join(format!("{name}.hlog")), name).unwrap();
        metrics.series.insert(name.into(), facts);
    }
    let count = metrics.series["response"].count;
    metrics.accounting = Accounting { offered: count, completed: count, ..Accounting::default() };
    metrics.metrics.insert(
        text(shape, "slow_ratio"),
        Metric { value: 0.125, unit: "ratio".into(), of: Some((1, 8)) },
    );
    let points = (0..50).map(|i| (f64::from(i) / 10.0, f64::from(i % 7))).collect();
    metrics.gauges.insert("queue".into(), Gauge { unit: "requests".into(), points });
    if trial.profile.is_some() {
        metrics.began_ns = Some(BEGAN_NS);
        profile(&dir, shape);
    }
    write_json(&dir.join("metrics.json"), &metrics).unwrap();
    let exit = Exit {
        state: State::Finished,
        code: Some(0),
        signal: None,
        lived_ms: 1,
        others_cpu_ratio: None,
    };
    write_json(&dir.join("exit.json"), &exit).unwrap();
    metrics
}

/// Latencies with a tail: the r-th request of an interval takes 1/(1-r) of the base.
fn log(shape: Shape, base_ns: u64, number: u64) -> (Log, SeriesFacts) {
    let mut facts = SeriesFacts::default();
    let mut interval = |i: u64, measured: bool| {
        let mut filled = histogram();
        for r in 0..shape.requests {
            let wobble = (r * 7_919 + i * 104_729 + number * 1_299_709) % 100_000;
            let value =
                base_ns * shape.requests / (shape.requests - r) + wobble * base_ns / 1_000_000;
            filled.record(value).unwrap();
            let one = SeriesFacts {
                count: 1,
                min_ns: value,
                max_ns: value,
                mean_ns: value as f64,
                ..SeriesFacts::default()
            };
            if measured {
                facts = facts.merged(one);
            }
        }
        let (start, length) = (Duration::from_millis(i * 100), Duration::from_millis(100));
        Interval { start, length, histogram: filled }
    };
    let warmup = (0..2).map(|i| interval(i, false)).collect();
    let steady = (2..2 + shape.intervals).map(|i| interval(i, true)).collect();
    (Log { warmup, steady }, facts)
}

fn profile(dir: &Path, shape: Shape) {
    let (mut folded, mut times) = (String::new(), String::new());
    for i in 0..shape.stacks {
        let evil =
            if shape.hostile { HOSTILE.replace([';', '\u{2028}'], ":") } else { String::new() };
        let (group, family) = (i % 40, i % 400);
        folded.push_str(&format!(
            "main;run{evil};group_{group};core::ops::function::family_{family}<alloc::vec::Vec<u8>>;work;leaf_{i} {}\n",
            1 + i % 5
        ));
        // Stack i runs in the i-th interval after the warm-up, and in every twentieth from there.
        let ns = BEGAN_NS + 250_000_000 + (i % 20) * 100_000_000;
        times.push_str(&format!("{ns} {i}\n").repeat(1 + i as usize % 5));
    }
    fs::write(dir.join("cpu.folded"), folded).unwrap();
    if shape.times {
        fs::write(dir.join("cpu.times"), times).unwrap();
    }
    let quality = ProfileQuality {
        kind: "cpu".into(),
        backend: text(shape, if shape.times { "perf-event" } else { "pprof" }),
        requested_hz: Some(99.0),
        achieved_hz: Some(98.0),
        samples: 1_234,
        ..ProfileQuality::default()
    };
    write_json(&dir.join("cpu.json"), &quality).unwrap();
}

fn plan(shape: Shape, trials: Vec<Trial>) -> Plan {
    Plan {
        command: ["xtask", "lab", "example", "--set", &text(shape, "note=other")]
            .map(String::from)
            .into(),
        created: "2026-01-02T03:04:05Z".into(),
        mode: Mode::Live,
        seed: 7,
        description: description(shape),
        set: Knobs::new(),
        trials,
        without_probes: BTreeMap::new(),
        limits: Vec::new(),
    }
}

fn description(shape: Shape) -> Description {
    let spans = Spans { quick_ms: 1, default_ms: 2, full_ms: 3 };
    let variant = |name: &str| VariantSpec {
        name: name.into(),
        why: text(shape, "because"),
        live: Some(spans),
        simulated: None,
        responds: true,
        profiled: true,
        expects: Vec::new(),
        asks: false,
        probes: Vec::new(),
        set: BTreeMap::new(),
    };
    let claim = |id: &str, shown_by| ClaimSpec {
        id: id.into(),
        says: text(shape, "Something holds."),
        source: text(shape, "Nobody 2026"),
        checks: Vec::new(),
        shown_by,
    };
    let response = ShownBy::Chart {
        title: text(shape, "Response by percentile"),
        variants: vec!["calm".into()],
    };
    Description {
        story: None,
        lessons: Vec::new(),
        name: "example".into(),
        question: text(shape, "Does it work?"),
        sources: vec![Source {
            short: text(shape, "Nobody 2026"),
            title: text(shape, "A paper"),
            link: if shape.hostile {
                "javascript:alert(1)".into()
            } else {
                "https://example.org/".into()
            },
        }],
        knobs: vec![KnobSpec {
            name: "note".into(),
            help: text(shape, "anything"),
            unit: String::new(),
            default: KnobValue::Text("default".into()),
            kind: Kind::Text,
        }],
        variants: vec![variant("calm"), variant("busy")],
        claims: vec![
            claim("EX-1", vec![response]),
            claim("EX-2", vec![ShownBy::FlameGraph { variant: "calm".into() }]),
            claim("EX-3", vec![]),
        ],
        charts: vec![
            ChartSpec::Percentiles {
                title: text(shape, "Response by percentile"),
                series: "response".into(),
            },
            ChartSpec::Lines { title: text(shape, "A sweep"), curves: vec!["sweep".into()] },
            ChartSpec::Gauge { title: text(shape, "The queue"), gauge: "queue".into() },
            ChartSpec::Percentiles {
                title: text(shape, "Service by percentile"),
                series: "service".into(),
            },
        ],
    }
}

fn environment(shape: Shape) -> Environment {
    Environment {
        architecture: "x86_64".into(),
        cpu_model: Some(text(shape, "A CPU")),
        cpus: 2,
        git_revision: Some("0123456789abcdef0123456789abcdef01234567".into()),
        rustflags: text(shape, "-C force-frame-pointers=yes"),
        profile: "release".into(),
        harness: "0.1.0".into(),
        ..Environment::default()
    }
}

fn summary(
    shape: Shape,
    trials: &[Trial],
    series: BTreeMap<String, BTreeMap<String, SeriesSummary>>,
) -> Summary {
    let judgement = |id: &str, outcome, measured| Judgement {
        says: text(shape, "Something holds."),
        source: text(shape, "Nobody 2026"),
        predicted: Some(0.634),
        measured,
        low: measured.map(|m: f64| m - 0.01),
        high: measured.map(|m: f64| m + 0.01),
        unit: "ratio".into(),
        reason: text(shape, "0.634 ± 0.03"),
        without: Knobs::from([("note".to_owned(), KnobValue::Text(text(shape, "gone")))]),
        ..Judgement::bare(id, How::Live, outcome)
    };
    let curve = |kind, factor: f64| CurveSummary {
        name: "sweep".into(),
        variant: "calm".into(),
        kind,
        x_unit: "ms".into(),
        y_unit: "ns".into(),
        points: (1..8).map(|i| (f64::from(i), 1e6 * f64::from(i) * factor)).collect(),
        intervals: Vec::new(),
    };
    // What `log` records, but for its wobble.
    let distribution = CurveSummary {
        name: "response".into(),
        x_unit: Curve::QUANTILE.into(),
        points: [0.0, 0.5, 0.9, 0.99].map(|p| (p, 1e6 / (1.0 - p))).to_vec(),
        ..curve(CurveKind::Theory, 1.0)
    };
    let metrics = BTreeMap::from([(text(shape, "slow_ratio"), 0.125)]);
    let of_trial = |trial: &Trial| TrialSummary {
        id: trial.id.clone(),
        variant: trial.variant.clone(),
        mode: trial.mode,
        seed: trial.seed,
        state: State::Finished,
        profiled: trial.profile.is_some(),
        // Different numbers, so that none can stand in the place of another.
        accounting: Accounting {
            offered: 40,
            completed: 10,
            failed: 1,
            refused: 7,
            timed_out: 2,
            abandoned: 8,
            in_flight: 3,
            dropped: 9,
            attempts: 50,
        },
    };
    Summary {
        story: Default::default(),
        limits: Vec::new(),
        lab: "example".into(),
        run: text(shape, "target/perf-lab/example/1"),
        mode: Mode::Live,
        valid: !shape.hostile,
        invalid_reasons: if shape.hostile { vec![text(shape, "late")] } else { vec![] },
        notes: vec![text(shape, "a note of the run")],
        trials: trials.iter().map(of_trial).collect(),
        requests: BTreeMap::new(),
        series,
        metrics: BTreeMap::from([("calm".into(), metrics)]),
        curves: vec![curve(CurveKind::Measured, 1.1), curve(CurveKind::Theory, 1.0), distribution],
        claims: vec![
            judgement("EX-1", Outcome::Reproduced, Some(0.641_234_567)),
            judgement("EX-2", Outcome::NotReproduced, Some(0.5)),
            judgement("EX-3", Outcome::Unavailable, None),
        ],
        profiles: vec![],
        probes: vec![],
        artifacts: vec![],
    }
}

/// Gives the run in `dir` a story that `chart` shows, and a finding; `None` where it has none.
pub(crate) fn tell(dir: &Path, chart: Option<ShownBy>, finding: Option<&str>) {
    let next = Next {
        set: Knobs::from([("note".to_owned(), KnobValue::Text("gone".into()))]),
        ask: "What do you expect?".into(),
    };
    let mut plan: Plan = read_json(&dir.join("plan.json")).unwrap();
    plan.description.story = Some(StorySpec { chart, next: next.clone() });
    write_json(&dir.join("plan.json"), &plan).unwrap();
    let mut summary: Summary = read_json(&dir.join("summary.json")).unwrap();
    let reason = if finding.is_some() { "" } else { "no trial of it was planned" };
    summary.story =
        Told { finding: finding.map(Into::into), reason: reason.into(), next: Some(next) };
    write_json(&dir.join("summary.json"), &summary).unwrap();
}

/// The chart of the fixture's lab with this title, for `variants`.
pub(crate) fn shown_by(title: &str, variants: &[&str]) -> ShownBy {
    let variants = variants.iter().map(|name| (*name).to_owned()).collect();
    ShownBy::Chart { title: title.into(), variants }
}

/// Makes each timed trial of the run in `dir` one of a variant of its own, `v-1`, `v-2` …
pub(crate) fn spread(dir: &Path) {
    let mut plan: Plan = read_json(&dir.join("plan.json")).unwrap();
    for (i, trial) in plan.trials.iter_mut().enumerate().filter(|(_, t)| t.profile.is_none()) {
        trial.variant = format!("v-{}", i + 1);
        trial.label.clone_from(&trial.variant);
    }
    write_json(&dir.join("plan.json"), &plan).unwrap();
}

/// Gives the lab of the run in `dir` one of each chart that draws something else than lines or
/// latencies over time, and what they draw; `text` is in every string.
pub(crate) fn draw_more(dir: &Path, text: &str) {
    let mut plan: Plan = read_json(&dir.join("plan.json")).unwrap();
    let bar = |name: &str, metric: &str, source| Bar {
        name: format!("{name}{text}"),
        metric: metric.into(),
        source,
    };
    let title = |plain: &str| format!("{plain}{text}");
    plan.description.charts.extend([
        ChartSpec::Bars {
            title: title("What things take"),
            bars: vec![bar("a lock", "lock", Some(25.0)), bar("a disk", "disk", Some(1e7))],
        },
        ChartSpec::Stacked {
            title: title("Where they wait"),
            gauges: vec!["at the disk".into(), "at the CPU".into()],
            variant: "calm".into(),
        },
        ChartSpec::Rows {
            title: title("Each server's queue"),
            grid: "queues".into(),
            variant: "calm".into(),
        },
        ChartSpec::Trails { title: title("Trails"), series: "response".into() },
    ]);
    write_json(&dir.join("plan.json"), &plan).unwrap();
    let mut summary: Summary = read_json(&dir.join("summary.json")).unwrap();
    for (label, factor) in [("calm", 1.0), ("busy", 3.0)] {
        let of_label = summary.metrics.entry(label.into()).or_default();
        of_label.extend([("lock".into(), 20.0 * factor), ("disk".into(), 8e6 * factor)]);
    }
    for curve in summary.curves.iter_mut().filter(|curve| curve.name == "sweep") {
        if curve.kind == CurveKind::Measured {
            curve.intervals = curve.points.iter().map(|(_, y)| (0.8 * y, 1.3 * y)).collect();
        }
    }
    write_json(&dir.join("summary.json"), &summary).unwrap();
    for (number, trial) in plan.trials.iter().filter(|trial| trial.is_timed()).enumerate() {
        let file = dir.join("trials").join(&trial.id).join("metrics.json");
        let mut metrics: Metrics = read_json(&file).unwrap();
        for (name, value) in [("lock", 20.0), ("disk", 8e6)] {
            let factor = if trial.variant == "busy" { 3.0 } else { 1.0 };
            let value = value * factor * if number < 2 { 0.9 } else { 1.1 };
            metrics.metrics.insert(name.into(), Metric { value, unit: "ns".into(), of: None });
        }
        // At the disk 1, then 3; at the CPU 2 all the time: one more in every other trial.
        let more = (number / 2) as f64;
        for (name, points) in [
            ("at the disk", vec![(0.0, 1.0 + more), (1.0, 3.0 + more), (2.0, 3.0 + more)]),
            ("at the CPU", vec![(0.0, 2.0), (2.0, 2.0)]),
        ] {
            metrics.gauges.insert(name.into(), Gauge { unit: "requests".into(), points });
        }
        let row = |server: usize| {
            let values = (0..20).map(|at| f64::from(u8::from(at == server)) * 9.0).collect();
            (format!("server {server}{text}"), values)
        };
        let grid = Grid {
            unit: "requests".into(),
            starts_s: (0..20).map(|at| f64::from(at) / 10.0).collect(),
            end_s: 2.0,
            rows: (0..6).map(row).collect(),
        };
        metrics.grids.insert("queues".into(), grid);
        write_json(&file, &metrics).unwrap();
    }
}

/// Adds a trial that a probe observed to the run in `dir`.
pub(crate) fn observe(dir: &Path) {
    let mut plan: Plan = read_json(&dir.join("plan.json")).unwrap();
    let (id, probe) = ("901-observed".to_owned(), Some("offcputime".to_owned()));
    let observed = Trial { id, probe, ..plan.trials[0].clone() };
    let trial = dir.join("trials").join(&observed.id);
    fs::create_dir_all(trial.join("probe")).unwrap();
    write_json(&trial.join("trial.json"), &observed).unwrap();
    write_json(&trial.join("metrics.json"), &Metrics::default()).unwrap();
    fs::write(trial.join("probe/off-cpu.folded"), "main;wait 1000\nmain;sleep 3000\n").unwrap();
    fs::write(trial.join("probe/offcputime.json"), OBSERVED).unwrap();
    plan.trials.push(observed);
    write_json(&dir.join("plan.json"), &plan).unwrap();
}

const OBSERVED: &str = r#"{"schema":"perf-lab.probe/1","probe":"offcputime","target":{"pid":1},"duration_s":2.0,
  "histograms":[{"name":"blocked","unit":"ns","count":5234567,"sum":9000000,
    "buckets":[[1048576,1114111,1234567],[4194304,4456447,4000000]]}],
  "tables":[{"name":"programs","columns":[{"name":"a wide column of words","unit":""}],
    "rows":[["/usr/local/bin/a-program-whose-name-has-no-place-to-break-it-and-is-wide"]]}],
  "losses":{"map_full":0,"ring_full":0,"stacks":0,"skipped_runs":3},
  "cost":{"events":6,"runs":12,"run_ns":40000000}}"#;
