//! One run of each lab, in a folder that can be published as it is.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use lab_record::{Run, Summary, read_json};
use maud::{Markup, html};

use crate::PAGE;
use crate::data::Data;
use crate::page::{file_link_as, page};

/// A lab and its run.
struct Shown {
    lab: String,
    question: String,
    finding: Option<String>,
    created: String,
    claims: String,
}

/// Copies the pages of `runs`, and what they link to, into `out/<lab>`, and writes `out/index.html`.
///
/// # Errors
/// A run lacks its summary or page, or `out` cannot be written.
pub(crate) fn write(out: &Path, runs: &[&Path]) -> anyhow::Result<()> {
    let mut shown = Vec::new();
    for dir in runs {
        let plan = Run::load(dir)?.plan;
        let summary: Summary = read_json(&dir.join("summary.json"))?;
        let home = lab_files::dir_below(out, &summary.lab)?;
        copy(&dir.join(PAGE), &home.join(PAGE))?;
        for artifact in summary.artifacts.iter().filter(|path| path.starts_with("flame/")) {
            lab_files::dir_below(&home, "flame")?;
            copy(&dir.join(artifact), &home.join(artifact))?;
        }
        shown.push(Shown {
            lab: summary.lab,
            question: plan.description.question,
            finding: summary.story.finding,
            created: plan.created,
            claims: crate::tally(&summary.claims),
        });
    }
    lab_files::write(&out.join("index.html"), render(&shown))
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    lab_files::write(to, fs::read(from).with_context(|| format!("read {}", from.display()))?)
}

fn render(shown: &[Shown]) -> String {
    let body = html! {
        header { p.kicker { "perf-lab" } h1 { "The classics of performance engineering, as experiments" } }
        main {
            p { "A run of each lab: what it asks, what it found on one machine, and the whole page of that run." }
            @for lab in shown { (entry(lab)) }
        }
    };
    page("perf-lab: gallery", &Data::default(), body)
}

fn entry(shown: &Shown) -> Markup {
    html! {
        section {
            h2 { (file_link_as(&format!("{}/{PAGE}", shown.lab), &shown.lab)) }
            p { (shown.question) }
            @if let Some(finding) = &shown.finding { blockquote { (finding) } }
            p { (shown.claims) ". " (shown.created) }
        }
    }
}
