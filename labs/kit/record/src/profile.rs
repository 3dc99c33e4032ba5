//! Profiles: how a trial is profiled, and what its profile is worth.

use serde::{Deserialize, Serialize};

use crate::schema::Schema;

/// How a trial is profiled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// What is profiled.
    #[serde(default)]
    pub kind: ProfileKind,
    /// What takes the samples.
    pub backend: Backend,
    /// Samples asked for in a CPU-second; never a divisor of the timer frequency (99, 499, 999).
    /// Absent off the CPU, where every wait is a sample, and of memory and its faults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hz: Option<u32>,
}

/// What a profile shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileKind {
    /// Where CPU time goes.
    #[default]
    Cpu,
    /// Where threads wait.
    OffCpu,
    /// Where memory is asked for.
    Memory,
    /// Where memory is touched for the first time, or again after it was taken away: page faults.
    Faults,
}

impl ProfileKind {
    /// Its name in files and in names of files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::OffCpu => "off-cpu",
            Self::Memory => "memory",
            Self::Faults => "faults",
        }
    }
}

/// What takes the samples of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// `lab-probe`, by perf_event_open, from outside the process.
    PerfEvent,
    /// The pprof crate, by SIGPROF, inside the process: user frames only, and CPU time only.
    Pprof,
    /// The kit's allocator, inside the process: it samples what is asked of it, and needs no
    /// rights.
    Allocator,
}

/// What a profile is worth: the file beside the folded stacks (`cpu.folded` and `cpu.json`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProfileQuality {
    /// `cpu`, `off-cpu`, `memory` or `faults`.
    pub kind: String,
    /// `perf-event`, `pprof` or `allocator`.
    pub backend: String,
    /// Samples asked for in a CPU-second; absent off the CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_hz: Option<f64>,
    /// Samples taken in a CPU-second; `None` off the CPU, and where no CPU time was seen.
    pub achieved_hz: Option<f64>,
    /// Off the CPU: how long threads waited, all together; what the folded file adds up to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_seconds: Option<f64>,
    /// Off the CPU: how long threads could have run and had no CPU. It is in no stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preempted_seconds: Option<f64>,
    /// Page faults, all together; what the folded file adds up to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults: Option<u64>,
    /// Samples in the folded file.
    pub samples: u64,
    /// Samples that the kernel dropped; `None` if the backend does not report it.
    pub lost: Option<u64>,
    /// Share of stacks, off the CPU of time, that do not end in a thread's first function; `None`
    /// where unknown.
    pub rootless: Option<f64>,
    /// Share of samples taken in the kernel; `None` where the backend cannot see it.
    pub kernel: Option<f64>,
    /// What a reader of the graph must know, in whole sentences.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl ProfileQuality {
    /// Several profiles of a kind, in one line; `samples` is their total as text: `1,590 samples at
    /// 98.7 Hz of 99 Hz, perf-event`, or off the CPU `312 waits of 4.213 s, 0.351 s preempted left
    /// out, perf-event`.
    pub fn line(profiles: &[&Self], samples: &str) -> String {
        let backend = profiles.first().map_or("", |profile| &profile.backend);
        let sum = |seconds: fn(&Self) -> Option<f64>| {
            profiles.iter().map(|profile| seconds(profile)).sum::<Option<f64>>()
        };
        match sum(|profile| profile.blocked_seconds).zip(sum(|profile| profile.preempted_seconds)) {
            Some((blocked, preempted)) if !profiles.is_empty() => format!(
                "{samples} waits of {blocked:.3} s, {preempted:.3} s preempted left out, {backend}"
            ),
            _ => {
                let hz = |hz: Option<f64>, digits: usize| {
                    hz.map_or("–".to_owned(), |hz| format!("{hz:.digits$} Hz"))
                };
                let requested_hz = profiles.first().and_then(|profile| profile.requested_hz);
                if let Some(faults) = profiles.iter().map(|p| p.faults).sum::<Option<u64>>()
                    && !profiles.is_empty()
                {
                    return format!("{faults} page faults in {samples} samples, {backend}");
                }
                if requested_hz.is_none() {
                    return format!("{samples} samples, {backend}");
                }
                let (got, asked) = (hz(Self::rate(profiles), 1), hz(requested_hz, 0));
                format!("{samples} samples at {got} of {asked}, {backend}")
            }
        }
    }

    /// Samples taken per CPU-second; `None` without CPU time. At most the requested rate: an
    /// unfinished last period, and time before the first instruction, would raise it.
    pub fn achieved_hz(samples: u64, cpu_seconds: f64, requested_hz: Option<f64>) -> Option<f64> {
        let most = requested_hz.unwrap_or(f64::INFINITY);
        (cpu_seconds > 0.0).then(|| (samples as f64 / cpu_seconds).min(most))
    }

    /// Samples in a CPU-second over several profiles, where each knows its own; one that took no
    /// CPU time adds neither.
    pub fn rate(profiles: &[&Self]) -> Option<f64> {
        let samples: f64 = profiles.iter().map(|profile| profile.samples as f64).sum();
        let seconds = |profile: &&Self| match (profile.samples, profile.achieved_hz) {
            (0, None) => Some(0.0),
            (samples, achieved_hz) => Some(samples as f64 / achieved_hz?),
        };
        let seconds: f64 = profiles.iter().map(seconds).sum::<Option<f64>>()?;
        Some(samples / seconds).filter(|hz| hz.is_finite() && *hz > 0.0)
    }
}

impl Schema for ProfileQuality {
    const NAME: &'static str = "perf-lab.profile";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{parse_json, to_json};

    #[test]
    fn a_profile_without_a_kind_is_one_of_cpu_time() {
        let old: Profile = serde_json::from_str(r#"{"backend": "pprof", "hz": 99}"#).unwrap();
        let cpu = Profile { kind: ProfileKind::Cpu, backend: Backend::Pprof, hz: Some(99) };
        assert_eq!(old, cpu);
    }

    #[test]
    fn an_off_cpu_profile_has_no_rate() {
        let text = r#"{"schema": "perf-lab.profile/1", "kind": "off-cpu", "backend": "perf-event",
            "blocked_seconds": 1.5, "preempted_seconds": 0.25, "samples": 7, "lost": 0, "rootless": 0.0}"#;
        let quality: ProfileQuality = parse_json(text).unwrap();
        assert_eq!((quality.requested_hz, quality.achieved_hz), (None, None));
        assert!(!to_json(&quality).unwrap().contains("requested_hz"));
        let line = "14 waits of 3.000 s, 0.500 s preempted left out, perf-event";
        assert_eq!(ProfileQuality::line(&[&quality, &quality], "14"), line);
    }

    #[test]
    fn the_achieved_rate_is_never_above_the_requested_one() {
        let rate = |samples, seconds| ProfileQuality::achieved_hz(samples, seconds, Some(99.0));
        assert_eq!((rate(5, 0.001), rate(99, 2.0), rate(0, 0.0)), (Some(99.0), Some(49.5), None));
        assert_eq!(ProfileQuality::achieved_hz(150, 1.0, None), Some(150.0));
    }

    #[test]
    fn the_rate_of_several_profiles_is_weighted_by_cpu_time() {
        let quality = |samples, achieved_hz| ProfileQuality {
            backend: "perf-event".into(),
            requested_hz: Some(99.0),
            samples,
            achieved_hz,
            ..ProfileQuality::default()
        };
        // The third took next to no CPU time.
        let all = [quality(100, Some(50.0)), quality(300, Some(100.0)), quality(0, None)];
        let all = all.each_ref();
        assert_eq!(ProfileQuality::rate(&all), Some(80.0));
        let line = "400 samples at 80.0 Hz of 99 Hz, perf-event";
        assert_eq!(ProfileQuality::line(&all, "400"), line);
        let line = "0 samples at – of 99 Hz, perf-event";
        assert_eq!(ProfileQuality::line(&all[2..], "0"), line);
    }
}
