//! Folds named stacks to lines, and judges which of them reach their root.
//!
//! A folded file has one line a distinct stack, sorted: `thread;outermost;…;leaf weight`. The same
//! samples give the same bytes.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::replay::{Stack, Stacks};
use super::space::Place;
use super::symbols::{Named, Names, printable};
use super::unwind::End;

/// Functions without a caller: where threads and programs begin.
const ROOTS: &[&str] = &[
    "_start",
    "_dl_start_user",
    "main",
    "__libc_start_main",
    "__libc_start_call_main",
    "start_thread",
    "clone",
    "clone3",
    "__clone",
    "__clone3",
    "_start_c",
    "start",
    "runtime.goexit",
    "runtime.mstart",
    "runtime.rt0_go",
];

/// Folded stacks and their quality.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Folded {
    /// Weights (samples, or nanoseconds) by line.
    pub(crate) lines: BTreeMap<String, u64>,
    /// For each of [`Stacks::weighed`], the index of its line in the order of `lines`.
    pub(crate) line_of_stack: Vec<usize>,
    /// The weight of all stacks.
    pub(crate) total: u64,
    /// The weight of stacks whose user stack does not end in a root: see [`is_rooted`].
    pub(crate) rootless: u64,
    /// The weight of stacks in the kernel.
    pub(crate) in_kernel: u64,
    /// The weight of stacks that are larger than the part that was copied.
    pub(crate) copy_ended: u64,
    /// The weight of stacks whose walk ended in code without unwind tables.
    pub(crate) no_tables: u64,
    /// The weight of stacks with code made at run time.
    pub(crate) generated: u64,
    /// The weight of stacks with unnamed code made at run time.
    pub(crate) unnamed: u64,
}

/// Stands between a thread and a stack whose root is not known: otherwise its first frame would
/// look like the root.
const TRUNCATED: &str = "[truncated]";

/// The text of a folded file, and the sum of its numbers, each of which stands for `per_unit` of
/// the weights. A stack that rounds to zero has no line.
pub(crate) fn text(lines: &BTreeMap<String, u64>, per_unit: u64) -> (String, u64) {
    let (mut text, mut total) = (String::new(), 0);
    for (line, weight) in lines {
        let weighs = (weight + per_unit / 2) / per_unit;
        total += weighs;
        if weighs > 0 {
            let _ = writeln!(text, "{line} {weighs}");
        }
    }
    (text, total)
}

/// The times file: `nanoseconds line` for each sample, in order of time; lines of the folded file
/// count from 0.
pub(crate) fn times(stacks: &Stacks, folded: &Folded) -> String {
    let mut text = String::new();
    for (time_ns, stack) in &stacks.samples {
        let _ = writeln!(text, "{time_ns} {}", folded.line_of_stack[*stack as usize]);
    }
    text
}

/// Names and folds the stacks.
pub(crate) fn fold(stacks: &Stacks, names: &mut Names<'_>) -> Folded {
    let mut folded = Folded::default();
    let mut lines = Vec::with_capacity(stacks.weighed.len());
    for (stack, weight) in &stacks.weighed {
        let line = line(stack, names);
        *folded.lines.entry(line.clone()).or_default() += weight;
        lines.push(line);
        folded.total += weight;
        folded.in_kernel += if stack.kernel > 0 { *weight } else { 0 };
        folded.rootless += if is_rooted(stack, names) { 0 } else { *weight };
        match stack.end {
            _ if !is_truncated(stack, names) => {}
            End::CopyEnded => folded.copy_ended += weight,
            _ => folded.no_tables += weight,
        }
        let user = || stack.places[stack.kernel..].iter();
        if user().any(|&place| names.is_generated(place)) {
            folded.generated += weight;
            let unnamed = user().any(|&place| names.is_generated(place) && !names.of(place).found);
            folded.unnamed += if unnamed { *weight } else { 0 };
        }
    }
    let order: BTreeMap<&str, usize> =
        folded.lines.keys().enumerate().map(|(at, line)| (line.as_str(), at)).collect();
    folded.line_of_stack = lines.iter().map(|line| order[line.as_str()]).collect();
    folded
}

fn line(stack: &Stack, names: &mut Names<'_>) -> String {
    let thread = stack.thread.as_deref().map(String::from_utf8_lossy);
    let mut line = printable(thread.as_deref().unwrap_or_default());
    if is_truncated(stack, names) {
        line.push(';');
        line.push_str(TRUNCATED);
    }
    for &place in stack.places.iter().rev() {
        for frame in &names.of(place).frames {
            line.push(';');
            line.push_str(frame);
        }
    }
    line
}

/// Whether the user stack is known up to the function in which its thread began.
///
/// The walk must have ended where the unwind tables (or a return address of 0) say that there is no
/// caller, and the outermost frame must be one of [`ROOTS`] or in a file that has no name for it:
/// distributions strip their C library, where threads begin. A sample without a user stack, as from
/// a process that is ending, lacks nothing.
pub(crate) fn is_rooted(stack: &Stack, names: &mut Names<'_>) -> bool {
    let Some(&outermost) = stack.places[stack.kernel..].last() else {
        return true;
    };
    let named = names.of(outermost);
    let whole = matches!(stack.end, End::Root | End::FramePointers);
    is_root(outermost, &named) && (whole || is_entry(&named))
}

/// Whether the walk is known to have ended before the function in which its thread began.
fn is_truncated(stack: &Stack, names: &mut Names<'_>) -> bool {
    let has_user = stack.places.len() > stack.kernel;
    has_user && !matches!(stack.end, End::Root | End::Unknown) && !is_rooted(stack, names)
}

/// Whether this is the entry of a program or of its loader: it has no caller, though the loader's
/// tables do not say so.
fn is_entry(named: &Named) -> bool {
    named.found && named.frames.first().is_some_and(|name| name == "_start")
}

fn is_root(place: Place, named: &Named) -> bool {
    match (place, named) {
        (Place::Image(..), Named { found: false, .. }) => true,
        (Place::Image(..), Named { frames, .. }) => frames
            .first()
            .is_some_and(|name| ROOTS.contains(&name.split('@').next().unwrap_or(name))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::images::Images;

    fn stack(thread: &str, places: &[Place], kernel: usize) -> Stack {
        Stack {
            thread: Some(thread.as_bytes().into()),
            places: places.to_vec(),
            kernel,
            end: End::Root,
        }
    }

    #[test]
    fn stacks_that_read_alike_share_a_line_and_lines_are_sorted() {
        let mut images = Images::default();
        let [heap, anon] =
            [&b"[heap]"[..], b"//anon"].map(|name| Place::Label(images.intern(name, 0)));
        let weighed = vec![
            (stack("b;c", &[heap, anon], 0), 2),
            (stack("a", &[heap], 0), 3),
            (Stack { end: End::CopyEnded, ..stack("b;c", &[heap, anon], 0) }, 4),
            (Stack { end: End::NoTables, ..stack("b;c", &[heap], 0) }, 5),
        ];
        let mut stacks = Stacks::default();
        stacks.weighed = weighed;
        let folded = fold(&stacks, &mut Names::new(&images));
        assert_eq!(text(&folded.lines, 1), ("a;[heap] 3\nb:c;[anon];[heap] 2\nb:c;[truncated];[anon];[heap] 4\nb:c;[truncated];[heap] 5\n".to_owned(), 14));
        assert_eq!(text(&folded.lines, 8).0.lines().count(), 2);
        assert_eq!(folded.line_of_stack, [1, 0, 2, 3]);
        assert_eq!((folded.total, folded.in_kernel, folded.rootless), (14, 0, 14));
        assert_eq!((folded.copy_ended, folded.no_tables), (4, 5));
        assert_eq!((folded.generated, folded.unnamed), (14, 14));
    }

    #[test]
    fn a_root_is_a_known_name_or_a_stripped_file_at_the_end_of_a_whole_walk() {
        let mut images = Images::default();
        let image = Place::Image(images.intern(b"//anon", 0), 0);
        let named = |name: &str, found| Named { frames: vec![name.to_owned()], found };
        assert!(is_root(image, &named("_start", true)));
        assert!(is_root(image, &named("clone3@@GLIBC_2.34", true)));
        assert!(is_root(image, &named("[libc.so.6]", false)));
        assert!(!is_root(image, &named("parse_request", true)));
        assert!(is_entry(&named("_start", true)) && !is_entry(&named("main", true)));
        assert!(!is_root(Place::Nowhere, &named("[unknown]", false)));
        let mut names = Names::new(&images);
        assert!(is_rooted(&stack("t", &[image], 0), &mut names));
        assert!(!is_rooted(&Stack { end: End::CopyEnded, ..stack("t", &[image], 0) }, &mut names));
        assert!(is_rooted(&stack("t", &[Place::Kernel(1)], 1), &mut names));
    }
}
