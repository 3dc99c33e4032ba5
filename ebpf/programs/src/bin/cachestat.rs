//! How often reads find their pages in the page cache.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, PerCpuArray};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::page_cache::{self, Progress};
use lab_probe_common::tally::EVENTS;
use lab_programs::add::add;
use lab_programs::call::number;
use lab_programs::tally::{count, kept};
use lab_programs::target::observed;
use lab_programs::task::Task;
use lab_programs::{global, globals, program};

program!();

globals! {
    /// Where `folio` has `flags`.
    FOLIO_FLAGS: u32 = 0;
    /// Where `folio` has `_flags_1`, whose lowest byte is its order.
    FOLIO_ORDER: u32 = 0;
    /// The bit of `flags` that says that it has more than one page.
    FOLIO_LARGE_BIT: u32 = 0;
}

#[map]
static PAGES: PerCpuArray<u64> = PerCpuArray::with_max_entries(page_cache::LEN, 0);

/// Threads in a call that reads or writes files.
#[map]
static IN_CALL: HashMap<u32, Progress> = HashMap::with_max_entries(32768, 0);

#[btf_tracepoint(function = "sys_enter")]
fn sys_enter(ctx: BtfTracePointContext) {
    let task = Task::current();
    // write, pwrite64, writev, pwritev, pwritev2, splice, sendfile, copy_file_range.
    if matches!(number(&ctx, task), 1 | 18 | 20 | 296 | 328 | 275 | 40 | 326) && observed(task) {
        kept(IN_CALL.insert(task.pid(), Progress { writes: 1, ..Progress::default() }, 0));
    }
}

#[btf_tracepoint(function = "sys_exit")]
fn sys_exit(_: BtfTracePointContext) {
    let _ = IN_CALL.remove(Task::current().pid());
}

/// The arguments are `mapping, first, last`. A read of more than one batch asks again for the rest.
#[btf_tracepoint(function = "mm_filemap_get_pages")]
fn mm_filemap_get_pages(ctx: BtfTracePointContext) {
    let task = Task::current();
    if !observed(task) {
        return;
    }
    let (file, first, last) = (ctx.arg::<u64>(0), ctx.arg::<u64>(1), ctx.arg::<u64>(2));
    // SAFETY: only the thread itself changes its entry.
    let before = unsafe { IN_CALL.get(task.pid()) }.copied().unwrap_or_default();
    if before.file != file || before.last != last || before.first > first {
        count_pages(page_cache::READ, last.saturating_sub(first) + 1);
    }
    kept(IN_CALL.insert(task.pid(), Progress { file, first, last, ..before }, 0));
}

#[btf_tracepoint(function = "mm_filemap_fault")]
fn mm_filemap_fault(_: BtfTracePointContext) {
    if observed(Task::current()) {
        count_pages(page_cache::FAULTED, 1);
    }
}

/// Runs on the thread that needs the pages, or reads ahead.
#[btf_tracepoint(function = "mm_filemap_add_to_page_cache")]
fn mm_filemap_add_to_page_cache(ctx: BtfTracePointContext) {
    let task = Task::current();
    if !observed(task) {
        return;
    }
    // SAFETY: only the thread itself changes its entry.
    let writes = unsafe { IN_CALL.get(task.pid()) }.is_some_and(|call| call.writes != 0);
    if !writes {
        count_pages(page_cache::MISSED, pages(Task::arg(&ctx, 0)));
    }
}

#[btf_tracepoint(function = "writeback_dirty_folio")]
fn writeback_dirty_folio(ctx: BtfTracePointContext) {
    if observed(Task::current()) {
        count_pages(page_cache::DIRTIED, pages(Task::arg(&ctx, 0)));
    }
}

#[inline(always)]
fn count_pages(what: u32, pages: u64) {
    count(EVENTS);
    if let Some(counter) = PAGES.get_ptr_mut(what) {
        add(counter, pages);
    }
}

#[inline(always)]
fn pages(folio: Task) -> u64 {
    let flags: u64 = folio.read(global!(FOLIO_FLAGS)).unwrap_or(0);
    if flags >> global!(FOLIO_LARGE_BIT) & 1 == 0 {
        return 1;
    }
    let order: u64 = folio.read(global!(FOLIO_ORDER)).unwrap_or(0);
    1 << (order & 0x1f)
}
