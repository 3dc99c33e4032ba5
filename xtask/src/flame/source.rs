//! The profiles that a command line names: folded files, and those inside runs.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use lab_flame::draw::Kind;
use lab_record::{Metrics, ProfileQuality, Run, Trial, read_json};

use crate::exit::usage;
use crate::nearest;
use crate::run_dir::latest_of;
use crate::workspace::Place;

/// The path that stands for standard input and standard output.
pub(super) const STANDARD: &str = "-";

/// One folded file and the files beside it.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    /// Lab and variant, for a profile inside a run.
    pub(super) origin: Option<(String, String)>,
    pub(super) quality: Option<ProfileQuality>,
    /// The number of requests completed in the measured span of its trial.
    pub(super) requests: Option<u64>,
    /// The directory for its graphs.
    pub(super) home: PathBuf,
}

impl Source {
    /// Whether it is read from a pipe, which has no files beside it.
    pub(super) fn is_pipe(&self) -> bool {
        !self.path.is_file()
    }
}

/// The contents of a file or a pipe.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>> {
    if path.as_os_str() != STANDARD {
        return fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
    Ok(bytes)
}

/// The name of a file in messages.
pub(super) fn shown(path: &Path) -> String {
    if path.as_os_str() == STANDARD { "standard input".into() } else { path.display().to_string() }
}

/// The profiles that `inputs` name. A run without profiles is an error that says what it has.
pub(super) fn find(
    inputs: &[PathBuf],
    kind: Option<Kind>,
    variant: Option<&str>,
) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    if inputs.iter().filter(|input| input.as_os_str() == STANDARD).count() > 1 {
        return Err(usage("standard input can be read once: `-` is given twice"));
    }
    for input in inputs {
        let input = resolve(input)?;
        if input.is_dir() {
            sources.extend(in_run(&input, kind.unwrap_or_default(), variant)?);
        } else {
            sources.push(file(&input, kind, variant)?);
        }
    }
    Ok(sources)
}

/// A single folded file; a variant can be chosen only inside a run.
pub(super) fn file(path: &Path, kind: Option<Kind>, variant: Option<&str>) -> Result<Source> {
    if path.is_dir() || (!path.exists() && path.as_os_str() != STANDARD) {
        return Err(usage(format!("{}: no such file", path.display())));
    }
    if variant.is_some() {
        let path = path.display();
        return Err(usage(format!("{path} is a file: --variant chooses inside a run")));
    }
    Ok(lone(path, kind))
}

/// Groups the profiles that are drawn together: the trials of a variant, and all folded files given
/// by name.
pub(super) fn graphs(sources: Vec<Source>) -> Vec<Vec<Source>> {
    let mut graphs: BTreeMap<_, Vec<Source>> = BTreeMap::new();
    for source in sources {
        let home = source.origin.is_some().then(|| source.home.clone());
        graphs.entry((home, source.origin.clone())).or_default().push(source);
    }
    graphs.into_values().collect()
}

/// `tail-latency / fan-out, CPU`, if the graph comes from a run.
pub(super) fn title(graph: &[Source]) -> Option<String> {
    let (lab, variant) = graph[0].origin.as_ref()?;
    let kind = match graph[0].kind {
        Kind::Cpu => "CPU",
        Kind::OffCpu => "off-CPU",
        Kind::Memory => "memory",
        Kind::Faults => "page faults",
    };
    Some(format!("{lab} / {variant}, {kind}"))
}

/// Samples, rate and backend, if they are known.
pub(super) fn subtitle(graph: &[Source]) -> Option<String> {
    let qualities = qualities(graph)?;
    let samples: u64 = qualities.iter().map(|quality| quality.samples).sum();
    Some(ProfileQuality::line(&qualities, &samples.to_string()))
}

/// The quality of each file, if every file has one.
fn qualities(graph: &[Source]) -> Option<Vec<&ProfileQuality>> {
    graph.iter().map(|source| source.quality.as_ref()).collect()
}

/// The requested rate in samples a CPU-second, if all trials agree.
pub(super) fn requested_hz(graph: &[Source]) -> Option<f64> {
    let mut rates = qualities(graph)?.into_iter().map(|quality| quality.requested_hz);
    let first = rates.next()??;
    rates.all(|rate| rate == Some(first)).then_some(first)
}

/// The number of samples of all trials, if each records its own. Waits are not sampled, so their
/// number does not matter.
pub(super) fn samples(graph: &[Source]) -> Option<u64> {
    let qualities = qualities(graph).filter(|_| graph[0].kind != Kind::OffCpu)?;
    Some(qualities.iter().map(|quality| quality.samples).sum())
}

/// The name of a graph, without its extension.
pub(super) fn file_stem(graph: &[Source]) -> String {
    match &graph[0].origin {
        Some((_, variant)) => format!("{variant}-{}", stem(graph[0].kind)),
        None if graph[0].path.as_os_str() == STANDARD => "flame".to_string(),
        None if graph.len() == 1 => {
            graph[0].path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
        }
        None => "flame".to_string(),
    }
}

/// An existing path, or the newest run of the lab of that name.
fn resolve(input: &Path) -> Result<PathBuf> {
    if input.exists() || input.as_os_str() == STANDARD {
        return Ok(input.to_owned());
    }
    let place = Place::here()?;
    let newest = input.to_str().and_then(|lab| latest_of(&place.runs, lab));
    newest.ok_or_else(|| usage(format!("{}: no such file, run or lab with a run", input.display())))
}

fn lone(path: &Path, kind: Option<Kind>) -> Source {
    // A file of that name may be anything: one that is not a quality file is no error.
    let quality: Option<ProfileQuality> = read_json(&path.with_extension("json")).ok();
    let named = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let word = quality.as_ref().map_or(named, |quality| quality.kind.clone());
    let said =
        [Kind::OffCpu, Kind::Memory, Kind::Faults].into_iter().find(|&kind| word == stem(kind));
    Source {
        path: path.to_owned(),
        kind: kind.or(said).unwrap_or_default(),
        origin: None,
        quality,
        requests: None,
        home: path.parent().unwrap_or(Path::new("")).to_owned(),
    }
}

fn in_run(dir: &Path, kind: Kind, variant: Option<&str>) -> Result<Vec<Source>> {
    let run = Run::load(dir)?;
    let variants: Vec<_> = run.plan.trials.iter().map(|trial| trial.variant.as_str()).collect();
    let variants = distinct(variants);
    if let Some(unknown) = variant.filter(|wanted| !variants.contains(wanted)) {
        return Err(usage(nearest::unknown("variant", unknown, variants)));
    }
    let sources = of_run(&run, kind, variant)?;
    ensure!(
        !sources.is_empty(),
        "{}: no {}.folded with samples in {} of its trials (variants: {})",
        dir.display(),
        stem(kind),
        if variant.is_some() { "that variant" } else { "any" },
        variants.join(", "),
    );
    Ok(sources)
}

/// The profiles of a run that have samples; often there are none. A lab may keep its own stacks
/// under the same name: if trials were profiled for this kind, only those count.
pub(super) fn of_run(run: &Run, kind: Kind, variant: Option<&str>) -> Result<Vec<Source>> {
    let profiled = |trial: &&Trial| {
        trial.profile.as_ref().is_some_and(|profile| profile.kind.name() == stem(kind))
    };
    let any_profiled = run.plan.trials.iter().any(|trial| profiled(&trial));
    let mut sources = Vec::new();
    for trial in run.plan.trials.iter().filter(|trial| !any_profiled || profiled(trial)) {
        let trial_dir = run.trial_dir(&trial.id);
        let path = trial_dir.join(stem(kind)).with_extension("folded");
        let has_samples = fs::metadata(&path).is_ok_and(|file| file.len() > 0);
        if variant.is_some_and(|wanted| wanted != trial.variant) || !has_samples {
            continue;
        }
        // An interrupted trial has useful stacks but no metrics.
        let metrics_file = trial_dir.join("metrics.json");
        let metrics: Option<Metrics> =
            metrics_file.is_file().then(|| read_json(&metrics_file)).transpose()?;
        let quality_file = path.with_extension("json");
        sources.push(Source {
            quality: quality_file.is_file().then(|| read_json(&quality_file)).transpose()?,
            path,
            kind,
            origin: Some((trial.lab.clone(), trial.variant.clone())),
            requests: metrics
                .map(|metrics| metrics.accounting.completed)
                .filter(|&completed| completed > 0),
            home: run.dir.join("flame"),
        });
    }
    Ok(sources)
}

/// The file name of a profile without its extension, also the kind in its quality file.
fn stem(kind: Kind) -> &'static str {
    match kind {
        Kind::Cpu => "cpu",
        Kind::OffCpu => "off-cpu",
        Kind::Memory => "memory",
        Kind::Faults => "faults",
    }
}

fn distinct(mut words: Vec<&str>) -> Vec<&str> {
    words.sort_unstable();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quality(dir: &Path, file: &str, kind: &str, samples: u64, achieved_hz: Option<f64>) {
        let quality = ProfileQuality {
            kind: kind.into(),
            backend: "perf-event".into(),
            requested_hz: Some(99.0),
            achieved_hz,
            samples,
            ..ProfileQuality::default()
        };
        lab_record::write_json(&dir.join(file), &quality).unwrap();
    }

    #[test]
    fn a_file_takes_its_kind_from_its_quality_or_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        fs::write(file("x.folded"), "a 1\n").unwrap();
        fs::write(file("off-cpu.folded"), "a 1\n").unwrap();
        quality(dir.path(), "x.json", "off-cpu", 7, None);
        let found = find(&[file("x.folded"), file("off-cpu.folded")], None, None).unwrap();
        assert!(found.iter().all(|source| source.kind == Kind::OffCpu));
        assert_eq!(subtitle(&found[..1]).unwrap(), "7 samples at – of 99 Hz, perf-event");
        let asked = find(&[file("x.folded")], Some(Kind::Memory), None).unwrap();
        assert_eq!(asked[0].kind, Kind::Memory);
    }

    #[test]
    fn the_rate_of_several_trials_is_by_their_cpu_time() {
        let dir = tempfile::tempdir().unwrap();
        for (name, samples, hz) in [("a", 100, Some(50.0)), ("b", 300, Some(100.0))] {
            fs::write(dir.path().join(name).with_extension("folded"), "a 1\n").unwrap();
            quality(dir.path(), &format!("{name}.json"), "cpu", samples, hz);
        }
        let paths = ["a.folded", "b.folded"].map(|name| dir.path().join(name));
        let graph = find(&paths, None, None).unwrap();
        assert_eq!(requested_hz(&graph), Some(99.0));
        assert_eq!(subtitle(&graph).unwrap(), "400 samples at 80.0 Hz of 99 Hz, perf-event");
        assert_eq!(graphs(graph).len(), 1, "files given together are one graph");
    }

    #[test]
    fn a_missing_file_is_a_usage_error() {
        let error = find(&["no/such.folded".into()], None, None).unwrap_err();
        assert!(error.is::<crate::exit::UsageError>(), "{error:#}");
    }
}
