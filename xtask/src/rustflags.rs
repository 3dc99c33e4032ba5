//! The flags that labs are built with: the user's, and those that the labs need.
//!
//! `RUSTFLAGS` and `target.*.rustflags` do not add to `build.rustflags` of `.cargo/config.toml`,
//! they replace it, and with it the frame pointers that BPF needs to walk stacks.

use std::env;

/// The flag that the labs need, as two arguments of rustc.
const NEEDED: [&str; 2] = ["-C", "force-frame-pointers=yes"];

/// The flags that a lab is built with.
pub(crate) fn all() -> Vec<String> {
    replaced().unwrap_or_else(user)
}

/// The flags with those that the labs need, if a setting has replaced them; else `None`.
pub(crate) fn replaced() -> Option<Vec<String>> {
    completed(user())
}

/// A note about replaced flags.
pub(crate) fn note() -> Option<String> {
    replaced()?;
    let needed = NEEDED.join(" ");
    Some(format!("RUSTFLAGS or a setting replaces this project's flags: {needed} is added to it"))
}

/// The user's flags, as cargo would choose them: from the environment, else those that the runner
/// itself was built with.
fn user() -> Vec<String> {
    let encoded = |flags: String| flags.split('\u{1f}').map(str::to_owned).collect();
    let typed = |flags: String| flags.split_whitespace().map(str::to_owned).collect();
    let set = env::var("CARGO_ENCODED_RUSTFLAGS").map(encoded);
    let set = set.or_else(|_| env::var("RUSTFLAGS").map(typed));
    let flags: Vec<String> = set.unwrap_or_else(|_| encoded(env!("PERF_LAB_RUSTFLAGS").into()));
    flags.into_iter().filter(|flag| !flag.is_empty()).collect()
}

fn completed(mut flags: Vec<String>) -> Option<Vec<String>> {
    // The last flag counts.
    let last = flags.iter().rev().find(|flag| flag.contains("force-frame-pointers"));
    let on = ["=y", "=yes", "=on", "=true", "=always"];
    let kept = last.is_some_and(|flag| {
        flag.ends_with("force-frame-pointers") || on.iter().any(|value| flag.ends_with(value))
    });
    if kept {
        return None;
    }
    flags.extend(NEEDED.map(str::to_owned));
    Some(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_that_labs_need_are_added_when_missing_or_off() {
        let flags = |text: &str| completed(text.split(' ').map(str::to_owned).collect());
        for kept in ["-C force-frame-pointers=yes", "-D warnings -Cforce-frame-pointers"] {
            assert_eq!(flags(kept), None, "{kept}");
        }
        let added = flags("-D warnings").unwrap().join(" ");
        assert_eq!(added, "-D warnings -C force-frame-pointers=yes");
        let off = "-C force-frame-pointers=yes -C force-frame-pointers=no";
        assert_eq!(flags(off).unwrap().len(), 6);
    }
}
