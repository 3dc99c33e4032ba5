//! `cargo xtask new NAME`: a lab that builds, runs and passes its tests as it stands.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use lab_text::program;

use crate::exit::{Code, usage};
use crate::output::print;
use crate::sudo;
use crate::workspace::{Workspace, shorten};

/// The folder of a new lab: paths and texts with placeholders `{{…}}`.
type Template = [(&'static str, &'static str); 4];

const MANIFEST: &str = include_str!("../templates/Cargo.toml.in");
const MAIN: &str = include_str!("../templates/main.rs.in");

/// Two variants, a metric and a claim, in real time.
const LIVE: Template = [
    ("Cargo.toml", MANIFEST),
    ("README.md", include_str!("../templates/live/README.md.in")),
    ("src/lib.rs", include_str!("../templates/live/lib.rs.in")),
    ("src/main.rs", MAIN),
];

/// A queue in real and in simulated time, against a formula.
const SIMULATED: Template = [
    ("Cargo.toml", MANIFEST),
    ("README.md", include_str!("../templates/simulated/README.md.in")),
    ("src/lib.rs", include_str!("../templates/simulated/lib.rs.in")),
    ("src/main.rs", MAIN),
];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Kebab-case: the folder, the package, the command-line name and the run directory
    name: String,
    /// A queue in simulated and in real time, instead of two variants in real time
    #[arg(long)]
    simulated: bool,
}

/// Writes the folder of a new lab.
pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let name = &args.name;
    check_name(name)?;
    let workspace = Workspace::with_labs("new")?;
    let folder = workspace.root.join("labs").join(name);
    if workspace.package(name).is_some() || folder.exists() {
        return Err(usage(format!("there is a package or a folder `{name}` already")));
    }
    check_free(name, &fs::read_to_string(workspace.root.join("Cargo.lock")).unwrap_or_default())?;
    for (path, text) in if args.simulated { SIMULATED } else { LIVE } {
        write(&folder.join(path), &fill(text, name))?;
    }
    sudo::give_back(&folder)?;
    print(&format!(
        "{folder}: the new lab is ready. Try\n  {program} learn {name}\n  \
         {program} lab {name}\n  cargo test -p {name}\n",
        folder = shorten(&folder).display(),
        program = program::name()
    ))?;
    Ok(Code::Fine)
}

/// Checks that a name is valid as a folder, a package and a crate.
fn check_name(name: &str) -> anyhow::Result<()> {
    let words = || name.split('-');
    let plain = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    if words().all(plain) && name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Ok(());
    }
    Err(usage(format!("`{name}` is not a valid lab name: use one like `cache-misses`")))
}

/// Refuses a name that is a word of Rust, a directory of cargo's or of ours, or a package of the
/// lock file: each would later break builds or mix runs.
fn check_free(name: &str, lock: &str) -> anyhow::Result<()> {
    let same = |other: &str| other.replace('-', "_") == name.replace('-', "_");
    let packages =
        lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    let taken = if RESERVED.iter().copied().any(same) {
        "the name is reserved"
    } else if packages.into_iter().any(same) {
        "a package of Cargo.lock has this name"
    } else {
        return Ok(());
    };
    Err(usage(format!("`{name}` is not a valid lab name: {taken}")))
}

/// Rust's keywords and crates, and what cargo and this project put into `target`.
const RESERVED: [&str; 69] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "comparisons",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "doc",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "flame-diff",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "probe",
    "proc-macro",
    "pub",
    "record",
    "ref",
    "release",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "union",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "xtask",
    "yield",
    "main",
];

fn fill(text: &str, name: &str) -> String {
    text.replace("{{name}}", name)
        .replace("{{crate}}", &name.replace('-', "_"))
        .replace("{{title}}", &title(name))
}

/// `Cache misses` of `cache-misses`.
fn title(name: &str) -> String {
    let mut title = name.replace('-', " ");
    title[..1].make_ascii_uppercase();
    title
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().context("a file of the template lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(lab_files::create_new(path)?.write_all(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_good_for_folder_package_and_crate() {
        for good in ["cache-misses", "l3", "a"] {
            check_name(good).unwrap();
        }
        for bad in ["", "-a", "a-", "a--b", "Cache", "3d", "a_b", "a/b", "..", "é"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_word_or_a_package_that_is_taken_is_refused() {
        let lock = "[[package]]\nname = \"serde\"\n\n[[package]]\nname = \"aya-obj\"\n";
        for taken in ["build", "deps", "examples", "incremental", "fn", "std", "probe", "serde"] {
            let error = check_free(taken, lock).unwrap_err().to_string();
            assert!(error.contains(&format!("`{taken}` is not a valid lab name")), "{error}");
        }
        assert!(check_free("aya-obj", lock).unwrap_err().to_string().contains("Cargo.lock"));
        check_free("cache-misses", lock).unwrap();
    }

    #[test]
    fn a_new_lab_has_no_unfilled_placeholders() {
        for (path, text) in [LIVE, SIMULATED].concat() {
            let filled = fill(text, "cache-misses");
            assert!(!filled.contains("{{name") && !filled.contains("{{crate"), "{path}");
            assert!(!filled.contains("{{title"), "{path}");
        }
        assert_eq!(title("cache-misses"), "Cache misses");
    }
}
