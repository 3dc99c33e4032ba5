//! The first touch of memory in huge pages: a fault each. That of small pages is bpf-tools' MEM-3.

use lab_kit::Ctx;
use lab_kit::memory::{HUGE_PAGE, Mapping, Pages, has_huge_pages, has_room};
use lab_kit::thread::Usage;

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let bytes = (ctx.int("map-mib") as usize) << 20;
    let huge = ctx.text("pages") == "huge";
    if !has_room(ctx, bytes as u64)? || huge && !has_huge_pages(ctx) {
        return Ok(());
    }
    let mut memory = Mapping::new(bytes, if huge { Pages::Huge } else { Pages::Small })?;
    let before = Usage::here().minor_faults;
    memory.touch(0..memory.pages());
    ctx.metric("faults", (Usage::here().minor_faults - before) as f64, "count");
    ctx.metric("huge_pages", bytes as f64 / HUGE_PAGE as f64, "count");
    Ok(())
}
