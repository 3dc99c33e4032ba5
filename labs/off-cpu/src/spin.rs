//! Work that takes CPU time, and nothing else.

use std::time::Duration;

use lab_kit::thread::cpu_time;
/// Computes until the thread has run for so long.
#[inline(never)]
pub(crate) fn spin(cpu: Duration) {
    let from = cpu_time();
    while cpu_time() - from < cpu {
        std::hint::spin_loop();
    }
}
