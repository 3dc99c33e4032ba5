//! `cpu-utilization describe | run DIR | judge DIR`

fn main() -> std::process::ExitCode {
    lab_kit::main(&cpu_utilization::LAB)
}
