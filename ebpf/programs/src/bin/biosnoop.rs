//! Requests to block devices, one by one.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::RingBuf;
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::event::BlockIo;
use lab_probe_common::tally::{EVENTS, RING_FULL};
use lab_programs::program;
use lab_programs::tally::count;

#[path = "../block.rs"]
mod block;

program!();

#[map]
static EVENTS_RING: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

#[btf_tracepoint(function = "block_io_start")]
fn block_io_start(ctx: BtfTracePointContext) {
    block::made(&ctx);
}

#[btf_tracepoint(function = "block_rq_issue")]
fn block_rq_issue(ctx: BtfTracePointContext) {
    block::issued(&ctx);
}

#[btf_tracepoint(function = "block_rq_complete")]
fn block_rq_complete(ctx: BtfTracePointContext) {
    let Some(io) = block::done(&ctx) else { return };
    let Some(mut event) = EVENTS_RING.reserve::<BlockIo>(0) else {
        count(RING_FULL);
        return;
    };
    count(EVENTS);
    event.write(io);
    event.submit(0);
}
