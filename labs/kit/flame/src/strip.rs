//! Names that differ from build to build or from run to run, made alike: else two profiles share no
//! stack that holds one.
//!
//! Of these the changing part is written `...`: addresses, numbers of closures and lambdas, classes and
//! functions that a compiler or a virtual machine numbers, hashes, and in the first frame the ids of
//! processes and threads.

use crate::folded::{Folded, Stack};

/// What stands before a number that a compiler or a virtual machine gives.
const NUMBERED: &[&str] = &[
    "$$Lambda$",
    "$Proxy",
    "GeneratedMethodAccessor",
    "GeneratedConstructorAccessor",
    "{{closure}}#",
    ".isra.",
    ".constprop.",
    ".part.",
    ".cold.",
    ".llvm.",
];

/// The fewest digits of a hash: abbreviated, git's have as many at most.
const HASH_DIGITS: usize = 12;

impl Folded {
    /// With names that change from build to build made alike, and the stacks merged that are then
    /// equal.
    pub fn stripped(&self) -> Folded {
        let mut stripped = self.stripped_in_order();
        stripped.sort_and_merge();
        stripped
    }

    /// Like [`Folded::stripped`], with every stack where it is: the order of a flame chart.
    pub fn stripped_in_order(&self) -> Folded {
        self.rewritten(|stack: Stack<'_>, text| {
            for (depth, frame) in stack.frames().enumerate() {
                text.push_str(if depth > 0 { ";" } else { "" });
                text.push_str(&strip(frame, depth));
            }
        })
    }
}

/// `bytes` with every address in a name written `0x...`, as difffolded.pl's `-s` has it.
pub fn strip_hex(bytes: &[u8]) -> Vec<u8> {
    let mut stripped = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) =
        rest.windows(3).position(|b| b.starts_with(b"0x") && b[2].is_ascii_hexdigit())
    {
        stripped.extend(&rest[..at]);
        stripped.extend(b"0x...");
        let digits = rest[at + 2..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        rest = &rest[at + 2 + digits..];
    }
    stripped.extend(rest);
    stripped
}

/// One frame; `depth` is 0 for the first.
fn strip(frame: &str, depth: usize) -> String {
    let mut stripped = String::with_capacity(frame.len());
    let mut rest = frame;
    while let Some(first) = rest.chars().next() {
        let digits = changing(&stripped, rest, depth);
        if digits > 0 {
            stripped.push_str("...");
            rest = &rest[digits..];
        } else {
            stripped.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    stripped
}

/// How many bytes of `rest`, which `before` stands before, change from build to build.
fn changing(before: &str, rest: &str, depth: usize) -> usize {
    let run = |is_it: fn(&u8) -> bool| rest.bytes().take_while(is_it).count();
    let (decimal, hex) = (run(u8::is_ascii_digit), run(u8::is_ascii_hexdigit));
    if hex == 0 {
        return 0;
    }
    let (text, after) = (&rest[..hex], &rest[hex..]);
    let bounded = !before.ends_with(|c: char| c.is_alphanumeric())
        && !after.starts_with(|c: char| c.is_alphanumeric());
    let mixed = text.contains(|c: char| c.is_ascii_digit()) && hex > decimal;
    if before.ends_with("0x") || (hex >= HASH_DIGITS && bounded && mixed) {
        return hex;
    }
    // `name::h0123456789abcdef`, as Rust's older mangling ends.
    if hex == 16 && before.ends_with("::h") && after.is_empty() {
        return hex;
    }
    let closes = before.ends_with('#') && rest[decimal..].starts_with('}');
    if closes || NUMBERED.iter().any(|name| before.ends_with(name)) {
        return decimal;
    }
    let parted = before.ends_with(|c: char| !c.is_alphanumeric() && c != '.');
    // As austin has processes and threads, one frame each: `P71`, `T72`.
    let austin = depth < 2 && matches!(before, "P" | "T") && decimal == rest.len();
    if austin || (depth == 0 && parted) { decimal } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_from_build_to_build_is_stripped() {
        for (frame, depth, expected) in [
            ("Y$$Lambda$469/0x00007fb8a5acdd00.call", 1, "Y$$Lambda$.../0x....call"),
            ("app::run::{closure#12}", 1, "app::run::{closure#...}"),
            ("main::{lambda(int)#2}::operator()", 1, "main::{lambda(int)#...}::operator()"),
            ("core::fmt::write::h0123456789abcdef", 2, "core::fmt::write::h..."),
            ("parse.isra.0", 2, "parse.isra...."),
            ("jdk.GeneratedMethodAccessor17.invoke", 2, "jdk.GeneratedMethodAccessor....invoke"),
            ("layer 3f2a9c01de44 x", 3, "layer ... x"),
            ("java-4711/4712", 0, "java-.../..."),
            ("worker 12", 0, "worker ..."),
            ("P4711", 0, "P..."),
            ("T4711", 1, "T..."),
            // What a reader wants to tell apart.
            ("sha256", 0, "sha256"),
            ("aes_256_gcm", 1, "aes_256_gcm"),
            ("decode8", 1, "decode8"),
            ("T4711", 2, "T4711"),
            ("deadbeefface", 1, "deadbeefface"),
            ("utf-8", 1, "utf-8"),
        ] {
            assert_eq!(strip(frame, depth), expected, "{frame} at depth {depth}");
        }
    }
}
