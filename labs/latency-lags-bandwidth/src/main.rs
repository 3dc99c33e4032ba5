//! `latency-lags-bandwidth describe | run DIR | judge DIR`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab_kit::main(&latency_lags_bandwidth::LAB)
}
