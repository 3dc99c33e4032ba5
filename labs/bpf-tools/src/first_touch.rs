//! Memory that is asked for, and then touched, for pagefaults.

use std::hint::black_box;

use lab_kit::Ctx;
use lab_kit::memory::{Mapping, Pages};
use lab_kit::thread::Usage;

/// Touches every page twice. Where it is not `fresh`, the kernel has touched it before.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let mapped = Usage::here().minor_faults;
    let mut memory = Mapping::new(ctx.int("touch-mib") as usize * (1 << 20), Pages::Small)?;
    if ctx.text("memory") == "touched" {
        memory.populate()?;
    }
    let before = Usage::here().minor_faults;
    touch_each(&mut memory);
    let first = Usage::here().minor_faults;
    touch_each(&mut memory);
    let second = Usage::here().minor_faults;
    ctx.metric("pages", memory.pages() as f64, "count");
    ctx.metric("faults_of_mapping", (before - mapped) as f64, "count");
    ctx.metric("faults", (first - before) as f64, "count");
    ctx.metric("faults_again", (second - first) as f64, "count");
    Ok(())
}

/// The name of this function is what a tool's stacks are searched for.
#[inline(never)]
fn touch_each(memory: &mut Mapping) {
    memory.touch(0..memory.pages());
    // What follows a call keeps it from becoming a jump, which would leave no frame.
    black_box(memory);
}
