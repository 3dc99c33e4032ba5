//! `cargo xtask gallery`: the newest complete run of each lab, in a folder that can be published.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use lab_record::{Mode, Plan, Summary, read_json};

use crate::exit::{Code, usage};
use crate::output::print;
use crate::path;
use crate::process::{Ended, Interrupt, supervise};
use crate::run_dir::check_free;
use crate::workspace::{Workspace, shorten};

/// A browser that takes longer for a page hangs.
const DEADLINE: Duration = Duration::from_secs(60);
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to, a new or empty directory [default: target/perf-lab-gallery, made anew]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Make the two images of README.md instead, by a headless Chromium: the first screen of
    /// tail-latency's page, and of differential-flame-graphs'
    #[arg(long, conflicts_with = "out")]
    images: bool,
}

/// The images of README.md: the lab whose page is shown, and the file.
const IMAGES: [(&str, &str); 2] =
    [("tail-latency", "page.png"), ("differential-flame-graphs", "differential.png")];
/// The window of an image, in pixels: it holds the chart, the finding and what to try.
const WINDOW: &str = "--window-size=1000,800";

/// Makes the gallery, or the images.
pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let workspace = Workspace::with_labs("gallery")?;
    if args.images {
        return images(&workspace);
    }
    let out = match &args.out {
        Some(out) => {
            check_free(out)?;
            out.clone()
        }
        None => {
            lab_files::remove_below(&workspace.target, "perf-lab-gallery")?;
            workspace.target.join("perf-lab-gallery")
        }
    };
    let labs = workspace.labs();
    let found = labs.iter().map(|lab| (lab.name.as_str(), newest(&workspace, &lab.name)));
    let (with, without): (Vec<_>, Vec<_>) = found.partition(|(_, run)| run.is_some());
    for (lab, _) in &without {
        eprintln!("note: {}", no_run_of(lab));
    }
    let runs: Vec<PathBuf> = with.into_iter().filter_map(|(_, run)| run).collect();
    if runs.is_empty() {
        let program = lab_text::program::name();
        return Err(usage(format!(
            "no lab has a whole run: start with `{program} lab tail-latency`"
        )));
    }
    fs::create_dir_all(&out).with_context(|| format!("make {}", out.display()))?;
    let runs: Vec<&Path> = runs.iter().map(PathBuf::as_path).collect();
    let index = lab_report::write_gallery(&out, &runs)?;
    print(&format!("{}\n", shorten(&index).display()))?;
    Ok(Code::Fine)
}

fn no_run_of(lab: &str) -> String {
    format!("{lab} has no whole run: {} lab {lab}", lab_text::program::name())
}

/// The newest complete run of a lab.
fn newest(workspace: &Workspace, lab: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(workspace.runs().join(lab)).ok()?.flatten();
    // `latest` is a link to one of them.
    let runs = entries.map(|entry| entry.path()).filter(|dir| !dir.is_symlink());
    runs.filter_map(|dir| Some((begun_if_whole(&dir)?, dir))).max().map(|(_, dir)| dir)
}

/// When a run began, if it is complete: live, valid, of all variants, with default knobs and a
/// page.
fn begun_if_whole(dir: &Path) -> Option<String> {
    let plan: Plan = read_json(&dir.join("plan.json")).ok()?;
    let summary: Summary = read_json(&dir.join("summary.json")).ok()?;
    let ran = |name: &str| plan.trials.iter().any(|trial| trial.variant == name);
    let of_all = plan.description.variants.iter().all(|variant| ran(&variant.name));
    // A run that was interrupted has no claims.
    let ended = summary.valid && !summary.claims.is_empty() && dir.join(lab_report::PAGE).is_file();
    let whole = ended && of_all && plan.mode == Mode::Live && plan.set.is_empty();
    whole.then_some(plan.created)
}

fn images(workspace: &Workspace) -> anyhow::Result<Code> {
    let interrupt = Interrupt::listen()?;
    for (lab, name) in IMAGES {
        let no_run = || usage(no_run_of(lab));
        let page = newest(workspace, lab).ok_or_else(no_run)?.join(lab_report::PAGE);
        let image = lab_files::dir_below(&workspace.root, "docs")?.join(name);
        draw(&page, &image, &interrupt)?;
        print(&format!("{}\n", shorten(&image).display()))?;
    }
    Ok(Code::Fine)
}

/// Has a headless browser draw the first screen of a page.
fn draw(page: &Path, image: &Path, interrupt: &Interrupt) -> anyhow::Result<()> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let program = named.or_else(|| path::programs(&BROWSERS).next());
    let program = program.context("no Chromium in CHROMIUM or PATH")?;
    let mut command = Command::new(program);
    command
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", WINDOW])
        .args(["--force-color-profile=srgb", "--blink-settings=preferredColorScheme=1"])
        .arg(format!("--screenshot={}", image.display()))
        .arg(crate::ending::address(&std::path::absolute(page)?))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let ended = supervise(command, DEADLINE, interrupt, |_| {})?;
    ensure!(
        matches!(ended, Ended::Itself(_)) && image.is_file(),
        "the browser drew no {}",
        image.display()
    );
    Ok(())
}
