//! The lab's own functions on a thread's stack.

use std::ffi::c_void;
use std::path::Path;

/// Where this lab's functions are written. A release has line tables alone, which name files and
/// functions, not the modules that they belong to.
const OURS: &str = concat!(env!("CARGO_PKG_NAME"), "/src");
/// Modules of the bookkeeping, whose frames are left out.
const BOOKKEEPING: [&str; 2] = ["diary", "stack"];

/// Addresses to return to, innermost first: cheap to take, and resolved to names after the trial.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Stack(Vec<usize>);

impl Stack {
    /// The calling thread's.
    #[inline(never)]
    pub(crate) fn here() -> Self {
        let mut addresses = Vec::with_capacity(32);
        // SAFETY: what `backtrace::trace` locks against is dbghelp, on Windows. Here it would only
        // make this thread wait for another that looks up names.
        unsafe {
            backtrace::trace_unsynchronized(|frame| {
                addresses.push(frame.ip().addr());
                true
            });
        }
        Self(addresses)
    }

    /// The functions, outermost first, as a folded stack writes them.
    pub(crate) fn folded(&self) -> String {
        let mut names: Vec<String> =
            self.0.iter().flat_map(|address| functions(*address)).collect();
        names.dedup();
        names.reverse();
        names.join(";")
    }
}

/// The lab's functions at an address, those that were inlined there first.
fn functions(address: usize) -> Vec<String> {
    let mut names = Vec::new();
    let address: *mut c_void = std::ptr::without_provenance_mut(address);
    backtrace::resolve(address, |symbol| {
        let name = symbol.name().map(|name| format!("{name:#}"));
        names.extend(name.zip(symbol.filename()).and_then(|(name, file)| ours(&name, file)));
    });
    names
}

/// `handoff::server` of a function in `off-cpu/src/handoff.rs`; `None` for functions of other
/// crates and for closures, which count for the function that contains them.
fn ours(name: &str, file: &Path) -> Option<String> {
    let module = file.file_stem()?.to_str()?;
    if !file.parent()?.ends_with(OURS) || BOOKKEEPING.contains(&module) {
        return None;
    }
    let mut depth = 0;
    let plain = name.chars().filter(|c| {
        depth += i32::from(*c == '<');
        let outside = depth == 0;
        depth -= i32::from(*c == '>');
        outside
    });
    let plain: String = plain.collect();
    let function = plain.rsplit("::").find(|part| !part.is_empty())?;
    (!function.starts_with('{')).then(|| format!("{module}::{function}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_labs_own_functions_are_named() {
        let in_file = |name, file| ours(name, Path::new(file));
        let server = Some("handoff::server".to_owned());
        assert_eq!(in_file("server", "/x/labs/off-cpu/src/handoff.rs"), server);
        assert_eq!(in_file("off_cpu::handoff::server", "labs/off-cpu/src/handoff.rs"), server);
        assert_eq!(in_file("<T as U>::server::<a::b>", "labs/off-cpu/src/handoff.rs"), server);
        assert_eq!(in_file("{closure#0}", "labs/off-cpu/src/handoff.rs"), None);
        assert_eq!(in_file("block<u8>", "labs/off-cpu/src/diary.rs"), None);
        assert_eq!(in_file("spawn", "/rustc/library/std/src/thread/mod.rs"), None);
    }

    #[inline(never)]
    fn somewhere() -> String {
        std::hint::black_box(Stack::here()).folded()
    }

    #[test]
    fn a_stack_of_bookkeeping_functions_has_no_name() {
        assert_eq!(somewhere(), "");
    }
}
