//! The table as published, as bars: each figure is shown beside the one measured on this machine.

use lab_kit::Bar;

/// The time of an operation, in ns.
pub(crate) const TIMES: &[Bar] = &[
    row("sequential memory, 64 B", "sequential", 0.5),
    row("hash, 64 B", "hash", 10.0),
    row("random memory, 64 B", "random", 20.0),
    unprinted("random memory, one by one", "dependent"),
    row("safe hash, 64 B", "digest", 100.0),
    row("system call", "syscall", 300.0),
    row("sequential read, 8 KiB", "read_sequential", 1e3),
    unprinted("read of the page cache, 8 KiB", "read_cached"),
    row("context switch", "switch", 10e3),
    unprinted("switch to another CPU", "far_switch"),
    row("sequential write, 8 KiB", "write", 2e3),
    row("TCP echo, 32 KiB", "echo", 50e3),
    unprinted("TCP echo, 64 B", "small_echo"),
    row("random read, 8 KiB", "read_random", 100e3),
    row("synced write, 8 KiB", "write_synced", 300e3),
];

/// Throughput in MiB/s.
pub(crate) const RATES: &[Bar] = &[
    row("sequential memory", "sequential_rate", 20.0 * GIB),
    row("threaded memory", "threaded_rate", 200.0 * GIB),
    row("random memory", "random_rate", 3.0 * GIB),
    row("hash", "hash_rate", 5.0 * GIB),
    row("safe hash", "digest_rate", GIB),
    row("sort of 64-bit integers", "sort_rate", 500.0),
    row("to JSON", "json_write_rate", 100.0),
    row("from JSON", "json_read_rate", 100.0),
    row("to bytes", "raw_write_rate", GIB),
    row("from bytes", "raw_read_rate", GIB),
    row("compress", "compress_rate", 500.0),
    row("decompress", "decompress_rate", GIB),
    row("TCP echo", "echo_rate", 500.0),
    row("sequential read", "read_sequential_rate", 8.0 * GIB),
    row("random read", "read_random_rate", 70.0),
    row("sequential write", "write_rate", 3.0 * GIB),
    row("synced write", "write_synced_rate", 30.0),
];

/// The latency and throughput of each row that has both, and the bytes of an operation; `None` for
/// the disk's block size.
pub(crate) const OPERATIONS: &[(&str, &str, Option<f64>)] = &[
    ("sequential", "sequential_rate", Some(64.0)),
    ("random", "random_rate", Some(64.0)),
    ("hash", "hash_rate", Some(64.0)),
    ("digest", "digest_rate", Some(64.0)),
    ("echo", "echo_rate", Some(32.0 * 1024.0)),
    ("read_sequential", "read_sequential_rate", None),
    ("read_random", "read_random_rate", None),
    ("write", "write_rate", None),
    ("write_synced", "write_synced_rate", None),
];

/// Between regions: the printed round trip in ms, and some 1,000 km along a great circle.
pub(crate) const REGIONS: [(&str, f64, f64); 4] = [
    ("North America, east and west", 60.0, 3_700.0),
    ("Europe and North America, east", 80.0, 5_600.0),
    ("North America, west, and Singapore", 180.0, 13_300.0),
    ("Europe and Singapore", 160.0, 11_000.0),
];

/// MiB in a GiB.
const GIB: f64 = 1_024.0;

const fn row(name: &'static str, metric: &'static str, source: f64) -> Bar {
    Bar { name, metric, source: Some(source) }
}

const fn unprinted(name: &'static str, metric: &'static str) -> Bar {
    Bar { name, metric, source: None }
}

/// The printed figure of a metric.
///
/// # Panics
/// The table has no such row: a name in a claim is misspelt.
pub(crate) fn printed(metric: &str) -> f64 {
    let found = TIMES.iter().chain(RATES).find(|bar| bar.metric == metric);
    found.and_then(|bar| bar.source).unwrap_or_else(|| panic!("the table prints no {metric}"))
}
