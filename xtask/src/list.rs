//! `cargo xtask list`: the labs, as each describes itself.
//!
//! Nothing is built here: a lab that was never built is shown by its README.
//!
//! ```json
//! { "schema": "perf-lab.list/1",
//!   "labs": [{ "name": "tail-latency", "title": "<of its README>", "trouble": null|"not built yet",
//!              "description": null|{ "<as the lab describes itself>" } }] }
//! ```

use std::collections::BTreeSet;
use std::fs;

use lab_record::{ClaimSpec, Description, Schema, VariantSpec, as_typed, to_json};
use serde::Serialize;

use crate::build::describe;
use crate::exit::Code;
use crate::output::{Format, markdown_table, paragraph, print, row};
use crate::process::Interrupt;
use crate::workspace::{Package, Workspace};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How to print the list
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Serialize)]
struct List {
    labs: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    name: String,
    title: String,
    /// Why there is no description.
    trouble: Option<String>,
    description: Option<Description>,
}

/// Lists all labs.
pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let workspace = Workspace::discover()?;
    let labs: Vec<Entry> = workspace.labs().into_iter().map(|lab| entry(&workspace, lab)).collect();
    if labs.is_empty() {
        eprintln!("no lab in this workspace: make one with `cargo xtask new NAME`");
    }
    print(&match args.format {
        Format::Human => labs.iter().map(human).collect::<Vec<_>>().join("\n"),
        Format::Json => format!("{}\n", to_json(&List { labs })?),
        Format::Md => markdown(&labs),
    })?;
    Ok(Code::Fine)
}

fn entry(workspace: &Workspace, lab: &Package) -> Entry {
    let described = lab
        .release_binary(&workspace.target)
        .map(|binary| describe(&binary, &Interrupt::default()));
    let (trouble, description) = match described {
        None => (Some(format!("not built yet: cargo xtask lab {}", lab.name)), None),
        Some(Ok(description)) => (None, Some(description)),
        Some(Err(error)) => (Some(format!("cannot be described: {error:#}")), None),
    };
    Entry { name: lab.name.clone(), title: title(lab), trouble, description }
}

/// The first heading of the lab's README.
fn title(lab: &Package) -> String {
    let readme = fs::read_to_string(lab.folder().join("README.md")).unwrap_or_default();
    let heading = readme.lines().find(|line| !line.trim().is_empty());
    heading.unwrap_or("no README.md").trim_start_matches('#').trim().to_owned()
}

fn human(lab: &Entry) -> String {
    let mut text = String::new();
    let asks = lab.description.as_ref().map_or(&lab.title, |description| &description.question);
    paragraph(&mut text, &format!("{}: ", lab.name), asks, 2);
    if let Some(trouble) = &lab.trouble {
        row(&mut text, &format!("  {trouble}"));
    }
    let Some(description) = &lab.description else { return text };
    let width = description.variants.iter().map(|variant| variant.name.len()).max().unwrap_or(0);
    for variant in &description.variants {
        let head = format!("  {:<width$}  {:<7}  ", variant.name, modes(variant));
        paragraph(&mut text, &head, &variant.why, head.len());
    }
    let without = counter_experiments(description);
    if !without.is_empty() {
        paragraph(&mut text, "  fails without its cause: ", &without.join("; "), 4);
    }
    for source in &description.sources {
        paragraph(&mut text, &format!("  {}: ", source.short), &source.title, 4);
    }
    text
}

fn markdown(labs: &[Entry]) -> String {
    markdown_table(
        ["lab", "asks", "variants", "claims, and what makes them fail", "sources"],
        labs.iter().map(|lab| {
            let asks = lab.trouble.clone().unwrap_or_default();
            let Some(lab_itself) = &lab.description else {
                return [lab.name.clone(), asks, String::new(), String::new(), String::new()];
            };
            let names = |all: Vec<&str>| all.join(", ");
            [
                lab.name.clone(),
                lab_itself.question.clone(),
                names(lab_itself.variants.iter().map(|variant| variant.name.as_str()).collect()),
                counter_experiments(lab_itself).join("; "),
                names(lab_itself.sources.iter().map(|source| source.short.as_str()).collect()),
            ]
        }),
    )
}

/// Each claim, and what one types to see it fail.
fn counter_experiments(lab: &Description) -> Vec<String> {
    let one = |claim: &ClaimSpec| {
        let sets: BTreeSet<String> =
            claim.checks.iter().map(|check| as_typed(&check.without)).collect();
        let sets: Vec<String> = sets.into_iter().collect();
        format!("{} {}", claim.id, sets.join(" or "))
    };
    lab.claims.iter().map(one).collect()
}

fn modes(variant: &VariantSpec) -> &'static str {
    match (variant.live, variant.simulated) {
        (Some(_), Some(_)) => "both",
        (Some(_), None) => "live",
        (None, Some(_)) => "simulated",
        (None, None) => "never",
    }
}

impl Schema for List {
    const NAME: &'static str = "perf-lab.list";
}
