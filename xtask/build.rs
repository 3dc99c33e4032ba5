//! Keeps the flags that cargo builds with, wherever they are set: labs are built with the same.

fn main() {
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    println!("cargo::rustc-env=PERF_LAB_RUSTFLAGS={flags}");
    println!("cargo::rerun-if-changed=build.rs");
}
