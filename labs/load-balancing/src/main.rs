//! `load-balancing describe | run DIR | judge DIR`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab_kit::main(&load_balancing::LAB)
}
