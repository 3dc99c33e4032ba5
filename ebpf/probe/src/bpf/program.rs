//! The code of a program or library, and its functions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use object::elf::{DT_NEEDED, STT_GNU_IFUNC};
use object::read::elf::{Dyn as _, ElfFile64, FileHeader as _, ProgramHeader as _};
use object::{Endianness, Object as _, ObjectSymbol as _, SymbolFlags, SymbolKind};

pub(super) type Elf<'data> = ElfFile64<'data, Endianness>;

/// The folders of this machine's libraries, except those that LD_LIBRARY_PATH and a program's
/// RUNPATH add.
pub(super) const LIBRARIES: [&str; 5] =
    ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/usr/lib"];

/// A program's code, and the functions in it.
pub(super) struct Program<'data> {
    file: &'data Elf<'data>,
    /// Loaded code: its address, its file offset, its bytes.
    code: Vec<(u64, u64, &'data [u8])>,
    /// Symbols by address.
    symbols: BTreeMap<u64, Symbol<'data>>,
}

/// A function in a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Symbol<'data> {
    /// The symbol's name as in the file.
    raw: &'data str,
    pub(super) size: u64,
    /// An indirect function: called when the program starts, it returns the function to use.
    pub(super) chosen_late: bool,
}

impl Symbol<'_> {
    /// The name as its author wrote it.
    pub(super) fn name(&self) -> String {
        plain(self.raw)
    }
}

impl<'data> Program<'data> {
    pub(super) fn new(file: &'data Elf<'data>) -> Self {
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
                let found = Symbol { raw, size: symbol.size(), chosen_late };
                // Of two symbols at one address, prefers the one that has a size.
                let known: &mut Symbol<'_> = symbols.entry(symbol.address()).or_insert(found);
                if known.size == 0 {
                    *known = found;
                }
            }
        }
        Self { file, code: code.collect(), symbols }
    }

    /// The functions of this name: by their symbol, else by their name, else by the end of it.
    pub(super) fn named(&self, name: &str) -> BTreeMap<u64, Symbol<'data>> {
        let all = || {
            let defined = self.file.symbols().chain(self.file.dynamic_symbols());
            let defined = defined.filter(|symbol| !symbol.is_undefined());
            defined.filter_map(|symbol| Some((symbol.address(), symbol.name().ok()?)))
        };
        let known = |address: u64| Some((address, *self.symbols.get(&address)?));
        let exact = all().filter(|(_, raw)| *raw == name);
        let exact: BTreeMap<_, _> = exact.filter_map(|(address, _)| known(address)).collect();
        if !exact.is_empty() {
            return exact;
        }
        let (end, identifier) = (format!("::{name}"), last_identifier(name));
        let (mut whole, mut ending, mut names) =
            (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        // A large program has a million names, and demangling one takes a microsecond or more.
        for (address, raw) in all().filter(|(_, raw)| raw.contains(identifier)) {
            let plain = plain(raw);
            if plain == name {
                whole.extend(known(address));
            } else if plain.ends_with(&end) {
                ending.extend(known(address));
                names.insert(plain);
            }
        }
        match names.len() {
            _ if !whole.is_empty() => whole,
            1 => ending,
            _ => BTreeMap::new(),
        }
    }

    /// The error for a missing function.
    pub(super) fn explain(&self, name: &str) -> String {
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

    pub(super) fn like(&self, name: &str) -> String {
        let identifier = last_identifier(name);
        let like = self.symbols.values().filter(|symbol| symbol.raw.contains(identifier));
        let like = like.filter(|symbol| symbol.raw.contains(name) || symbol.name().contains(name));
        let like: Vec<String> = like.take(5).map(Symbol::name).collect();
        match like.as_slice() {
            [] => "none is like it".to_owned(),
            some => format!("like it: {}", some.join(", ")),
        }
    }

    /// The libraries that the program needs.
    fn needed(&self) -> Vec<String> {
        let (endian, data) = (self.file.endian(), self.file.data());
        let read = || -> object::Result<Vec<String>> {
            let sections = self.file.elf_header().sections(endian, data)?;
            let Some((entries, strings)) = sections.dynamic(endian, data)? else {
                return Ok(Vec::new());
            };
            let strings = sections.strings(endian, data, strings)?;
            let needed = entries.iter().filter(|entry| entry.tag(endian) == DT_NEEDED);
            let names = needed.filter_map(|entry| entry.string(endian, strings).ok());
            Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
        };
        read().unwrap_or_default()
    }

    /// The start and length in bytes of the function that contains this address.
    pub(super) fn function_at(&self, address: u64) -> Option<(u64, u64)> {
        let (&start, symbol) = self.symbols.range(..=address).next_back()?;
        (address - start < symbol.size).then_some((start, symbol.size))
    }

    /// Code at an address: `len` bytes, or as many as there are.
    pub(super) fn code(&self, address: u64, len: u64) -> Option<&'data [u8]> {
        self.code.iter().find_map(|&(start, _, bytes)| {
            let from = address.checked_sub(start)?;
            let rest = bytes.get(usize::try_from(from).ok()?..)?;
            rest.get(..(len as usize).min(rest.len())).filter(|code| !code.is_empty())
        })
    }

    /// The file offset of a code address.
    pub(super) fn place(&self, address: u64) -> Option<u64> {
        self.code.iter().find_map(|&(start, place, bytes)| {
            let within = address.checked_sub(start).filter(|it| *it < bytes.len() as u64)?;
            Some(place + within)
        })
    }
}

/// The path of a library, if it has a function of this name.
fn defines(library: &str, name: &str) -> Option<PathBuf> {
    let paths = LIBRARIES.iter().map(|folder| Path::new(folder).join(library));
    paths.filter_map(|path| fs::canonicalize(path).ok()).find(|path| {
        let Ok(bytes) = fs::read(path) else { return false };
        let Ok(file) = Elf::parse(&*bytes) else { return false };
        file.dynamic_symbols().any(|it| !it.is_undefined() && it.name() == Ok(name))
    })
}

/// The part of a name that its symbol contains however it is mangled: the identifier at its end.
/// Empty if that is not an identifier, as for an operator.
fn last_identifier(name: &str) -> &str {
    let last = name.rsplit("::").next().unwrap_or_default();
    let is_plain = last.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_plain && !last.starts_with("operator") { last } else { "" }
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
    fn a_symbol_has_the_last_identifier_of_its_name() {
        for raw in [
            "_ZN3gen5inner5twice17h0123456789abcdefE",
            "_ZN3gen5twiceEi",
            "_ZNSt6vectorIiSaIiEE9push_backEOi",
            "_ZN3FooC1Ev",
            "_RNvNtCs5ztEVt3o3Pw_3gen5inner5twice",
            "twice",
        ] {
            let name = plain(raw);
            let last = last_identifier(&name);
            assert!(!last.is_empty() && raw.contains(last), "{last} of {name} in {raw}");
        }
        for operator in ["gen::operator==", "operator_new", "gen::run::{closure#0}", "Foo::~Foo"] {
            assert_eq!(last_identifier(operator), "");
        }
    }

    #[test]
    fn names_have_no_hash_and_no_arguments() {
        assert_eq!(plain("_ZN3gen5inner5twice17h0123456789abcdefE"), "gen::inner::twice");
        assert_eq!(plain("_ZN3gen5twiceEi"), "gen::twice");
        assert_eq!(plain("twice"), "twice");
    }
}
