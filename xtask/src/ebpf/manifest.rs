//! `ebpf/prebuilt/*/MANIFEST`: the sources and tools that the objects were made from, and hashes of
//! the objects.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

/// Its name.
pub(super) const FILE: &str = "MANIFEST";

/// The suffix of objects.
const OBJECT: &str = ".bpf.o";

/// The contents of the manifest, one line `name value` each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    /// SHA-256 over all sources and the lock file.
    pub(super) sources: String,
    /// Compiler, linker and stripper.
    pub(super) versions: String,
    /// SHA-256 of each object.
    pub(super) objects: BTreeMap<String, String>,
}

impl Manifest {
    /// The manifest of a build.
    pub(super) fn new(
        sources: String,
        versions: String,
        objects: &BTreeMap<String, Vec<u8>>,
    ) -> Self {
        let hash = |(name, bytes): (&String, &Vec<u8>)| (name.clone(), hex(Sha256::digest(bytes)));
        Self { sources, versions, objects: objects.iter().map(hash).collect() }
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# made by `cargo xtask ebpf build`")?;
        writeln!(f, "sources {}", self.sources)?;
        writeln!(f, "tools {}", self.versions)?;
        self.objects.iter().try_for_each(|(name, hash)| writeln!(f, "{name} {hash}"))
    }
}

impl FromStr for Manifest {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut lines: BTreeMap<String, String> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.split_once(' ') else {
                bail!("not `name value`: {line}");
            };
            lines.insert(name.to_owned(), value.to_owned());
        }
        let mut take = |name: &str| lines.remove(name).with_context(|| format!("no `{name}`"));
        Ok(Self { sources: take("sources")?, versions: take("tools")?, objects: lines })
    }
}

/// The hash of everything that is compiled: each file's path, length and bytes, in order.
pub(super) fn sources(home: &Path) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    for (path, bytes) in source_files(home)? {
        hash.update(format!("{}\0{}\0", path.display(), bytes.len()));
        hash.update(bytes);
    }
    Ok(hex(hash.finalize()))
}

/// Everything that is compiled, by its path in `ebpf/`.
pub(super) fn source_files(home: &Path) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for part in ["programs", "common"] {
        collect(home, &home.join(part), &mut files)?;
    }
    Ok(files)
}

fn collect(home: &Path, dir: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> anyhow::Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))? {
        let path = entry?.path();
        // Skips the link to `common`, and target directories of manual builds.
        if path.is_symlink() || path.ends_with("target") {
            continue;
        }
        if path.is_dir() {
            collect(home, &path, files)?;
        } else {
            let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            files.insert(path.strip_prefix(home)?.to_owned(), bytes);
        }
    }
    Ok(())
}

/// The hash of each object in a directory.
pub(super) fn objects(dir: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut objects = BTreeMap::new();
    for entry in fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(OBJECT) {
            objects.insert(name, hex(Sha256::digest(fs::read(entry.path())?)));
        }
    }
    Ok(objects)
}

/// The file name of a program's object.
pub(super) fn object(program: &str) -> String {
    format!("{program}{OBJECT}")
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_back_as_written() {
        let objects = BTreeMap::from([("a.bpf.o".to_owned(), b"x".to_vec())]);
        let manifest = Manifest::new("abc".into(), "rustc 1.96.0, bpf-linker 1".into(), &objects);
        assert_eq!(manifest.to_string().parse::<Manifest>().unwrap(), manifest);
        assert!("sources abc\n".parse::<Manifest>().is_err());
    }
}
