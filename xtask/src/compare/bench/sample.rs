//! The files of a criterion bench program: `<home>/<benchmark>/new/sample.json`, with the
//! iterations and the time of each sample, and the benchmark's name in `benchmark.json` beside it.
//!
//! Criterion's own figure is a regression over the samples, with an interval from resampling them.
//! Both ignore what differs between processes, so only the median time per iteration is read, one
//! number per process.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use lab_stats::median;
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
struct Sample {
    iters: Vec<f64>,
    times: Vec<f64>,
}

#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
}

/// The median time per iteration of each benchmark, by name: in nanoseconds if criterion measures
/// wall time.
///
/// # Errors
/// A file is damaged, or gives no time.
pub(super) fn medians(home: &Path) -> anyhow::Result<BTreeMap<String, f64>> {
    let mut found = BTreeMap::new();
    let mut todo = vec![home.to_owned()];
    while let Some(dir) = todo.pop() {
        let file = dir.join("sample.json");
        if dir.ends_with("new") && file.is_file() {
            let Benchmark { full_id } = read(&dir.join("benchmark.json"))?;
            let sample: Sample = read(&file)?;
            let time = sample.median().with_context(|| format!("{full_id}: {}", file.display()))?;
            found.insert(full_id, time);
            continue;
        }
        let entries = fs::read_dir(&dir).with_context(|| format!("read {}", dir.display()))?;
        let entries = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
        todo.extend(entries?.into_iter().filter(|path| path.is_dir()));
    }
    Ok(found)
}

impl Sample {
    fn median(&self) -> anyhow::Result<f64> {
        let Self { iters, times } = self;
        ensure!(iters.len() == times.len(), "{} times of {} samples", times.len(), iters.len());
        let each = median(times.iter().zip(iters).map(|(time, iterations)| time / iterations));
        let each = each.context("it holds no sample")?;
        ensure!(each.is_finite() && each > 0.0, "{each} is no time an iteration");
        Ok(each)
    }
}

fn read<T: DeserializeOwned>(file: &Path) -> anyhow::Result<T> {
    let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{}: not criterion's", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(home: &Path, dir: &str, name: &str, sample: &str) {
        let dir = home.join(dir);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("sample.json"), sample).unwrap();
        fs::write(dir.join("benchmark.json"), format!("{{\"full_id\":\"{name}\"}}")).unwrap();
    }

    #[test]
    fn a_benchmark_is_the_median_time_an_iteration_of_its_new_samples() {
        let home = tempfile::tempdir().unwrap();
        // Linear sampling: each sample has more iterations than the one before.
        let new = r#"{"sampling_mode":"Linear","iters":[1.0,2.0,3.0],"times":[10.0,22.0,3000.0]}"#;
        write(home.path(), "group/sum_10/new", "group/sum/10", new);
        let base = r#"{"sampling_mode":"Flat","iters":[1.0],"times":[99.0]}"#;
        write(home.path(), "group/sum_10/base", "group/sum/10", base);
        write(home.path(), "other/new", "other", base);
        let found = medians(home.path()).unwrap();
        let expected = [("group/sum/10".to_owned(), 11.0), ("other".to_owned(), 99.0)];
        assert_eq!(found, BTreeMap::from(expected));
    }

    #[test]
    fn samples_that_give_no_time_are_refused_by_name() {
        for (sample, said) in [
            (r#"{"iters":[],"times":[]}"#, "holds no sample"),
            (r#"{"iters":[1.0],"times":[]}"#, "0 times of 1 samples"),
            (r#"{"iters":[0.0],"times":[0.0]}"#, "NaN is no time"),
            (r#"{"iters":[1.0],"times":[0.0]}"#, "0 is no time"),
            ("half a fi", "not criterion's"),
        ] {
            let home = tempfile::tempdir().unwrap();
            write(home.path(), "x/new", "x", sample);
            let error = format!("{:#}", medians(home.path()).unwrap_err());
            assert!(error.contains(said), "{sample}: {error}");
        }
    }
}
