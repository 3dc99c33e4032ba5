//! `head-of-line describe | run DIR | judge DIR`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab_kit::main(&head_of_line::LAB)
}
