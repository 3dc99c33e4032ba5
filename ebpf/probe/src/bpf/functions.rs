//! A function of a program or library: found by the name that its author gave it, and where it begins and returns.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use object::elf::{DT_NEEDED, STT_GNU_IFUNC};
use object::read::elf::{Dyn as _, ElfFile64, FileHeader as _, ProgramHeader as _};
use object::{Architecture, Endianness, Object as _, ObjectSymbol as _, SymbolFlags, SymbolKind};

use super::returns::{Ends, ends};

type Elf<'data> = ElfFile64<'data, Endianness>;

/// Where the libraries of this machine lie, but for what LD_LIBRARY_PATH and a program's own RUNPATH add.
const LIBRARIES: [&str; 5] =
    ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/usr/lib"];

/// What is to be watched.
pub(crate) struct Function {
    /// The program or library.
    pub(crate) path: PathBuf,
    /// Its name, for people.
    pub(crate) name: String,
    /// Where it begins, in the file: more than one place where the compiler has made more than one of it.
    pub(crate) entries: Vec<u64>,
    /// Where it ends, in the file; or why that is not known.
    pub(crate) ends: Result<Ends, String>,
    first: Vec<u8>,
}

impl Function {
    /// By its symbol, or by the name in the source: `crate::module::function`, `Class::method`.
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
                "{name} is one of several functions, of which the one for this CPU is chosen when a program starts: \
                 name that one; {}",
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
        Ok(Self { path, name: symbol.name.clone(), entries, ends: all, first })
    }

    /// The bytes of its first instruction, and a few more.
    pub(crate) fn first(&self) -> &[u8] {
        &self.first
    }
}

/// A program's code, and the functions in it.
pub(super) struct Program<'data> {
    file: &'data Elf<'data>,
    /// Code that is loaded: its address, its place in the file, its bytes.
    code: Vec<(u64, u64, &'data [u8])>,
    /// By address.
    symbols: BTreeMap<u64, Symbol>,
}

/// A function in a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Symbol {
    /// As the file has it.
    raw: String,
    /// As its author wrote it.
    name: String,
    size: u64,
    /// It is asked at the start which function it stands for.
    chosen_late: bool,
}

impl<'data> Program<'data> {
    fn new(file: &'data Elf<'data>) -> Self {
        let endian = file.endian();
        let executable = file.elf_program_headers().iter().filter(|header| {
            header.p_type(endian) == object::elf::PT_LOAD
                && header.p_flags(endian) & object::elf::PF_X != 0
        });
        let code = executable.filter_map(|header| {
            let bytes = header.data(endian, file.data()).ok()?;
            Some((header.p_vaddr(endian), header.p_offset(endian), bytes))
        });
        let mut symbols = BTreeMap::new();
        for symbol in file.symbols().chain(file.dynamic_symbols()) {
            if let Ok(raw) = symbol.name()
                && symbol.kind() == SymbolKind::Text
                && !symbol.is_undefined()
            {
                let chosen_late = matches!(symbol.flags(), SymbolFlags::Elf { st_info, .. } if st_info & 0xf == STT_GNU_IFUNC);
                let found = Symbol {
                    raw: raw.to_owned(),
                    name: plain(raw),
                    size: symbol.size(),
                    chosen_late,
                };
                // Of two names of one place the one that has a size says more.
                let known: &mut Symbol = symbols.entry(symbol.address()).or_insert(found.clone());
                if known.size == 0 {
                    *known = found;
                }
            }
        }
        Self { file, code: code.collect(), symbols }
    }

    /// The functions of this name: by their symbol, else by their name, else by the end of it.
    fn named(&self, name: &str) -> BTreeMap<u64, Symbol> {
        let by = |is_it: &dyn Fn(&str, &str) -> bool| -> BTreeMap<u64, Symbol> {
            let all = self.file.symbols().chain(self.file.dynamic_symbols());
            let all = all.filter(|symbol| !symbol.is_undefined());
            let is_it = |raw: &str| is_it(raw, &plain(raw));
            let found = all.filter(|symbol| symbol.name().is_ok_and(is_it));
            let found = found.map(|symbol| symbol.address());
            found.filter_map(|at| Some((at, self.symbols.get(&at)?.clone()))).collect()
        };
        let end = format!("::{name}");
        let exact = by(&|raw, _| raw == name);
        let exact = if exact.is_empty() { by(&|_, plain| plain == name) } else { exact };
        if !exact.is_empty() {
            return exact;
        }
        let ending = by(&|_, plain| plain.ends_with(&end));
        let mut names = ending.values().map(|symbol| &symbol.name);
        let first = names.next();
        if names.all(|name| Some(name) == first) { ending } else { BTreeMap::new() }
    }

    /// Why there is no function of this name.
    fn explain(&self, name: &str) -> String {
        let is_it = |raw: &str| raw == name || plain(raw) == name;
        let imported = self
            .file
            .dynamic_symbols()
            .any(|symbol| symbol.is_undefined() && symbol.name().is_ok_and(is_it));
        if imported {
            let needed = self.needed();
            let from = needed.iter().find_map(|library| defines(library, name));
            return match from {
                Some(path) => {
                    format!("has {name} from a library: --set path={}", path.display())
                }
                None => format!("has {name} from one of its libraries: {}", needed.join(", ")),
            };
        }
        format!("has no function {name}; {}", self.like(name))
    }

    fn like(&self, name: &str) -> String {
        let like =
            self.symbols.values().filter(|it| it.name.contains(name) || it.raw.contains(name));
        let like: Vec<&str> = like.take(5).map(|symbol| symbol.name.as_str()).collect();
        match like.as_slice() {
            [] => "none is like it".to_owned(),
            some => format!("like it: {}", some.join(", ")),
        }
    }

    /// The libraries that it asks for.
    fn needed(&self) -> Vec<String> {
        let (endian, data) = (self.file.endian(), self.file.data());
        let read = || -> object::Result<Vec<String>> {
            let sections = self.file.elf_header().sections(endian, data)?;
            let Some((entries, strings)) = sections.dynamic(endian, data)? else {
                return Ok(Vec::new());
            };
            let strings = sections.strings(endian, data, strings)?;
            let needed = entries.iter().filter(|entry| entry.tag32(endian) == Some(DT_NEEDED));
            let names = needed.filter_map(|entry| entry.string(endian, strings).ok());
            Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
        };
        read().unwrap_or_default()
    }

    /// The function that this address is in: where it begins, and its bytes.
    pub(super) fn function_at(&self, address: u64) -> Option<(u64, u64)> {
        let (&start, symbol) = self.symbols.range(..=address).next_back()?;
        (address - start < symbol.size).then_some((start, symbol.size))
    }

    /// Code at an address: so many bytes, or what there is.
    pub(super) fn code(&self, address: u64, len: u64) -> Option<&'data [u8]> {
        self.code.iter().find_map(|&(start, _, bytes)| {
            let from = address.checked_sub(start)?;
            let rest = bytes.get(usize::try_from(from).ok()?..)?;
            rest.get(..(len as usize).min(rest.len())).filter(|code| !code.is_empty())
        })
    }

    /// Where an address of code is in the file.
    fn place(&self, address: u64) -> Option<u64> {
        self.code.iter().find_map(|&(start, place, bytes)| {
            let within = address.checked_sub(start).filter(|it| *it < bytes.len() as u64)?;
            Some(place + within)
        })
    }
}

/// Where a library lies that has a function of this name.
fn defines(library: &str, name: &str) -> Option<PathBuf> {
    let paths = LIBRARIES.iter().map(|folder| Path::new(folder).join(library));
    paths.filter_map(|path| fs::canonicalize(path).ok()).find(|path| {
        let Ok(bytes) = fs::read(path) else { return false };
        let Ok(file) = Elf::parse(&*bytes) else { return false };
        file.dynamic_symbols().any(|it| !it.is_undefined() && it.name() == Ok(name))
    })
}

/// A name as its author wrote it: without a hash, and without arguments.
fn plain(raw: &str) -> String {
    if let Ok(rust) = rustc_demangle::try_demangle(raw) {
        return format!("{rust:#}");
    }
    let options = cpp_demangle::DemangleOptions::new().no_params().no_return_type();
    let cpp = cpp_demangle::Symbol::new(raw).ok();
    cpp.and_then(|cpp| cpp.demangle_with_options(&options).ok()).unwrap_or_else(|| raw.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_by_the_name_in_its_source() {
        let ourselves = std::env::current_exe().unwrap();
        let find = |name: &str| Function::find(ourselves.to_str().unwrap(), name);
        let whole = find("lab_probe::bpf::functions::plain").unwrap();
        assert_eq!(find("functions::plain").unwrap().entries, whole.entries);
        assert!(whole.ends.is_ok_and(|ends| !ends.returns.is_empty()));
        let error = find("functions::plainer").err().unwrap().to_string();
        assert!(error.contains("has no function functions::plainer"), "{error}");
    }

    #[test]
    fn an_imported_function_is_told_with_its_library() {
        let ourselves = std::env::current_exe().unwrap();
        let error = Function::find(ourselves.to_str().unwrap(), "malloc").err().unwrap();
        let error = error.to_string();
        assert!(error.contains("has malloc from"), "{error}");
        assert!(error.contains("libc"), "{error}");
    }

    /// `strlen` of the GNU C library is a function that says which of several is `strlen` on this CPU.
    #[test]
    fn a_function_that_is_chosen_late_is_refused() {
        let libraries = LIBRARIES.iter().map(|folder| Path::new(folder).join("libc.so.6"));
        let Some(libc) = libraries.into_iter().find(|path| path.exists()) else {
            return lab_skip::skip(lab_skip::Need::Tools, "no GNU C library");
        };
        let error = Function::find(libc.to_str().unwrap(), "strlen").err().unwrap().to_string();
        assert!(error.contains("is chosen when a program starts"), "{error}");
        let malloc = Function::find(libc.to_str().unwrap(), "malloc").unwrap();
        assert!(malloc.ends.is_ok_and(|ends| !ends.returns.is_empty()));
    }

    #[test]
    fn names_have_no_hash_and_no_arguments() {
        assert_eq!(plain("_ZN3gen5inner5twice17h0123456789abcdefE"), "gen::inner::twice");
        assert_eq!(plain("_ZN3gen5twiceEi"), "gen::twice");
        assert_eq!(plain("twice"), "twice");
    }
}
