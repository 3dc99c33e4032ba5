//! A function of a program or library: found by its name in the source, with its entry and its
//! returns.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use object::{Architecture, Object as _};

use super::program::{Elf, Program};
use super::returns::{Ends, ends};

/// The function to watch.
pub(crate) struct Function {
    /// The program or library.
    pub(crate) path: PathBuf,
    /// Its name, for people.
    pub(crate) name: String,
    /// The file offsets of its entries: several if the compiler made several copies.
    pub(crate) entries: Vec<u64>,
    /// The file offsets of its ends; or why they are unknown.
    pub(crate) ends: Result<Ends, String>,
    first: Vec<u8>,
}

impl Function {
    /// Finds a function by its symbol, or by its name in the source: `crate::module::function`,
    /// `Class::method`.
    ///
    /// # Errors
    /// There is no such file or function, or none that can be watched.
    pub(crate) fn find(path: &str, name: &str) -> Result<Self> {
        let path = fs::canonicalize(path).with_context(|| format!("find {path}"))?;
        let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        let file = Elf::parse(&*bytes)
            .with_context(|| format!("{} is no program or library", path.display()))?;
        ensure!(
            file.architecture() == Architecture::X86_64,
            "{} is of another architecture",
            path.display()
        );
        let program = Program::new(&file);
        let found = program.named(name);
        let Some((address, symbol)) = found.first_key_value() else {
            bail!("{} {}", path.display(), program.explain(name));
        };
        if found.values().any(|symbol| symbol.chosen_late) {
            bail!(
                "{name} is one of several functions, of which the one for this CPU is chosen when \
                 a program starts: name that one; {}",
                program.like(name.trim_start_matches('_'))
            );
        }
        let first = program.code(*address, 16).unwrap_or_default().to_vec();
        let (mut entries, mut all) = (Vec::new(), Ok(Ends::default()));
        for (&address, symbol) in &found {
            entries.push(program.place(address).context("its symbol is not in its code")?);
            let mut found = ends(&program, address, symbol.size);
            if let Ok(ends) = &mut found {
                ends.map(|address| program.place(address));
            }
            all = all.and_then(|all| Ok(all.and(found?)));
        }
        Ok(Self { path, name: symbol.name(), entries, ends: all, first })
    }

    /// The bytes of its first instruction, and a few more.
    pub(crate) fn first(&self) -> &[u8] {
        &self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_by_the_name_in_its_source() {
        let ourselves = std::env::current_exe().unwrap();
        let find = |name: &str| Function::find(ourselves.to_str().unwrap(), name);
        let whole = find("lab_probe::bpf::program::plain").unwrap();
        assert_eq!(find("program::plain").unwrap().entries, whole.entries);
        assert!(whole.ends.is_ok_and(|ends| !ends.returns.is_empty()));
        let error = find("program::plainer").err().unwrap().to_string();
        assert!(error.contains("has no function program::plainer"), "{error}");
    }

    #[test]
    fn an_imported_function_is_named_with_its_library() {
        let ourselves = std::env::current_exe().unwrap();
        let error = Function::find(ourselves.to_str().unwrap(), "malloc").err().unwrap();
        let error = error.to_string();
        assert!(error.contains("has malloc from"), "{error}");
        assert!(error.contains("libc"), "{error}");
    }

    /// `strlen` of the GNU C library is an indirect function: it chooses an implementation for this
    /// CPU.
    #[test]
    fn a_function_chosen_when_the_program_starts_is_refused() {
        let libraries = crate::bpf::program::LIBRARIES
            .iter()
            .map(|folder| std::path::Path::new(folder).join("libc.so.6"));
        let Some(libc) = libraries.into_iter().find(|path| path.exists()) else {
            return lab_skip::skip(lab_skip::Need::Tools, "no GNU C library");
        };
        let error = Function::find(libc.to_str().unwrap(), "strlen").err().unwrap().to_string();
        assert!(error.contains("is chosen when a program starts"), "{error}");
        let malloc = Function::find(libc.to_str().unwrap(), "malloc").unwrap();
        assert!(malloc.ends.is_ok_and(|ends| !ends.returns.is_empty()));
    }
}
