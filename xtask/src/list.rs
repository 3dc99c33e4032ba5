//! `cargo xtask list`: what can be run, as each lab describes itself.
//!
//! Nothing is built here: a lab that was never built is shown by its README.

use std::fmt::Write as _;
use std::fs;

use lab_record::{Description, VariantSpec};

use crate::build::describe;
use crate::exit::Code;
use crate::output::print;
use crate::process::Interrupt;
use crate::run_dir::report_unfinished;
use crate::workspace::{Package, Workspace};

/// Lists all labs.
pub(crate) fn run() -> anyhow::Result<Code> {
    let workspace = Workspace::discover()?;
    report_unfinished(&workspace);
    let labs = workspace.labs();
    if labs.is_empty() {
        eprintln!("no lab in this workspace: make one with `cargo xtask new NAME`");
    }
    let entries: Vec<String> = labs.iter().map(|lab| entry(&workspace, lab)).collect();
    print(&entries.join("\n"))?;
    Ok(Code::Fine)
}

fn entry(workspace: &Workspace, lab: &Package) -> String {
    let binary = workspace.release_binary(lab);
    let name = &lab.name;
    if !binary.is_file() {
        return format!("{name}: {}\n  not built yet: cargo xtask lab {name}\n", title(lab));
    }
    match describe(&binary, &Interrupt::default()) {
        Ok(description) => described(&description),
        Err(error) => format!("{name}: {}\n  does not describe itself: {error:#}\n", title(lab)),
    }
}

/// The first heading of the lab's README.
fn title(lab: &Package) -> String {
    let readme = fs::read_to_string(lab.folder().join("README.md")).unwrap_or_default();
    let heading = readme.lines().find(|line| !line.trim().is_empty());
    heading.unwrap_or("no README.md").trim_start_matches('#').trim().to_owned()
}

fn described(lab: &Description) -> String {
    let mut text = format!("{}: {}\n", lab.name, lab.question);
    let width = lab.variants.iter().map(|variant| variant.name.len()).max().unwrap_or(0);
    for variant in &lab.variants {
        let line = format!("  {:<width$}  {:<7}  {}", variant.name, modes(variant), variant.why);
        writeln!(text, "{line}").expect("a string takes all");
    }
    for source in &lab.sources {
        writeln!(text, "  {}: {}", source.short, source.title).expect("a string takes all");
    }
    text
}

fn modes(variant: &VariantSpec) -> &'static str {
    match (variant.live, variant.simulated) {
        (Some(_), Some(_)) => "both",
        (Some(_), None) => "live",
        (None, Some(_)) => "virtual",
        (None, None) => "never",
    }
}
