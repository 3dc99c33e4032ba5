//! A tower of calls with all the work at its top: one source, compiled with and without frame
//! pointers by `build.rs`.
#![no_std]

use core::hint::black_box;

/// Calls itself `depth` times, then computes `steps` steps.
#[cfg_attr(tower_with, unsafe(export_name = "tower_with_frame_pointers"))]
#[cfg_attr(tower_without, unsafe(export_name = "tower_without_frame_pointers"))]
#[inline(never)]
pub extern "C" fn climb(depth: u64, steps: u64) -> u64 {
    if depth == 0 {
        return compute(steps);
    }
    // What follows the call keeps it from becoming a jump, which would leave no frame.
    black_box(climb(black_box(depth - 1), steps)) ^ black_box(depth)
}

#[inline(never)]
fn compute(steps: u64) -> u64 {
    let mut x = 1_u64;
    let mut i = 0;
    while i < steps {
        x = black_box(x ^ i.wrapping_mul(x | 1));
        i += 1;
    }
    x
}
