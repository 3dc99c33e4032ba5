//! The name by which the runner was called.

use std::env;

/// Its package, which `cargo run` names to what it runs.
const PACKAGE: &str = "xtask";

/// What to type: `cargo xtask` where cargo runs it for the checkout's alias, else `perf-lab`.
pub fn name() -> &'static str {
    let by_cargo = env::var_os("CARGO_PKG_NAME").is_some_and(|package| package == PACKAGE);
    if by_cargo { "cargo xtask" } else { "perf-lab" }
}
