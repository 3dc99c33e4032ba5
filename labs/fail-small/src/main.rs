//! `fail-small describe | run DIR | judge DIR`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab_kit::main(&fail_small::LAB)
}
