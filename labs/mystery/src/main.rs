//! `mystery describe | run DIR | judge DIR | answer DIR VARIANT`

fn main() -> std::process::ExitCode {
    lab_kit::main(&mystery::LAB)
}
