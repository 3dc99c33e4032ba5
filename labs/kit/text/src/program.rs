//! The name by which the runner was called.

use std::env;

/// Its package, which `cargo run` names to what it runs.
const PACKAGE: &str = "xtask";

/// What to type: `cargo xtask` where cargo runs it for the checkout's alias, else `perf-lab`.
pub fn name() -> &'static str {
    let by_cargo = env::var_os("CARGO_PKG_NAME").is_some_and(|package| package == PACKAGE);
    if by_cargo { BY_CARGO } else { "perf-lab" }
}

const BY_CARGO: &str = "cargo xtask";

/// `text`, whose commands begin with `cargo xtask`, with the name by which the runner was called:
/// labs do not know that name.
pub fn as_called(text: &str) -> String {
    text.replace(BY_CARGO, name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_labs_text_names_the_program_as_it_was_called() {
        // Cargo names this package to its tests, so it is not `cargo xtask` that has called them.
        assert_eq!(as_called("next: `cargo xtask look`"), "next: `perf-lab look`");
    }
}
