//! `cargo xtask list`: the labs, as each describes itself.
//!
//! Nothing is built here. A lab's `describe.json` is its own description, which its test keeps up
//! to date; a lab without one is asked if it is built, and else represented by its README.
//!
//! ```json
//! { "schema": "perf-lab.list/1",
//!   "labs": [{ "name": "tail-latency", "title": "<of its README>", "trouble": null|"not built yet",
//!              "description": null|{ "<as the lab describes itself>" } }] }
//! ```

use std::collections::BTreeSet;
use std::fs;

use lab_record::{
    ClaimSpec, Description, KnobSpec, Schema, VariantSpec, as_typed, read_json, to_json,
};
use lab_text::program;
use serde::Serialize;

use crate::build::describe;
use crate::exit::Code;
use crate::output::{Format, markdown_table, paragraph, print, row};
use crate::process::Interrupt;
use crate::workspace::{Package, Workspace};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// All of one lab: its variants, claims, knobs and sources
    name: Option<String>,
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

/// The file with a lab's description, in its folder.
const DESCRIBED: &str = "describe.json";

/// Lists all labs, or one.
pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let workspace = Workspace::with_labs("list")?;
    let named = args.name.as_deref().map(|name| workspace.lab(name)).transpose()?;
    let labs = named.map_or_else(|| workspace.labs(), |lab| vec![lab]);
    let labs: Vec<Entry> = labs.into_iter().map(|lab| entry(&workspace, lab)).collect();
    if labs.is_empty() {
        eprintln!("no lab in this workspace: make one with `{} new NAME`", program::name());
    }
    print(&match args.format {
        Format::Human if named.is_some() => labs.iter().map(whole).collect(),
        Format::Human => labs.iter().map(human).collect::<Vec<_>>().join("\n") + &more(),
        Format::Json => format!("{}\n", to_json(&List { labs })?),
        Format::Md => markdown(&labs),
    })?;
    Ok(Code::Fine)
}

/// What to type next.
fn more() -> String {
    let name = program::name();
    format!(
        "\nall of a lab:      {name} list NAME\n\
         run it:            {name} lab NAME\n\
         predict, then run: {name} learn NAME\n"
    )
}

fn entry(workspace: &Workspace, lab: &Package) -> Entry {
    let file = lab.folder().join(DESCRIBED);
    let asked = || {
        let binary = lab.release_binary(&workspace.target)?;
        Some(describe(&binary, &Interrupt::default()))
    };
    let described = if file.is_file() { Some(read_json(&file)) } else { asked() };
    let (trouble, description) = match described {
        None => (Some(format!("not built yet: {} lab {}", program::name(), lab.name)), None),
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
    let mut text = head(lab);
    let Some(description) = &lab.description else { return text };
    let names: Vec<&str> = description.variants.iter().map(|v| v.name.as_str()).collect();
    paragraph(&mut text, "  variants: ", &names.join(", "), 4);
    let ids: Vec<&str> = description.claims.iter().map(|claim| claim.id.as_str()).collect();
    paragraph(&mut text, "  claims: ", &ids.join(", "), 4);
    text
}

/// The lab's question, and why no more is known about it.
fn head(lab: &Entry) -> String {
    let mut text = String::new();
    let asks = lab.description.as_ref().map_or(&lab.title, |description| &description.question);
    paragraph(&mut text, &format!("{}: ", lab.name), asks, 2);
    if let Some(trouble) = &lab.trouble {
        row(&mut text, &format!("  {trouble}"));
    }
    text
}

fn whole(lab: &Entry) -> String {
    let mut text = head(lab);
    let Some(description) = &lab.description else { return text };
    text.push_str("\nvariants\n");
    let width = description.variants.iter().map(|variant| variant.name.len()).max().unwrap_or(0);
    for variant in &description.variants {
        let head = format!("  {:<width$}  {:<7}  ", variant.name, modes(variant));
        paragraph(&mut text, &head, &variant.why, head.len());
    }
    text.push_str("\nclaims, how each is checked, and what takes its cause away\n");
    for claim in &description.claims {
        paragraph(&mut text, &format!("  {:<7} ", claim.id), &claim.says, 10);
        let hows: Vec<&str> = claim.checks.iter().map(|check| check.how.words()).collect();
        let ways = hows.chunk_by(|a, b| a == b).map(|same| same[0]).collect::<Vec<_>>().join(", ");
        paragraph(&mut text, "          ", &format!("{ways}; {}", without(claim)), 10);
    }
    text.push_str("\nknobs\n");
    for knob in &description.knobs {
        let head = format!("  --set {}  ", set(knob));
        paragraph(&mut text, &head, &knob.help, 10);
    }
    text.push_str("\nsources\n");
    for source in &description.sources {
        paragraph(&mut text, &format!("  {}: ", source.short), &source.title, 4);
    }
    if !description.lessons.is_empty() {
        let (lessons, program) = (description.lessons.len(), program::name());
        text.push('\n');
        row(&mut text, &format!("{lessons} lessons: {program} learn {}", lab.name));
    }
    text
}

/// A knob and its default, as typed.
fn set(knob: &KnobSpec) -> String {
    format!("{}={}", knob.name, knob.default)
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

/// Each claim, and what to type to see it fail.
fn counter_experiments(lab: &Description) -> Vec<String> {
    lab.claims.iter().map(|claim| format!("{} {}", claim.id, without(claim))).collect()
}

/// What takes the causes of a claim's checks away.
fn without(claim: &ClaimSpec) -> String {
    let sets: BTreeSet<String> =
        claim.checks.iter().map(|check| as_typed(&check.without)).collect();
    sets.into_iter().collect::<Vec<_>>().join(" or ")
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
