//! `disk-io describe | run DIR | judge DIR`

fn main() -> std::process::ExitCode {
    lab_kit::main(&disk_io::LAB)
}
