//! `load-average describe | run DIR | judge DIR`

fn main() -> std::process::ExitCode {
    lab_kit::main(&load_average::LAB)
}
