//! `coordinated-omission describe | run DIR | judge DIR | serve`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab_kit::main(&coordinated_omission::LAB)
}
