//! Finds the tools that BPF programs are compiled with.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use super::manifest::object;
use crate::path;
use crate::workspace::cargo;

const TARGET: &str = "bpfel-unknown-none";

const INSTALL: &str = "\
install a compiler that has `core` for BPF (Debian):
  apt-get install -y --no-install-recommends rustc-web libstd-rust-web-dev-bpf llvm-22
or, with rustup:
  rustup toolchain install nightly --component rust-src,llvm-tools
and the linker:
  cargo install bpf-linker --version 0.10.3 --locked";

fn missing(what: &str) -> String {
    format!("there is no {what}\n{INSTALL}")
}

/// Compiler, linker and stripper.
#[derive(Debug)]
pub(super) struct Toolchain {
    compiler: Compiler,
    linker: PathBuf,
    strip: PathBuf,
    versions: String,
}

#[derive(Debug)]
enum Compiler {
    /// A rustc that has `core` for BPF.
    Ready(PathBuf),
    /// rustup's nightly, which compiles `core` first.
    Nightly,
}

impl Toolchain {
    /// `$EBPF_RUSTC`, else any rustc that has `core` for BPF, else nightly with rust-src.
    ///
    /// # Errors
    /// A tool is missing; the error says how to install it.
    pub(super) fn find() -> anyhow::Result<Self> {
        let compiler = compiler()?;
        let linker =
            path::programs(&["bpf-linker"]).next().with_context(|| missing("bpf-linker"))?;
        let strip = strip().with_context(|| missing("llvm-strip"))?;
        let rustc = match &compiler {
            Compiler::Ready(rustc) => answer(Command::new(rustc).arg("--version"))?,
            Compiler::Nightly => answer(Command::new("rustc").args(["+nightly", "--version"]))?,
        };
        let linked = answer(Command::new(&linker).arg("--version"))?;
        let stripped = answer(Command::new(&strip).arg("--version"))?;
        let llvm =
            stripped.split_once("LLVM version ").map_or(stripped.as_str(), |(_, after)| after);
        let llvm = llvm.lines().next().unwrap_or("unknown");
        let versions = format!("{rustc}, {linked}, llvm-strip {llvm}");
        Ok(Self { compiler, linker, strip, versions })
    }

    /// The tools' versions, for the manifest.
    pub(super) fn versions(&self) -> String {
        self.versions.clone()
    }

    /// Compiles and strips every program of `home`, `ebpf/` or a copy of it. The bytes do not
    /// depend on its path.
    pub(super) fn compile(
        &self,
        home: &Path,
        target: &Path,
    ) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
        let home = home.canonicalize().with_context(|| home.display().to_string())?;
        let programs = home.join("programs");
        let mut command = cargo();
        match &self.compiler {
            // aya uses inline assembly for BPF, which is not stable yet.
            Compiler::Ready(rustc) => command.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1"),
            Compiler::Nightly => command.args(["+nightly", "-Zbuild-std=core"]),
        };
        command
            .args(["build", "--release", "--locked", "--target-dir"])
            .arg(target)
            .current_dir(&programs)
            .env("RUSTFLAGS", self.flags(&home)?)
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        let status = command.status().context("run cargo")?;
        ensure!(status.success(), "the BPF programs do not compile");
        let mut objects = BTreeMap::new();
        for program in program_names(&programs)? {
            let linked = target.join(TARGET).join("release").join(&program);
            objects.insert(object(&program), self.strip(&linked)?);
        }
        Ok(objects)
    }

    /// Flags for BTF from debug information, without paths of this machine.
    fn flags(&self, home: &Path) -> anyhow::Result<String> {
        let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let cargo_home =
            cargo_home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
        let cargo_home = cargo_home.context("neither CARGO_HOME nor HOME is set")?;
        Ok(format!(
            "-Clinker={} -Clink-arg=--btf --remap-path-prefix={}=/ebpf \
             --remap-path-prefix={}=/cargo",
            self.linker.display(),
            home.display(),
            cargo_home.display()
        ))
    }

    /// Keeps only the code and its types: no debug information and no source lines for the
    /// verifier's log.
    fn strip(&self, linked: &Path) -> anyhow::Result<Vec<u8>> {
        let stripped = linked.with_extension("stripped");
        let status = Command::new(&self.strip)
            .args(["-g", "--remove-section=.BTF.ext", "--remove-section=.rel.BTF.ext"])
            .arg(linked)
            .arg("-o")
            .arg(&stripped)
            .status()
            .with_context(|| format!("run {}", self.strip.display()))?;
        ensure!(status.success(), "{} cannot be stripped", linked.display());
        fs::read(&stripped).with_context(|| format!("read {}", stripped.display()))
    }
}

/// The names of the programs: each is a file in `src/bin`.
fn program_names(programs: &Path) -> anyhow::Result<Vec<String>> {
    let dir = programs.join("src/bin");
    let mut names = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| format!("read {}", dir.display()))? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn compiler() -> anyhow::Result<Compiler> {
    if let Some(named) = env::var_os("EBPF_RUSTC") {
        ensure!(has_core(Path::new(&named)), "EBPF_RUSTC: it has no `core` for {TARGET}");
        return Ok(Compiler::Ready(named.into()));
    }
    // Debian's rustc has it, but rustup's often comes before it in `PATH`, or is the only one
    // there.
    let mut compilers = path::programs(&["rustc"]).chain(["/usr/bin/rustc".into()]);
    if let Some(rustc) = compilers.find(|rustc| has_core(rustc)) {
        return Ok(Compiler::Ready(rustc));
    }
    let sysroot = answer(Command::new("rustc").args(["+nightly", "--print", "sysroot"]));
    match sysroot {
        Ok(sysroot) if Path::new(&sysroot).join("lib/rustlib/src/rust/library").is_dir() => {
            Ok(Compiler::Nightly)
        }
        _ => bail!(missing(&format!("compiler for {TARGET}"))),
    }
}

/// Whether this rustc comes with `core` for BPF.
fn has_core(rustc: &Path) -> bool {
    let mut command = Command::new(rustc);
    command.args(["--print", "target-libdir", "--target", TARGET]);
    answer(&mut command).is_ok_and(|dir| !dir.is_empty() && Path::new(&dir).is_dir())
}

/// llvm-strip of the newest LLVM that is here: Debian's unnumbered one is its oldest.
fn strip() -> Option<PathBuf> {
    let numbered =
        (15..40).rev().map(|v| PathBuf::from(format!("/usr/lib/llvm-{v}/bin/llvm-strip")));
    numbered.chain(path::programs(&["llvm-strip"])).find(|path| path.is_file())
}

/// The output of a command, if it succeeds.
fn answer(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("run {:?}", command.get_program()))?;
    ensure!(output.status.success(), "{:?} ended with {}", command.get_program(), output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
