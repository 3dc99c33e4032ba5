//! Differential flame graphs of both sides' profiled trials: they explain, and never gate.

use std::path::{Path, PathBuf};

use lab_flame::diff::svg::Root;
use lab_flame::diff::{self, Name, Normalise, TrialStacks};
use lab_flame::draw::Kind;
use lab_flame::folded::Folded;
use lab_record::{FinishedTrial, Run};

use crate::flame::differential::{self, Layout};

/// The number of frames in a table of the page.
const TOP: usize = 12;

/// A differential on disk.
pub(super) struct Drawn {
    pub(super) page: PathBuf,
    /// The number of functions with a significant change; `None` if there are too few trials to
    /// tell.
    pub(super) moved: Option<u32>,
}

/// Draws the differential of a variant of each run into a folder of the comparison in `home`;
/// `None` if a side has no profile of it.
pub(super) fn draw(
    (base, of_base): (&Path, &str),
    (new, of_new): (&Path, &str),
    names: [&str; 2],
    home: &Path,
) -> anyhow::Result<Option<Drawn>> {
    let (base, new) = (Run::load(base)?, Run::load(new)?);
    let (before, after) = (profiles(&base, of_base)?, profiles(&new, of_new)?);
    if before.is_empty() || after.is_empty() {
        return Ok(None);
    }
    let lab = &base.plan.description.name;
    let label = [(of_base, names[0]), (of_new, names[1])]
        .map(|(variant, name)| format!("{lab} / {variant} ({name})"));
    let folder = if of_base == of_new { of_base.to_owned() } else { format!("{of_base}-{of_new}") };
    let out = lab_files::dir_below(home, format!("flame/{lab}-{folder}"))?;
    page(&before, &after, &label, &out).map(Some)
}

fn page(
    before: &[TrialStacks],
    after: &[TrialStacks],
    label: &[String; 2],
    out: &Path,
) -> anyhow::Result<Drawn> {
    let diff =
        diff::diff(before, after, Normalise::best(before, after, Kind::Cpu), Kind::Cpu.unit())?;
    differential::write(&diff, label, out, Layout { root: Root::Bottom, top: TOP })?;
    let moves = |name: &&Name| name.inclusive.significant() || name.own.significant();
    let moved = diff.replicated().then(|| diff.names.iter().filter(moves).count() as u32);
    Ok(Drawn { page: out.join("diff.html"), moved })
}

/// The non-empty CPU profiles of a variant.
fn profiles(run: &Run, variant: &str) -> anyhow::Result<Vec<TrialStacks>> {
    let folded = |finished: &FinishedTrial| finished.dir.join("cpu.folded");
    let profiled = run.finished.iter().filter(|finished| finished.trial.profile.is_some());
    profiled
        .filter(|finished| finished.trial.variant == variant && has_stacks(&folded(finished)))
        .map(|finished| {
            let requests = Some(finished.metrics.accounting.completed).filter(|&n| n > 0);
            Ok(TrialStacks { stacks: Folded::open(&folded(finished))?, requests })
        })
        .collect()
}

fn has_stacks(file: &Path) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.len() > 0)
}
