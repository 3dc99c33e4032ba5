//! `tail-latency describe | run DIR | judge DIR | leaf …`

fn main() -> std::process::ExitCode {
    lab_kit::main(&tail_latency::LAB)
}
