//! A run of the trials that some checks read, with some knobs set: for callers that compare two
//! such runs.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{bail, ensure};
use lab_record::{Claims, Description, Knobs, Mode, Plan, Reads, Run, write_json};

use super::{measure_in, new_plan};
use crate::environment;
use crate::execute::Programs;
use crate::judge::judge;
use crate::plan::{Request, plan_reads};
use crate::process::Interrupt;
use crate::summary::summarize;
use crate::workspace::{Workspace, shorten};

/// What all runs of an experiment share.
pub(crate) struct Experiment<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) description: Description,
    pub(crate) request: Request,
    pub(crate) programs: Programs,
    /// Whether the lab was built here.
    pub(crate) is_ours: bool,
}

impl Experiment<'_> {
    /// Plans a run of these trials, with these knobs over those that were typed.
    pub(crate) fn plan(
        &self,
        reads: &BTreeSet<(Mode, Reads)>,
        set: &Knobs,
    ) -> anyhow::Result<Plan> {
        let mut request = self.request.clone();
        request.set.extend(set.iter().map(|(name, value)| (name.clone(), value.to_string())));
        let trials = plan_reads(&self.description, &request, reads)?;
        new_plan(self.description.clone(), request, trials)
    }

    /// Runs it, has the lab judge it, and makes its page.
    pub(crate) fn run(&self, plan: &Plan, dir: &Path) -> anyhow::Result<Claims> {
        let Self { workspace, interrupt, programs, .. } = self;
        std::fs::create_dir_all(dir.join("trials"))?;
        write_json(&dir.join("plan.json"), plan)?;
        let environment = environment::collect(&workspace.root, self.is_ours);
        let (_, failed) = measure_in(plan, programs, dir, environment, interrupt)?;
        ensure!(!interrupt.raised(), "interrupted: the files so far are in {}", dir.display());
        if let Some(failed) = failed {
            bail!("{failed}");
        }
        let judged = judge(&programs.lab, dir, interrupt)?;
        let name = shorten(dir);
        let summary = summarize(&Run::load(dir)?, judged.clone(), name)?;
        write_json(&dir.join("summary.json"), &summary)?;
        // A run without its cause gets a page too.
        lab_report::write_run(dir, None)?;
        Ok(judged)
    }
}
