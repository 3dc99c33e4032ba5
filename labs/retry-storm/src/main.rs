//! `retry-storm describe | run DIR | judge DIR`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab_kit::main(&retry_storm::LAB)
}
