//! `differential-flame-graphs describe | run DIR | judge DIR`

fn main() -> std::process::ExitCode {
    lab_kit::main(&differential_flame_graphs::LAB)
}
