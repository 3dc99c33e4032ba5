//! Latency of block devices: how long requests wait for the device, and how long it takes.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::PerCpuArray;
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::block::FLUSH as IS_FLUSH;
use lab_probe_common::histogram;
use lab_programs::histogram::{also, record};
use lab_programs::program;

#[path = "../block.rs"]
mod block;

program!();

/// Nanoseconds from when a request was made until the device had it.
#[map]
static QUEUED: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// Nanoseconds from then until it was done.
#[map]
static SERVICE: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// Nanoseconds that the device took to flush its cache.
#[map]
static FLUSH: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

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
    match block::done(&ctx) {
        Some(io) if io.operation == IS_FLUSH => record(&FLUSH, io.service_ns),
        Some(io) => {
            record(&SERVICE, io.service_ns);
            also(&QUEUED, io.queued_ns);
        }
        None => {}
    }
}
