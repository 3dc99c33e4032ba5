//! A lab for the runner's tests, whose knobs say how its trials go wrong.
//!
//! The knob `behaviour` says what goes wrong, and `who` in which variant or trial. Each trial
//! leaves the numbers of its processes in `pids`, so that a test can check whether they are gone.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, fs, process, thread};

use anyhow::{Context as _, bail};
use lab_record::hlog::{Interval, Log, histogram};
use lab_record::{
    Accounting, Answer, ChartSpec, CheckSpec, ClaimSpec, Claims, Curve, CurveKind, Description,
    How, Judgement, Kind, KnobSpec, KnobValue, Knobs, LessonFigures, LessonSpec, Metric, Metrics,
    Mode, Outcome, Part, Reads, Reply, Run, SeriesFacts, ShownBy, Source, Spans, Told, Trial,
    VariantSpec, read_json, to_json, write_json,
};

const BEHAVIOURS: [&str; 14] = [
    "well", "crash", "abort", "kill", "hang", "deaf", "spawn", "silent", "truncate", "invalid",
    "refute", "misjudge", "disturb", "panic",
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let done = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["describe"] => describe(),
        ["run", dir] => run(Path::new(dir)),
        ["judge", dir] => judge(Path::new(dir)),
        ["answer", _, "live-only", ref said @ ..] => reply(said),
        _ => Err(anyhow::anyhow!("usage: fake-lab describe | run DIR | judge DIR")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fake-lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn describe() -> anyhow::Result<()> {
    let knob = |name: &str, kind: Kind, default: KnobValue| KnobSpec {
        name: name.into(),
        help: String::new(),
        unit: String::new(),
        default,
        kind,
    };
    let options = BEHAVIOURS.map(str::to_owned).to_vec();
    let lab = Description {
        name: "fake-lab".into(),
        question: "What does the runner make of a lab that misbehaves?".into(),
        sources: vec![Source { short: "Nobody".into(), title: "None".into(), link: String::new() }],
        knobs: vec![
            knob("behaviour", Kind::Choice { options }, KnobValue::Text("well".into())),
            knob("who", Kind::Text, KnobValue::Text("all".into())),
            knob("rate", Kind::Int { min: 1, max: 100_000 }, KnobValue::Int(1_000)),
        ],
        variants: vec![
            variant(&env::var("FAKE_LAB_BOTH").unwrap_or("both".into()), true, true, false),
            variant("live-only", true, false, false),
            variant("simulated-only", false, true, false),
            variant("profiled", true, false, true),
        ],
        claims: vec![ClaimSpec {
            id: "FAKE-1".into(),
            says: SAYS.into(),
            source: "Nobody".into(),
            checks: [How::Simulated, How::Live].map(check).into(),
            shown_by: vec![ShownBy::Chart { title: CHART.into(), variants: vec!["both".into()] }],
        }],
        charts: vec![ChartSpec::Percentiles { title: CHART.into(), series: "response".into() }],
        story: None,
        lessons: lesson()?.into_iter().collect(),
    };
    let mut lab = lab;
    if env::var_os("FAKE_LAB_TWINS").is_some() {
        lab.variants.push(variant("both", true, false, false));
    }
    println!("{}", to_json(&lab)?);
    Ok(())
}

const SAYS: &str = "A response takes a millisecond.";
const CHART: &str = "Response by percentile";

fn variant(name: &str, live: bool, simulated: bool, profiled: bool) -> VariantSpec {
    let spans = Spans { quick_ms: 100, default_ms: 200, full_ms: 300 };
    VariantSpec {
        name: name.into(),
        why: format!("is {name}"),
        live: live.then_some(spans),
        simulated: simulated.then_some(spans),
        profiled,
        responds: name != "profiled",
        expects: Vec::new(),
        asks: name == "live-only",
        probes: Vec::new(),
        set: Knobs::new(),
    }
}

/// Of `disk`, `append` and 8, one after the other.
fn reply(said: &[&str]) -> anyhow::Result<()> {
    let asks = |part, ask: &str| Reply::Asks { part, ask: ask.into(), of: "writes".into() };
    let wrong = |part| Reply::Wrong { part, says: "Look again.".into() };
    let reply = match said {
        [] => asks(Part::Resource, "Which resource?"),
        ["--resource=disk"] => asks(Part::Function, "Which function?"),
        ["--resource=disk", "--function=append"] => asks(Part::Count, "How many?"),
        ["--resource=disk", "--function=append", "--count=8"] => {
            Reply::Right { says: "It appends.".into() }
        }
        ["--resource=none", ..] => Reply::NoEvidence { reason: "the disk was idle".into() },
        ["--resource=disk", "--function=append", _] => wrong(Part::Count),
        ["--resource=disk", ..] => wrong(Part::Function),
        _ => wrong(Part::Resource),
    };
    println!("{}", to_json(&reply)?);
    Ok(())
}

fn run(dir: &Path) -> anyhow::Result<()> {
    let trial: Trial = read_json(&dir.join("trial.json"))?;
    leave_pid(dir, process::id())?;
    println!("seed {}", trial.seed);
    let behaviour = behaviour(&trial);
    match behaviour.as_str() {
        "crash" => bail!("told to crash"),
        "abort" => process::abort(),
        "panic" => panic!("told to panic"),
        "kill" => kill_oneself()?,
        "hang" => thread::sleep(Duration::from_secs(600)),
        "deaf" => deaf(dir)?,
        "spawn" => leave_pid(dir, sleeper()?)?,
        "silent" => return Ok(()),
        _ => {}
    }
    if trial.mode == Mode::Live {
        thread::sleep(trial.measure());
    }
    record(dir, &trial, &behaviour)
}

/// What this trial is to do wrong.
fn behaviour(trial: &Trial) -> String {
    let text = |name: &str| trial.knobs[name].to_string();
    let concerned = ["all", &trial.variant, &trial.id].contains(&text("who").as_str());
    if concerned { text("behaviour") } else { "well".into() }
}

fn leave_pid(dir: &Path, pid: u32) -> anyhow::Result<()> {
    let file = dir.join("pids");
    let before = fs::read_to_string(&file).unwrap_or_default();
    // Renamed into place: a test that finds the file finds a whole line in it.
    let whole = dir.join("pids.new");
    fs::write(&whole, format!("{before}{pid}\n")).with_context(|| whole.display().to_string())?;
    fs::rename(&whole, &file).with_context(|| file.display().to_string())
}

fn sleeper() -> anyhow::Result<u32> {
    Ok(Command::new("sleep").arg("600").spawn()?.id())
}

/// By SIGKILL, as from outside: std cannot send one.
fn kill_oneself() -> anyhow::Result<()> {
    Command::new("sh").args(["-c", "kill -9 $PPID; sleep 10"]).status()?;
    bail!("outlived SIGKILL")
}

/// Becomes a shell that ignores SIGTERM: std offers no way to do so here.
fn deaf(dir: &Path) -> anyhow::Result<()> {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' TERM; while :; do sleep 0.1; done"]).current_dir(dir);
    bail!("exec: {}", std::os::unix::process::CommandExt::exec(&mut shell))
}

/// Records a thousand responses of about a millisecond, which differ by seed. `FAKE_LAB_SLOWER` is
/// a factor on them, for a slower revision, and `FAKE_LAB_REQUESTS` is their number. The last
/// `FAKE_LAB_UNANSWERED` of them are never answered, and wait for twice as long.
fn record(dir: &Path, trial: &Trial, behaviour: &str) -> anyhow::Result<()> {
    let slower = env::var("FAKE_LAB_SLOWER").map_or(Ok(1.0), |factor| factor.parse::<f64>())?;
    let slower = slower * trial.inject.map_or(1.0, |inject| 1.0 + inject.ratio);
    let intervals = trial.measure_ms / trial.interval_ms;
    let mut steady: Vec<Interval> = (0..intervals)
        .map(|n| Interval {
            start: trial.warmup() + trial.interval() * n as u32,
            length: trial.interval(),
            histogram: histogram(),
        })
        .collect();
    let mut facts = SeriesFacts::default();
    let requests = from_env("FAKE_LAB_REQUESTS", 1_000)?;
    let unanswered = from_env("FAKE_LAB_UNANSWERED", 0)?;
    for i in 0..requests {
        let waits = i + unanswered >= requests;
        let longer = if waits { 2.0 * slower } else { slower };
        let value = ((1_000_000 + (trial.seed % 1_000) * 100 + i) as f64 * longer) as u64;
        steady[(i % intervals) as usize].histogram.record(value)?;
        let one = SeriesFacts {
            count: 1,
            min_ns: value,
            max_ns: value,
            mean_ns: value as f64,
            censored: waits.into(),
            censored_from_ns: waits.then_some(value),
            ..SeriesFacts::default()
        };
        facts = facts.merged(one);
    }
    let log = dir.join("response.hlog");
    Log { warmup: Vec::new(), steady }.write(&log, "response")?;
    if behaviour == "truncate" {
        let whole = fs::read(&log)?;
        fs::write(&log, &whole[..whole.len() / 2])?;
    }
    write_json(&dir.join("metrics.json"), &metrics(trial, behaviour, facts))
}

fn from_env(name: &str, otherwise: u64) -> anyhow::Result<u64> {
    Ok(env::var(name).map_or(Ok(otherwise), |value| value.parse())?)
}

fn metrics(trial: &Trial, behaviour: &str, facts: SeriesFacts) -> Metrics {
    let invalid = (behaviour == "invalid").then(|| "told to be invalid".to_owned());
    let metric = |value: f64, of| Metric { value, unit: "ratio".into(), of };
    Metrics {
        accounting: Accounting {
            offered: facts.count,
            completed: facts.count - facts.censored,
            in_flight: facts.censored,
            ..Accounting::default()
        },
        invalid_reasons: invalid.into_iter().collect(),
        series: BTreeMap::from([("response".into(), facts)]),
        metrics: BTreeMap::from([
            ("slow_ratio".into(), metric(0.01, Some((10, 1_000)))),
            ("refuted".into(), metric(f64::from(u8::from(behaviour == "refute")), None)),
        ]),
        curves: vec![Curve {
            name: "response by rate".into(),
            kind: CurveKind::Measured,
            x_unit: "req/s".into(),
            y_unit: "ns".into(),
            points: vec![(trial.measure_ms as f64, 1e6)],
            intervals: Vec::new(),
        }],
        ..Metrics::default()
    }
}
/// What takes the cause of its claim away.
fn without() -> Knobs {
    Knobs::from([("behaviour".to_owned(), KnobValue::Text("refute".into()))])
}

fn check(how: How) -> CheckSpec {
    CheckSpec { how, reads: reads(), calibrates: false, without: without() }
}

fn reads() -> Vec<Reads> {
    vec![Reads { variant: "both".into(), probe: None }]
}

/// A lesson whose run takes as many milliseconds as the environment says; without them, none.
fn lesson() -> anyhow::Result<Option<LessonSpec>> {
    let Ok(span_ms) = env::var("FAKE_LAB_LESSON_MS") else { return Ok(None) };
    Ok(Some(LessonSpec {
        claim: "FAKE-1".into(),
        how: How::Live,
        reads: reads(),
        span_ms: span_ms.parse()?,
        setup: "A thousand requests are answered. Each takes about a millisecond, but for a few."
            .into(),
        ask: "How many of 100 are slow?".into(),
        answer: Answer::Share,
        hints: vec!["Fewer than you think.".into(), "One.".into()],
        because: "The lab was told so.".into(),
        without: without(),
        away: "It refutes itself now. How many of 100 are slow?".into(),
        so: "Whoever is told what to find finds it.".into(),
    }))
}

/// What the run in `dir` says to the lesson. The environment says whether it is invalid: `once`, not
/// when it is run again, or `always`.
fn teach(dir: &Path, refuted: bool) -> LessonFigures {
    let invalid = match env::var("FAKE_LAB_INVALID").as_deref() {
        Ok("once") => !dir.to_string_lossy().ends_with("-again"),
        Ok("always") => true,
        _ => false,
    };
    let measured = (!invalid).then_some(if refuted { 1.0 } else { 0.01 });
    LessonFigures {
        claim: "FAKE-1".into(),
        measured,
        predicted: measured,
        reason: if invalid { "told to be invalid".into() } else { String::new() },
        invalid,
    }
}

fn judge(dir: &Path) -> anyhow::Result<()> {
    let run = Run::load(dir)?;
    if run.plan.trials.iter().any(|trial| behaviour(trial) == "misjudge") {
        bail!("told to misjudge");
    }
    let of_mode = |mode: Mode| run.finished.iter().filter(move |f| f.trial.mode == mode);
    let refuted = run.finished.iter().any(|f| f.metrics.metrics["refuted"].value > 0.0);
    let judge = |how: How, mode: Mode| {
        let trials = of_mode(mode).count();
        let disturbed = run.plan.trials.iter().any(|trial| behaviour(trial) == "disturb");
        let outcome = match (trials, refuted) {
            _ if disturbed && how == How::Live => Outcome::Invalid,
            (0, _) => Outcome::Unavailable,
            (_, true) => Outcome::NotReproduced,
            (_, false) => Outcome::Reproduced,
        };
        Judgement {
            says: SAYS.into(),
            source: "Nobody".into(),
            predicted: Some(1e6),
            measured: (trials > 0).then_some(1.05e6),
            unit: "ns".into(),
            reason: if trials > 0 { "within 10 %".into() } else { "not run".into() },
            without: without(),
            ..Judgement::bare("FAKE-1", how, outcome)
        }
    };
    let claims = vec![judge(How::Simulated, Mode::Simulated), judge(How::Live, Mode::Live)];
    let lessons = run.plan.description.lessons.iter().map(|_| teach(dir, refuted)).collect();
    let story = Told { finding: Some("The fake lab ran.".into()), ..Told::default() };
    write_json(&dir.join("claims.json"), &Claims { claims, story, lessons })
}
