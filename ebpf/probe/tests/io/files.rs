//! Block devices, calls on files, and the page cache.

use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use lab_skip::{Need, skip};

use crate::support::{Bench, Seen, forget, said};

const PAGE: usize = 4096;

#[test]
fn every_read_past_the_page_cache_is_a_request() {
    let bench = Bench::new();
    let file = bench.file(200 * PAGE);
    if !is_on_a_device(&file) {
        return;
    }
    let direct = ["direct", file.to_str().unwrap(), "200"];
    let ours =
        |row: &crate::support::Row<'_>| row.text("TYPE") == "read" && row.count("BYTES") == 4096;
    // Requests whose end the kernel reports to no tracer, bpftrace included, are counted when their
    // memory serves the next one; none follows the last. On its first run the program's own pages
    // may be read one by one.
    let whole = |seen: &Seen| {
        let told = seen.table().rows().filter(ours).count() as u64;
        let unfinished = seen.record.losses.unfinished;
        println!("{told} and {unfinished} without an end");
        told <= 200 && told + unfinished >= 199
    };
    let Some(mut seen) = bench.run(&["biosnoop"], &direct) else { return };
    if !whole(&seen) {
        seen = bench.run(&["biosnoop"], &direct).unwrap();
        assert!(whole(&seen));
    }
    for row in seen.table().rows() {
        assert_eq!(row.text("COMM"), "counted");
        assert!(row.count("SERVICE") > 0);
    }

    let Some(seen) = bench.run(&["biolatency"], &direct) else { return };
    let counts = ["queued", "service"].map(|name| seen.histogram(name).count);
    assert!((200..220).contains(&counts[0]), "{counts:?}");
    assert_eq!(counts[0], counts[1]);
}

#[test]
fn every_sync_is_reported_with_its_file() {
    let bench = Bench::new();
    let file = bench.path().join("synced");
    let sync = ["sync", file.to_str().unwrap(), "20"];
    let Some(seen) = bench.run(&["fsyncsnoop"], &sync) else { return };
    let of = |call| seen.table().rows().filter(|row| row.text("CALL") == call).count();
    assert_eq!((of("fsync"), of("fdatasync"), seen.table().rows().count()), (20, 20, 40));
    assert!(seen.table().rows().all(|row| row.text("FILE") == "synced"));
}

#[test]
fn a_write_that_waits_for_its_device_is_a_sync() {
    let bench = Bench::new();
    let file = bench.path().join("waited-for");
    let write = ["wait-to-write", file.to_str().unwrap(), "20"];
    let Some(seen) = bench.run(&["fsyncsnoop"], &write) else { return };
    let of = |call| seen.table().rows().filter(|row| row.text("CALL") == call).count();
    assert_eq!((of("write"), of("pwritev2"), seen.table().rows().count()), (20, 20, 40));
    assert!(seen.table().rows().all(|row| row.text("FILE") == "waited-for"));
}

#[test]
fn what_is_requested_by_io_uring_is_counted_and_reported() {
    let bench = Bench::new();
    let file = bench.path().join("by-uring");
    let sync = ["sync-by-uring", file.to_str().unwrap(), "20"];
    for probe in ["fsyncsnoop", "ext4slower"] {
        let Some(seen) = bench.run(&[probe], &sync) else { return };
        assert_eq!(seen.table().rows().filter(|row| row.text("CALL") == "fsync").count(), 0);
        let notes = seen.record.notes.join("\n");
        assert!(notes.contains("20 ") && notes.contains("by io_uring are not observed"), "{notes}");
    }
}

#[test]
fn a_sync_has_its_device_flush_its_cache() {
    let bench = Bench::new();
    let file = bench.file(PAGE);
    if !is_on_a_device(&file) || !has_a_cache(&file) {
        return;
    }
    let sync = ["sync", file.to_str().unwrap(), "20"];
    let Some(seen) = bench.run(&["biosnoop", "--duration", "60"], &sync) else { return };
    let flushes: Vec<_> = seen.table().rows().filter(|row| row.text("TYPE") == "flush").collect();
    println!("{} flushes for 40 syncs", flushes.len());
    // The journal's own thread asks for most of them, and is none of the command's.
    assert!(flushes.iter().all(|row| row.count("SERVICE") > 0 && row.count("BYTES") == 0));
    let output = bench.try_alone(&["biolatency", "--duration", "5"], &sync);
    assert!(output.status.success(), "{}", said(&output));
    let flushed = bench.record("biolatency");
    let flushed = flushed.histograms.iter().find(|h| h.name == "flush").unwrap();
    assert!(flushed.count >= 20, "{} flushes for 40 syncs", flushed.count);
}

#[test]
fn calls_are_reported_from_the_threshold_on() {
    let bench = Bench::new();
    let file = bench.file(64 << 20);
    if !is_on_ext4(&file) {
        return skip(Need::Ext4, format!("{} is not on ext4", file.display()));
    }
    let calls = ["calls", file.to_str().unwrap(), "50"];
    let reads = |from_ms: &str| -> Option<Vec<(f64, u64)>> {
        let seen = bench.run(&["ext4slower", "--set", from_ms], &calls)?;
        let rows = seen.table().rows();
        let reads = rows.filter(|row| row.text("FILE") == "data" && row.text("CALL") == "pread64");
        Some(reads.map(|row| (row.number("RESULT"), row.count("TOOK"))).collect())
    };
    let Some(all) = reads("from_ms=0") else { return };
    let bytes: f64 = all.iter().map(|(bytes, _)| bytes).sum();
    assert_eq!((all.len(), bytes), (51, f64::from(50 + (64 << 20))));
    // No machine copies 64 GB a second.
    let Some(slow) = reads("from_ms=1") else { return };
    assert!(slow.iter().all(|(_, took_ns)| *took_ns >= 1_000_000), "{slow:?}");
    assert!(slow.iter().any(|(bytes, _)| *bytes == f64::from(64 << 20)), "{slow:?}");
}

#[test]
fn a_cold_read_misses_and_a_warm_one_hits() {
    const PAGES: u64 = 4096;
    let bench = Bench::new();
    let file = bench.file(PAGES as usize * PAGE);
    if !is_on_a_device(&file) {
        return;
    }
    let read = ["read", file.to_str().unwrap()];
    forget(&file);
    let Some(cold) = bench.run(&["cachestat"], &read) else { return };
    let Some(warm) = bench.run(&["cachestat"], &read) else { return };
    let row = |seen: &Seen| {
        let row = seen.table().rows().next().unwrap();
        (row.count("READ"), row.count("MISSES"), row.number("READ HIT %"))
    };
    let ((cold_read, cold_misses, cold_ratio), (warm_read, warm_misses, warm_ratio)) =
        (row(&cold), row(&warm));
    // A few pages of the program itself are read, too, and may have to be fetched.
    let some = 0..100;
    assert_eq!(cold_read, warm_read);
    assert!(some.contains(&(cold_read - PAGES)), "{cold_read}");
    assert!(some.contains(&(cold_misses - PAGES)), "{cold_misses}");
    assert!(some.contains(&warm_misses), "{warm_misses}");
    assert!(cold_ratio < 3.0 && warm_ratio > 97.0, "{cold_ratio} % cold, {warm_ratio} % warm");
}

/// On a disk, and not in memory; says so where not.
fn is_on_a_device(file: &Path) -> bool {
    let device = file.metadata().unwrap().dev();
    let (major, minor) = (libc::major(device), libc::minor(device));
    let direct = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(file).is_ok();
    let on_device = direct && Path::new(&format!("/sys/dev/block/{major}:{minor}")).exists();
    if !on_device {
        skip(Need::Disk, format!("{} is on no block device", file.display()));
    }
    on_device
}

/// Whether what is written to the file's device has to be flushed; says so where not.
fn has_a_cache(file: &Path) -> bool {
    let device = file.metadata().unwrap().dev();
    let (major, minor) = (libc::major(device), libc::minor(device));
    let folder = format!("/sys/dev/block/{major}:{minor}");
    let queue = [format!("{folder}/queue"), format!("{folder}/../queue")];
    let cached = queue.iter().any(|queue| {
        std::fs::read_to_string(format!("{queue}/write_cache")).is_ok_and(|it| it.contains("back"))
    });
    if !cached {
        skip(Need::Disk, "its device has no cache of writes");
    }
    cached
}

fn is_on_ext4(file: &Path) -> bool {
    rustix::fs::statfs(file).unwrap().f_type == 0xef53
}
