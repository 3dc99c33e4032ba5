//! Builds the workload of `frame_pointers` twice, with and without frame pointers, and links both.

use std::env;
use std::path::PathBuf;
use std::process::Command;

const SOURCE: &str = "workload/tower.rs";

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    for (name, frame_pointers) in [("tower_with", "yes"), ("tower_without", "no")] {
        let object = compile(name, frame_pointers);
        println!("cargo::rustc-link-arg={}", object.display());
    }
}

/// Cargo has no flags for a single crate on stable Rust, hence rustc itself. A library's object
/// brings no second runtime into the program.
fn compile(name: &str, frame_pointers: &str) -> PathBuf {
    let set = |name| env::var_os(name).unwrap_or_else(|| panic!("cargo sets {name}"));
    let object = PathBuf::from(set("OUT_DIR")).join(format!("{name}.o"));
    let status = Command::new(set("RUSTC"))
        .args([SOURCE, "--crate-type=lib", "--emit=obj", "--edition=2024", "--crate-name", name])
        .args(["-O", "-Cpanic=abort", "-Ccodegen-units=1", "-Cdebuginfo=line-tables-only"])
        .args([&format!("-Cforce-frame-pointers={frame_pointers}"), "--cfg", name])
        .args(["--check-cfg", "cfg(tower_with)", "--check-cfg", "cfg(tower_without)"])
        .arg("--target")
        .arg(set("TARGET"))
        .arg("-o")
        .arg(&object)
        .status();
    assert!(status.is_ok_and(|status| status.success()), "rustc does not compile {SOURCE}");
    object
}
