//! Turns places into frame names: demangled, with inlined calls, marked `_[k]` in the kernel and
//! `_[i]` where inlined.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::rc::Rc;

use blazesym::MaybeDefault;
use blazesym::symbolize::source::{Elf as ElfSource, Kernel, Source};
use blazesym::symbolize::{Input, Sym, Symbolizer};

use super::images::{Image, Images, SymbolSource, find};
use super::space::Place;

/// The frames that one address stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// Outermost first: the function, then the calls inlined into it at this address.
    pub(crate) frames: Vec<String>,
    /// Whether a symbol was found; else the single frame is a label.
    pub(crate) found: bool,
}

impl Named {
    fn label(label: &str) -> Self {
        Self { frames: vec![printable(label)], found: false }
    }
}

/// Looks names up, each address once.
pub(crate) struct Names<'a> {
    images: &'a Images,
    symbolizer: Symbolizer,
    kernel: Option<Source<'static>>,
    known: HashMap<Place, Rc<Named>>,
}

impl<'a> Names<'a> {
    /// No names yet.
    pub(crate) fn new(images: &'a Images) -> Self {
        Self {
            images,
            // `demangled` demangles only mangled names: others take a C function called `a` for a
            // `signed char`.
            symbolizer: Symbolizer::builder().enable_demangling(false).build(),
            kernel: kernel_source(),
            known: HashMap::new(),
        }
    }

    /// Whether the kernel's symbols can be read; else all its frames are `[kernel]_[k]`.
    pub(crate) fn kernel_readable(&self) -> bool {
        self.kernel.is_some()
    }

    /// The frames of the code at `place`.
    pub(crate) fn of(&mut self, place: Place) -> Rc<Named> {
        if let Some(named) = self.known.get(&place) {
            return Rc::clone(named);
        }
        let named = Rc::new(match place {
            Place::Kernel(address) => self.in_kernel(address),
            Place::Image(image, address) => self.in_image(self.images.get(image), address),
            Place::Label(image) => Named::label(&self.images.get(image).label),
            Place::Nowhere => Named::label("[unknown]"),
        });
        self.known.insert(place, Rc::clone(&named));
        named
    }

    /// Whether the code at `place` was made at run time.
    pub(crate) fn is_generated(&self, place: Place) -> bool {
        match place {
            Place::Image(image, _) | Place::Label(image) => self.images.get(image).generated,
            Place::Kernel(_) | Place::Nowhere => false,
        }
    }

    fn in_kernel(&self, address: u64) -> Named {
        let source = self.kernel.as_ref();
        let mut named = source
            .and_then(|source| self.look_up(source, Input::AbsAddr(address)))
            .unwrap_or_else(|| Named::label("[kernel]"));
        for frame in &mut named.frames {
            frame.push_str("_[k]");
        }
        named
    }

    fn in_image(&self, image: &Image, address: u64) -> Named {
        let named = match image.elf.as_ref().map(|elf| &elf.symbols) {
            Some(SymbolSource::File(path)) => {
                self.look_up(&Source::Elf(ElfSource::new(path)), Input::VirtOffset(address))
            }
            Some(SymbolSource::Table(table)) => find(table, address)
                .map(|name| Named { frames: vec![printable(name)], found: true }),
            None => None,
        };
        named.unwrap_or_else(|| Named::label(&image.label))
    }

    fn look_up(&self, source: &Source<'_>, address: Input<u64>) -> Option<Named> {
        let symbolized = self.symbolizer.symbolize_single(source, address).ok()?;
        symbolized.as_sym().map(|symbol| Named { frames: frames(symbol), found: true })
    }
}

fn frames(symbol: &Sym<'_>) -> Vec<String> {
    let inlined =
        symbol.inlined.iter().map(|call| format!("{}_[i]", printable(&demangled(&call.name))));
    std::iter::once(printable(&demangled(&symbol.name))).chain(inlined).collect()
}

/// A name as in its source: mangled names of Rust and C++ begin with `_R` and `_Z`.
fn demangled(name: &str) -> Cow<'_, str> {
    if !name.starts_with("_R") && !name.starts_with("_Z") {
        return name.into();
    }
    if let Ok(name) = rustc_demangle::try_demangle(name) {
        return format!("{name:#}").into();
    }
    let symbol = cpp_demangle::Symbol::new(name).ok();
    symbol.and_then(|symbol| symbol.demangle().ok()).map_or(name.into(), Cow::Owned)
}

/// kallsyms, unless it hides the addresses (kernel.kptr_restrict): it would then give wrong names.
fn kernel_source() -> Option<Source<'static>> {
    // The first symbols, per CPU, may really be at 0.
    let mut lines =
        BufReader::new(File::open("/proc/kallsyms").ok()?).lines().map_while(Result::ok);
    lines.find(|line| !line.starts_with("0000000000000000 "))?;
    Some(Source::Kernel(Kernel {
        vmlinux: MaybeDefault::None,
        debug_syms: false,
        ..Kernel::default()
    }))
}

/// A name that a folded line can hold, in which `;` separates frames and a newline ends the line.
pub(crate) fn printable(name: &str) -> String {
    let character = |c: char| match c {
        ';' => ':',
        c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => '?',
        c => c,
    };
    let name: String = name.trim().chars().map(character).collect();
    if name.is_empty() { "[unknown]".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_a_folded_line() {
        assert_eq!(printable("a;b\nc\u{1b}[31m 7"), "a:b?c?[31m 7");
        assert_eq!(
            printable("<T as core::ops::Fn<(A, B)>>::call"),
            "<T as core::ops::Fn<(A, B)>>::call"
        );
        assert_eq!(printable(" \n"), "[unknown]");
    }

    #[test]
    fn only_mangled_names_are_demangled() {
        for (name, expected) in [
            ("a", "a"),
            ("b", "b"),
            ("Pi", "Pi"),
            ("St", "St"),
            ("_Rb", "_Rb"),
            ("_ZN4core9panicking9panic_fmt17h5f1a6fd39197ad62E", "core::panicking::panic_fmt"),
            ("_RNvC7mycrate3foo", "mycrate::foo"),
            ("_ZN3Foo3barEi", "Foo::bar(int)"),
        ] {
            assert_eq!(demangled(name), expected);
        }
    }

    #[test]
    fn a_table_is_searched_by_range() {
        let table = [
            (10, 20, "outer".to_owned()),
            (12, 14, "inner".to_owned()),
            (30, 31, "last".to_owned()),
        ];
        let found = [9, 10, 12, 14, 19, 20, 30, 31].map(|address| find(&table, address));
        let [outer, inner, last] = ["outer", "inner", "last"].map(Some);
        assert_eq!(found, [None, outer, inner, outer, outer, None, last, None]);
    }

    #[test]
    fn a_function_of_ours_has_its_demangled_name() {
        let mut images = Images::default();
        let executable = std::env::current_exe().unwrap();
        let id = images.intern(executable.as_os_str().as_encoded_bytes(), i128::MAX);
        let here = printable as fn(&str) -> String as usize as u64;
        let mappings = lab_proc::executable_mappings(std::process::id()).unwrap();
        let ours =
            mappings.iter().find(|mapping| (mapping.start..mapping.end).contains(&here)).unwrap();
        let bias = images.get(id).elf.as_ref().unwrap().bias(ours.start, ours.offset).unwrap();
        let mut names = Names::new(&images);
        let named = names.of(Place::Image(id, here - bias));
        assert_eq!(named.frames, ["lab_probe::cpu::symbols::printable"]);
        assert!(named.found);
        // Not 0: in the debug information, functions that the linker dropped are at that address.
        assert!(!names.of(Place::Image(id, 1 << 60)).found);
        assert_eq!(names.of(Place::Nowhere).frames, ["[unknown]"]);
    }
}
