//! The user's own environment, for programs started on the user's behalf: without the variables
//! that cargo and rustup set for this program.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Variables that only `cargo run` and rustup set. `CARGO_HOME` and `CARGO_TARGET_DIR` are the
/// user's.
const SET: [&str; 5] =
    ["CARGO", "OUT_DIR", "RUST_RECURSION_COUNT", "RUSTUP_TOOLCHAIN", "RUSTUP_TOOLCHAIN_SOURCE"];
const SET_PREFIXES: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_NAME"];

/// The search path for libraries before the system's folders; cargo prepends its own folders to the
/// user's.
const LIBRARIES: &str = "LD_LIBRARY_PATH";

/// Gives `command` the user's environment.
pub(crate) fn restore(command: &mut Command) {
    if env::var_os("CARGO_MANIFEST_DIR").is_none() {
        // Not started by cargo: the whole environment is the user's.
        return;
    }
    for (name, _) in env::vars_os() {
        if is_cargos(&name) {
            command.env_remove(name);
        }
    }
    match env::var_os(LIBRARIES).map(|folders| users_folders(&folders, &cargos_folders())) {
        Some(Some(folders)) => drop(command.env(LIBRARIES, folders)),
        _ => drop(command.env_remove(LIBRARIES)),
    }
}

fn is_cargos(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    SET.contains(&&*name) || SET_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The folders of cargo's own libraries: where this program was built, and the toolchain's folder.
fn cargos_folders() -> Vec<PathBuf> {
    let built = env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned()));
    let toolchain = env::var_os("CARGO").map(PathBuf::from);
    let toolchain = toolchain.and_then(|cargo| Some(cargo.parent()?.parent()?.join("lib")));
    let rustup = env::var_os("RUSTUP_HOME").map(PathBuf::from);
    let rustup = rustup.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".rustup")));
    let toolchains = rustup.map(|home| home.join("toolchains"));
    built.into_iter().chain(toolchain).chain(toolchains).collect()
}

/// A search path without the folders below cargo's; `None` if nothing is left.
fn users_folders(path: &OsStr, cargos: &[PathBuf]) -> Option<OsString> {
    let users = env::split_paths(path)
        .filter(|folder| !cargos.iter().any(|cargos| folder.starts_with(cargos)));
    env::join_paths(users).ok().filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_set_by_cargo_are_removed_and_others_stay() {
        for (name, cargos) in [
            ("CARGO", true),
            ("CARGO_PKG_NAME", true),
            ("CARGO_MANIFEST_DIR", true),
            ("RUSTUP_TOOLCHAIN", true),
            ("CARGO_HOME", false),
            ("CARGO_TARGET_DIR", false),
            ("PATH", false),
        ] {
            assert_eq!(is_cargos(name.as_ref()), cargos, "{name}");
        }
    }

    #[test]
    fn the_search_path_keeps_the_users_folders() {
        let cargos = [PathBuf::from("/src/target/debug"), PathBuf::from("/rustup/toolchains")];
        let left = |path: &str| users_folders(path.as_ref(), &cargos);
        let cargos_own = "/src/target/debug/deps:/src/target/debug:/rustup/toolchains/x/lib";
        assert_eq!(left(cargos_own), None);
        assert_eq!(left(&format!("{cargos_own}:/opt/lib")).unwrap(), "/opt/lib");
    }
}
