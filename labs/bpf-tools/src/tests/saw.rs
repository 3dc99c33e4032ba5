//! What probes might have seen of trials, and what those trials know.

use lab_record::Metrics;
use lab_record::probe::{ProbeHistogram, ProbeRecord, ProbeStacks};
use lab_record::table::{Cell, Column, Table};

use Cell::{Count, Number, Text};

/// A check by probe.
pub(super) struct Case {
    pub(super) claim: &'static str,
    /// Which of the claim's.
    pub(super) check: usize,
    pub(super) probe: &'static str,
    /// Variants, and what a trial of each knows.
    pub(super) trials: &'static [(&'static str, &'static [(&'static str, f64)])],
    /// What the probe saw, of which this much is missing.
    pub(super) saw: fn(&Metrics, u64) -> ProbeRecord,
}

/// Stacks that a probe might have left, `off` of them missing: for [`stacks`].
pub(super) fn folded(off: u64) -> String {
    format!("bpf-tools;main;touch_each {}\nbpf-tools;main;touch_each;x 50\nother 7\n", 50 - off)
}

/// The file that they are in.
pub(super) const FOLDED: &str = "stacks.folded";

pub(super) const SEEN: &[Case] = &[
    Case {
        claim: "BPF-2",
        check: 0,
        probe: "tcplife",
        trials: &[(
            "sessions",
            &[("port", 80.0), ("sessions", 3.0), ("sent", 30.0), ("received", 300.0)],
        )],
        saw: |_, off| {
            let row = |local: &str, remote: &str, sent, received| {
                vec![text(local), text(remote), Count(sent), Count(received)]
            };
            let client = row("127.0.0.1:9", "127.0.0.1:80", 10, 100);
            let server = row("127.0.0.1:80", "127.0.0.1:9", 100, 10);
            let other = row("127.0.0.1:9", "127.0.0.1:443", 1, 1);
            let mut rows = [vec![client; 3], vec![server; 3], vec![other]].concat();
            rows.drain(..off as usize);
            table("connections", &["LOCAL", "REMOTE", "SENT", "RECEIVED"], rows)
        },
    },
    Case {
        claim: "BPF-2",
        check: 1,
        probe: "tcplife",
        trials: &[(
            "held-sessions",
            &[("port", 80.0), ("lived", 100e6), ("waited_for_a_cpu", 1e6)],
        )],
        saw: |_, off| {
            let rows = vec![vec![text("127.0.0.1:80"), Count(99_000_000 - off * 2_000_000)]];
            table("connections", &["REMOTE", "LIVED"], rows)
        },
    },
    Case {
        claim: "BPF-4",
        check: 0,
        probe: "execsnoop",
        trials: &[("short-lived", &[("parent", 7.0), ("children", 3.0)])],
        saw: |_, off| {
            let row = |parent| vec![Count(parent), text("true")];
            let rows = [vec![row(1)], vec![row(7); 3 - off as usize]].concat();
            table("programs", &["PPID", "PCOMM"], rows)
        },
    },
    Case {
        claim: "BPF-5",
        check: 0,
        probe: "opensnoop",
        trials: &[("search-path", &[("planned", 2.0)])],
        saw: |_, off| {
            let row = |path: &str, error| vec![text(path), Count(error)];
            let nowhere = row("/no/such/directory/tls/comm", 2);
            let rows = [vec![nowhere; 2 - off as usize], vec![row("/etc/ld.so.preload", 2)]];
            table("files", &["PATH", "ERR"], rows.concat())
        },
    },
    Case {
        claim: "BPF-6",
        check: 0,
        probe: "ext4slower",
        trials: &[(
            "slow-reads",
            &[
                ("slow_calls", 2.0),
                ("wanted", 2.0),
                ("doubtful", 0.0),
                ("slow_time", 40e6),
                ("slow_cpu_time", 39.9e6),
            ],
        )],
        saw: file_calls,
    },
    Case {
        claim: "BPF-6",
        check: 1,
        probe: "fsyncsnoop",
        trials: &[("syncs", &[("syncs", 2.0), ("sync_time", 40e6)])],
        saw: file_calls,
    },
    Case {
        claim: "BPF-7",
        check: 0,
        probe: "biosnoop",
        trials: &[("direct-reads", &[("requests", 50.0)])],
        saw: |_, off| {
            let row = |who: &str, kind: &str, bytes| vec![text(who), text(kind), Count(bytes)];
            let pages = vec![row("reader", "read", 4096); 50 - off as usize];
            let (large, other) = (row("reader", "read", 131_072), row("reader", "write", 4096));
            let at_start = row("bpf-tools", "read", 4096);
            let rows = [pages, vec![large, other, at_start]].concat();
            table("requests", &["COMM", "TYPE", "BYTES"], rows)
        },
    },
    Case {
        claim: "BPF-7",
        check: 1,
        probe: "biolatency",
        trials: &[("direct-reads", &[("requests", 50.0)])],
        saw: |_, off| histogram("service", 51 - 2 * off),
    },
    Case {
        claim: "BPF-8",
        check: 0,
        probe: "cachestat",
        trials: &[
            ("cold-file", &[("pages", 100.0), ("pages_read", 100.0)]),
            ("warm-file", &[("pages", 100.0), ("pages_read", 20_000.0)]),
        ],
        saw: |knows, off| {
            let read = knows.metrics["pages_read"].value as u64;
            let misses = 101 + 10 * off;
            let hits = (1.0 - misses.min(read) as f64 / read as f64) * 100.0;
            let row = vec![Count(read + 1), Count(misses), Number(hits)];
            table("pages", &["READ", "MISSES", "READ HIT %"], vec![row])
        },
    },
    Case {
        claim: "BPF-13",
        check: 0,
        probe: "biosnoop",
        trials: &[
            ("direct-reads", &[("reads", 1_000.0)]),
            ("more-direct-reads", &[("reads", 10_000.0)]),
        ],
        saw: |knows, off| {
            let reads = knows.metrics["reads"].value as usize;
            let told = if off == 0 { reads } else { 1_000 };
            table("requests", &["BYTES"], vec![vec![Count(4096)]; told])
        },
    },
    Case {
        claim: "BPF-13",
        check: 1,
        probe: "biolatency",
        trials: &[
            ("direct-reads", &[("reads", 100.0)]),
            ("more-direct-reads", &[("reads", 1_000.0)]),
        ],
        saw: |knows, off| {
            let reads = knows.metrics["reads"].value as u64;
            histogram("service", if off == 0 { reads } else { 100 })
        },
    },
    Case {
        claim: "LAB-3",
        check: 0,
        probe: "syscount",
        trials: &[("zero-reads", &[("empty", 5.0)])],
        saw: |_, off| {
            let row = |call: &str, count| vec![text(call), Count(count)];
            let rows = vec![row("read", 5), row("readv", 5 - off)];
            table("system calls", &["SYSCALL", "COUNT"], rows)
        },
    },
    Case {
        claim: "MEM-3",
        check: 0,
        probe: "pagefaults",
        trials: &[("first-touch", &[("pages", 100.0)])],
        saw: |_, off| stacks("page-faults", 107 - off),
    },
];

/// Two calls on a file of ours, and one on another.
fn file_calls(_: &Metrics, off: u64) -> ProbeRecord {
    let row = |file: &str| vec![text(file), Count(19_900_000)];
    let ours = vec![row("bpf-tools-1-0"); 2 - off as usize];
    table("calls", &["FILE", "TOOK"], [ours, vec![row("another")]].concat())
}

fn text(words: &str) -> Cell {
    Text(words.to_owned())
}

fn table(name: &str, columns: &[&str], rows: Vec<Vec<Cell>>) -> ProbeRecord {
    let column = |name: &&str| Column { name: (*name).to_owned(), unit: String::new() };
    let columns = columns.iter().map(column).collect();
    let table = Table { name: name.to_owned(), columns, rows };
    ProbeRecord { tables: vec![table], ..record() }
}

fn histogram(name: &str, count: u64) -> ProbeRecord {
    let (sum, buckets) = (count * 1_000, vec![(992, 1_023, count)]);
    let unit = "ns".to_owned();
    let histogram =
        ProbeHistogram { name: name.to_owned(), thread: None, unit, count, sum, buckets };
    ProbeRecord { histograms: vec![histogram], ..record() }
}

fn stacks(kind: &str, total: u64) -> ProbeRecord {
    let (kind, file, unit) = (kind.to_owned(), FOLDED.to_owned(), "faults".to_owned());
    let stacks = ProbeStacks { kind, file, unit, total, rootless: 0.0 };
    ProbeRecord { folded: vec![stacks], ..record() }
}

fn record() -> ProbeRecord {
    ProbeRecord::empty("injected")
}
