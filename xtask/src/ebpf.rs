//! `cargo xtask ebpf`: compiles the BPF programs into `ebpf/prebuilt`, and checks what is committed
//! there.
//!
//! A user needs none of this: the objects are committed, and `lab-probe` embeds them. The manifest
//! beside them says which sources they were made from, so that any `cargo test` finds a change of
//! one without the other.

mod manifest;
mod toolchain;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use lab_files::Scratch;
use lab_text::program;

use crate::exit::Code;
use crate::output::print;
use crate::workspace::Workspace;
use manifest::Manifest;
use toolchain::Toolchain;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Clone, Copy, clap::Subcommand)]
enum Verb {
    /// Compile the programs and commit-ready objects of them, with their manifest
    Build,
    /// Compare the objects with the sources by hash, and with a build elsewhere where the compiler
    /// is here
    Check,
}

/// Builds or checks.
pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let workspace = Workspace::with_labs("ebpf")?;
    match args.verb {
        Verb::Build => build(&workspace),
        Verb::Check => check(&workspace),
    }
}

fn build(workspace: &Workspace) -> anyhow::Result<Code> {
    let home = workspace.root.join("ebpf");
    let toolchain = Toolchain::find()?;
    let objects = toolchain.compile(&home, &workspace.target.join("ebpf-programs"))?;
    let prebuilt = prebuilt(&home);
    // Removed as a whole, so that no object stays whose program is gone.
    if prebuilt.exists() {
        fs::remove_dir_all(&prebuilt).with_context(|| format!("clear {}", prebuilt.display()))?;
    }
    fs::create_dir_all(&prebuilt).with_context(|| format!("make {}", prebuilt.display()))?;
    let manifest = Manifest::new(manifest::sources(&home)?, toolchain.versions(), &objects);
    for (name, bytes) in &objects {
        lab_files::write(&prebuilt.join(name), bytes)?;
        print(&format!("{name}  {} bytes\n", bytes.len()))?;
    }
    lab_files::write(&prebuilt.join(manifest::FILE), manifest.to_string())?;
    Ok(Code::Fine)
}

fn check(workspace: &Workspace) -> anyhow::Result<Code> {
    let home = workspace.root.join("ebpf");
    let manifest = consistent(&home)?;
    print("the committed objects are made of the committed sources\n")?;
    let toolchain = match Toolchain::find() {
        Ok(toolchain) if toolchain.versions() == manifest.versions => toolchain,
        Ok(toolchain) => {
            let differ = format!("{} here, {} there", toolchain.versions(), manifest.versions);
            return print(&format!("not built again, with other tools: {differ}\n"))
                .map(|()| Code::Fine);
        }
        Err(missing) => {
            eprintln!("note: not built again: {missing:#}");
            return Ok(Code::Fine);
        }
    };
    // From another path, so that a path in an object is noticed.
    let scratch = Scratch::new(&workspace.target, "ebpf-check")?;
    let elsewhere = scratch.path().join("elsewhere");
    copy(&home, &elsewhere)?;
    let built = toolchain.compile(&elsewhere, &scratch.path().join("target"))?;
    let built = Manifest::new(manifest.sources.clone(), toolchain.versions(), &built);
    ensure!(
        built == manifest,
        "a build from another path differs from what is committed:\n{manifest}\nbecomes\n{built}"
    );
    print("built again from another path, they are the same bytes\n")?;
    Ok(Code::Fine)
}

/// The manifest, if it matches sources and objects.
fn consistent(home: &Path) -> anyhow::Result<Manifest> {
    let path = prebuilt(home).join(manifest::FILE);
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let manifest: Manifest = text.parse().with_context(|| path.display().to_string())?;
    if manifest.sources != manifest::sources(home)? {
        bail!(
            "the BPF sources have changed since their objects were built: {} ebpf build",
            program::name()
        );
    }
    let objects = manifest::objects(&prebuilt(home))?;
    ensure!(
        manifest.objects == objects,
        "{}: the objects beside it are others: {} ebpf build",
        path.display(),
        program::name()
    );
    Ok(manifest)
}

fn prebuilt(home: &Path) -> PathBuf {
    home.join("prebuilt").join("x86_64")
}

/// Copies the files of `ebpf/` that are compiled.
fn copy(home: &Path, to: &Path) -> anyhow::Result<()> {
    for (path, bytes) in manifest::source_files(home)? {
        let target = to.join(path);
        let dir = target.parent().context("a file has a directory")?;
        fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
        lab_files::write(&target, &bytes)?;
    }
    symlink("../common", to.join("programs/common")).context("link to common")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../ebpf")
    }

    #[test]
    fn the_committed_objects_are_made_of_the_committed_sources() {
        consistent(&home()).unwrap();
    }

    #[test]
    fn a_changed_source_or_object_is_found() {
        let dir = tempfile::tempdir().unwrap();
        copy(&home(), dir.path()).unwrap();
        let prebuilt = prebuilt(dir.path());
        fs::create_dir_all(&prebuilt).unwrap();
        for entry in fs::read_dir(super::prebuilt(&home())).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, prebuilt.join(path.file_name().unwrap())).unwrap();
        }
        consistent(dir.path()).unwrap();
        let source = dir.path().join("common/src/tally.rs");
        let before = fs::read(&source).unwrap();
        fs::write(&source, [&before[..], b"\n"].concat()).unwrap();
        let error = consistent(dir.path()).unwrap_err().to_string();
        assert!(error.contains("sources have changed"), "{error}");
        fs::write(&source, before).unwrap();
        fs::write(prebuilt.join("runqlat.bpf.o"), b"x").unwrap();
        let error = consistent(dir.path()).unwrap_err().to_string();
        assert!(error.contains("are others"), "{error}");
    }
}
