//! A trial as an eBPF probe saw it, beside what the trial itself recorded.

use std::path::{Path, PathBuf};

use lab_record::probe::{ProbeHistogram, ProbeRecord};
use lab_record::table::Table;
use lab_record::{FinishedTrial, read_json};

use crate::finding::{Finding, Gap, Judged};

/// What a probe saw of one trial, and that trial.
///
/// A probe observes the lab's process and its child processes from their start to their end,
/// warm-up included: compare it with a count of the same span.
#[derive(Debug)]
pub struct Observation<'a> {
    /// What the probe saw.
    pub record: ProbeRecord,
    trial: &'a FinishedTrial,
}

impl<'a> Observation<'a> {
    pub(crate) fn read(trial: &'a FinishedTrial, probe: &str) -> Result<Self, Gap> {
        let file = directory(&trial.dir).join(probe).with_extension("json");
        let record = read_json(&file).map_err(|e| Gap::Unavailable(format!("{e:#}")))?;
        Ok(Self { record, trial })
    }

    /// This observation, if the probe missed no event. Lost stacks are allowed, since a check of
    /// stacks looks for them itself, and up to 1 % [unfinished](Self::unfinished) events.
    ///
    /// # Errors
    /// The probe lost events, so that no count is exact; or more than 1 % of the events are
    /// unfinished.
    pub fn whole(self) -> Result<Self, Gap> {
        let losses = self.record.losses;
        let lost = losses.total() - losses.stacks - losses.unfinished;
        let few = losses.unfinished * 100 <= self.record.cost.events;
        if lost == 0 && few { Ok(self) } else { Err(self.lossy()) }
    }

    /// The number of events whose end the kernel did not report: a count may be too low by as many.
    pub fn unfinished(&self) -> f64 {
        self.record.losses.unfinished as f64
    }

    /// Keeps a finding that holds, although events were lost: use it only where a loss cannot make
    /// a finding hold. A finding that does not hold may fail because of the loss.
    ///
    /// # Errors
    /// The finding does not hold, and the probe lost events or stacks.
    pub fn unless_lost(&self, judged: Judged) -> Judged {
        match judged? {
            Finding { holds: false, .. } if self.record.losses.total() > 0 => Err(self.lossy()),
            finding => Ok(finding),
        }
    }

    fn lossy(&self) -> Gap {
        let (probe, lost) = (&self.record.probe, self.record.losses.total());
        Gap::Invalid(format!("{}: {probe} lost {lost} events", self.trial.trial.variant))
    }

    /// A metric that the trial itself recorded.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn metric(&self, name: &str) -> Result<f64, Gap> {
        let metric = self.trial.metrics.metrics.get(name);
        metric.map(|metric| metric.value).ok_or_else(|| self.lacks("metric", name))
    }

    /// A histogram of the probe, over all threads.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn histogram(&self, name: &str) -> Result<&ProbeHistogram, Gap> {
        let mut all = self.record.histograms.iter();
        let found = all.find(|histogram| histogram.name == name && histogram.thread.is_none());
        found.ok_or_else(|| self.lacks("histogram", name))
    }

    /// A table of the probe.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn table(&self, name: &str) -> Result<&Table, Gap> {
        let found = self.record.tables.iter().find(|table| table.name == name);
        found.ok_or_else(|| self.lacks("table", name))
    }

    /// The folded stacks of this kind, such as `off-cpu`.
    ///
    /// # Errors
    /// The probe wrote none, or they cannot be read.
    pub fn folded(&self, kind: &str) -> Result<String, Gap> {
        let stacks = self.record.folded.iter().find(|stacks| stacks.kind == kind);
        let stacks = stacks.ok_or_else(|| self.lacks("stacks", kind))?;
        let file = directory(&self.trial.dir).join(&stacks.file);
        lab_files::read_text(&file).map_err(|error| Gap::Unavailable(format!("{error:#}")))
    }

    fn lacks(&self, what: &str, name: &str) -> Gap {
        let trial = &self.trial.trial.id;
        Gap::Unavailable(format!(
            "{trial}, observed by {}, has no {what} {name}",
            self.record.probe
        ))
    }
}

/// Where a probe leaves its files.
pub(crate) fn directory(trial: &Path) -> PathBuf {
    trial.join("probe")
}
