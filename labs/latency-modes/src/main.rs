//! `latency-modes describe | run DIR | judge DIR`.

fn main() -> std::process::ExitCode {
    lab_kit::main(&latency_modes::LAB)
}
