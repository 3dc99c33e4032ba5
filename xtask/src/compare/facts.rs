//! What decides whether two sides may be compared: the keys of `lab-verdict`, from what is on disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lab_record::{Environment, Trial};
use lab_verdict::comparable::{self, Facts};

use crate::exit::usage;

/// Refuses differences in hard keys that are not allowed; returns the warnings.
pub(super) fn check(base: &Facts, new: &Facts, allowed: &[String]) -> anyhow::Result<Vec<String>> {
    for key in allowed {
        comparable::check_key(key).map_err(|error| usage(error.to_string()))?;
    }
    Ok(comparable::compare(base, new, allowed)?)
}

/// The facts of a side that ran `lab` in this environment, except for the scenario.
pub(super) fn of(environment: &Environment, lab: &str) -> Facts {
    let text = |value: &Option<String>| value.clone();
    let known = [
        ("lab", Some(lab.to_owned())),
        ("arch", Some(environment.architecture.clone())),
        ("cpu-model", text(&environment.cpu_model)),
        ("cores", Some(environment.cpus.to_string())),
        ("virtualisation", text(&environment.virtualization)),
        ("kernel", environment.kernel.as_deref().map(major_minor)),
        ("rustc", text(&environment.rustc)),
        ("profile", Some(environment.profile.clone())),
        ("rustflags", Some(environment.rustflags.clone())),
        ("features", Some(environment.features.clone())),
        ("clock-source", text(&environment.clock_source)),
        ("harness", Some(environment.harness.clone())),
        ("governor", text(&environment.governor)),
        ("thp", text(&environment.thp)),
        ("microcode", text(&environment.microcode)),
        ("load-average", environment.before.load_1m.map(|load| load.to_string())),
        ("steal", environment.steal_ratio().map(|steal| steal.to_string())),
    ];
    known.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// Adds what both sides were asked to run, showing only where they differ.
pub(super) fn add_scenario(base: &mut Facts, new: &mut Facts, asked: [&Trial; 2]) {
    let [of_base, of_new] = asked.map(scenario);
    let differing = |own: &BTreeMap<String, String>, other: &BTreeMap<String, String>| {
        let differ = own.iter().filter(|(key, value)| other.get(*key) != Some(value));
        let said: Vec<String> = differ.map(|(key, value)| format!("{key}={value}")).collect();
        if own == other { "same".to_owned() } else { said.join(" ") }
    };
    base.insert("scenario".to_owned(), differing(&of_base, &of_new));
    new.insert("scenario".to_owned(), differing(&of_new, &of_base));
}

/// Knobs and spans. The logs' interval does not count: it affects only what is recorded.
fn scenario(trial: &Trial) -> BTreeMap<String, String> {
    let knobs = trial.knobs.iter().map(|(name, value)| (name.clone(), value.to_string()));
    let spans = [("warmup_ms", trial.warmup_ms), ("measure_ms", trial.measure_ms)];
    knobs.chain(spans.map(|(name, ms)| (name.to_owned(), ms.to_string()))).collect()
}

/// A checkout's build settings: its release profile, and the flags in its own files and the
/// environment.
pub(super) fn build_settings(root: &Path) -> (String, String) {
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
    let config = fs::read_to_string(root.join(".cargo/config.toml")).unwrap_or_default();
    let section = manifest.split("[profile.release]").nth(1).unwrap_or_default();
    let settings = section.lines().map(str::trim).take_while(|line| !line.starts_with('['));
    let profile: Vec<&str> =
        settings.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let flags = config.lines().map(str::trim).filter(|line| line.starts_with("rustflags"));
    let env = std::env::var("RUSTFLAGS").unwrap_or_default();
    let flags: Vec<&str> = flags.chain([env.as_str()]).filter(|flag| !flag.is_empty()).collect();
    (format!("release {}", profile.join(" ")), flags.join(" "))
}

/// `6.8` of `6.8.0-45-generic`.
fn major_minor(release: &str) -> String {
    release.split('.').take(2).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use lab_verdict::comparable::HARD;

    use super::*;

    #[test]
    fn every_hard_key_is_known_when_the_machine_says_everything() {
        let some = || Some("x".to_owned());
        let environment = Environment {
            cpu_model: some(),
            virtualization: some(),
            kernel: Some("6.8.0-45".to_owned()),
            rustc: some(),
            clock_source: some(),
            ..Environment::default()
        };
        let facts = of(&environment, "lab");
        // Keys that are known only for both sides together.
        let of_both = ["labs", "variants", "benches", "scenario"];
        let missing: Vec<&str> = HARD
            .into_iter()
            .filter(|key| !of_both.contains(key) && !facts.contains_key(*key))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert_eq!(facts["kernel"], "6.8");
    }

    #[test]
    fn a_profile_and_its_flags_are_read_from_the_checkout() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".cargo")).unwrap();
        let manifest =
            "[workspace]\n[profile.release]\n# why\nlto = true\n\n[profile.dev]\nx = 1\n";
        fs::write(dir.path().join("Cargo.toml"), manifest).unwrap();
        fs::write(dir.path().join(".cargo/config.toml"), "[build]\nrustflags = [\"-g\"]\n")
            .unwrap();
        let (profile, flags) = build_settings(dir.path());
        assert_eq!(profile, "release lto = true");
        assert!(flags.starts_with("rustflags = [\"-g\"]"), "{flags}");
    }
}
