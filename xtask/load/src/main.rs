//! The load generator: a lab whose server is the user's own service.

fn main() -> std::process::ExitCode {
    lab_kit::main(&perf_lab_load::LAB)
}
