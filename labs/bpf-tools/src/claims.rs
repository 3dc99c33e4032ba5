//! The claims, and what would refute each of them.
//!
//! Live checks are what a program can know of itself without rights; those by probe are in `tools`.

use lab_kit::{Claim, Evidence, Judged, closed_form, live, observed};

use crate::printed;
use crate::sources::{BCC_TUTORIAL, LEARN, MEMORY, OFF_CPU, PERF_LABS};
use crate::tools;

/// Where the kernel's account of a thread is that of bytes or pages, and little else is in it.
const NEARLY_NONE: f64 = 0.01;

pub(crate) const CLAIMS: &[Claim] = &[
    Claim {
        id: "BPF-2",
        says: "tcplife traces the ends of sessions, not packets: on loopback they live for less \
               than 5 ms.",
        source: &LEARN,
        checks: &[
            live(&["sessions"], sessions_are_short).without(&[("hold", "10ms")]),
            observed(&[("sessions", "tcplife")], tools::tcplife).without(UDP),
            observed(&[("held-sessions", "tcplife")], tools::lifetimes).without(UDP),
        ],
        shown_by: &[],
    },
    Claim {
        id: "BPF-3",
        says: "Each of the tutorial's eleven tools tells what a workload of known numbers did.",
        source: &BCC_TUTORIAL,
        checks: &[observed(tools::ELEVEN_READ, tools::eleven).without(&[("deaf", "0s")])],
        shown_by: &[],
    },
    Claim {
        id: "BPF-4",
        says: "execsnoop sees every program that is started, however short; who looks once a \
               second sees less than 5 %.",
        source: &BCC_TUTORIAL,
        checks: &[
            live(&["short-lived"], polling_misses).without(&[("lifetime", "2s")]),
            observed(&[("short-lived", "execsnoop")], tools::execsnoop)
                .without(&[("start", "fork")]),
        ],
        shown_by: &[],
    },
    Claim {
        id: "BPF-5",
        says: "Failed opens, each of them told, show a bad search path.",
        source: &BCC_TUTORIAL,
        checks: &[
            live(&["search-path"], opens_in_vain).without(FOUND_AT_ONCE),
            observed(&[("search-path", "opensnoop")], tools::opensnoop).without(FOUND_AT_ONCE),
        ],
        shown_by: &[],
    },
    Claim {
        id: "BPF-6",
        says: "Calls on files show what an application feels; block devices do not.",
        source: &BCC_TUTORIAL,
        checks: &[
            live(&["slow-reads"], slow_without_a_disk).without(&[("from", "disk")]),
            observed(&[("slow-reads", "ext4slower")], tools::ext4slower).without(&[("slow", "0s")]),
            observed(&[("syncs", "fsyncsnoop")], tools::fsyncsnoop).without(&[("safe", "no")]),
        ],
        shown_by: &[],
    },
    Claim {
        id: "BPF-7",
        says: "biolatency adds up all requests to block devices in rows by powers of two.",
        source: &BCC_TUTORIAL,
        checks: &[
            closed_form(|e| printed::biolatency(e.settings().text("printed")))
                .without(&[("printed", "wrongly")])
                .calibrates(),
            live(&["direct-reads"], each_read_is_a_request).without(CACHED),
            observed(&[("direct-reads", "biosnoop")], tools::biosnoop).without(CACHED),
            observed(&[("direct-reads", "biolatency")], tools::biolatency).without(CACHED),
        ],
        shown_by: &[],
    },
    Claim {
        id: "BPF-8",
        says: "cachestat's ratio leaves out what became dirty; a cold file misses, a warm one \
               hits.",
        source: &BCC_TUTORIAL,
        checks: &[
            closed_form(|e| printed::cachestat(e.settings().text("printed")))
                .without(&[("printed", "wrongly")])
                .calibrates(),
            live(&["cold-file", "warm-file"], cold_and_warm).without(FORGOTTEN),
            observed(&[("cold-file", "cachestat"), ("warm-file", "cachestat")], tools::cachestat)
                .without(FORGOTTEN),
        ],
        shown_by: &[],
    },
    Claim {
        id: "BPF-13",
        says: "A sum in the kernel stays as it is, where a dump of all events grows with them.",
        source: &OFF_CPU,
        checks: &[
            observed(
                &[("direct-reads", "biosnoop"), ("more-direct-reads", "biosnoop")],
                tools::dump_grows,
            )
            .without(NO_MORE_READS),
            observed(
                &[("direct-reads", "biolatency"), ("more-direct-reads", "biolatency")],
                tools::sum_stays,
            )
            .without(NO_MORE_READS),
        ],
        shown_by: &[],
    },
    Claim {
        id: "LAB-3",
        says: "A loop of reads that succeed and bring nothing: many calls, no bytes.",
        source: &PERF_LABS,
        checks: &[
            live(&["zero-reads"], many_calls_no_bytes).without(BRINGS_BYTES),
            observed(&[("zero-reads", "syscount")], tools::syscount).without(BRINGS_BYTES),
        ],
        shown_by: &[],
    },
    Claim {
        id: "MEM-3",
        says: "Page faults show the first touch of memory: 64 MiB are 16,384 of 4 KiB.",
        source: &MEMORY,
        checks: &[
            live(&["first-touch"], first_touches).without(TOUCHED_BEFORE),
            observed(&[("first-touch", "pagefaults")], tools::pagefaults).without(TOUCHED_BEFORE),
        ],
        shown_by: &[],
    },
];

const UDP: &[(&str, &str)] = &[("protocol", "udp")];
const FOUND_AT_ONCE: &[(&str, &str)] = &[("order", "first")];
const CACHED: &[(&str, &str)] = &[("cache", "used")];
const FORGOTTEN: &[(&str, &str)] = &[("forget", "each")];
const NO_MORE_READS: &[(&str, &str)] = &[("times", "1")];
const BRINGS_BYTES: &[(&str, &str)] = &[("read-bytes", "1")];
const TOUCHED_BEFORE: &[(&str, &str)] = &[("memory", "touched")];

fn sessions_are_short(e: &Evidence) -> Judged {
    e.quantile("sessions", "lived", 0.5)?.at_most(5e6)?.because("median lifetime")
}

fn polling_misses(e: &Evidence) -> Judged {
    let polls = e.metric("short-lived", "polls")?.at_least(1.0)?.because("looks at /proc");
    let seen = e.metric("short-lived", "seen_by_polling")?.at_most(0.05)?;
    seen.because("children that were seen")?.and(polls)
}

fn opens_in_vain(e: &Evidence) -> Judged {
    let planned = e.metric("search-path", "planned")?.value;
    e.metric("search-path", "failed")?.near(planned, 0.0)?.because("opens of nothing")
}

fn slow_without_a_disk(e: &Evidence) -> Judged {
    let wanted = e.metric("slow-reads", "wanted")?.value;
    let slow = e.metric("slow-reads", "slow_calls")?.at_least(wanted)?;
    e.metric("slow-reads", "from_the_disk")?
        .at_most(NEARLY_NONE)?
        .because("of what slow calls read, the disk was asked for")?
        .and(slow.because("calls of 10 ms and more"))
}

fn each_read_is_a_request(e: &Evidence) -> Judged {
    let metric = |name: &str| e.metric("direct-reads", name);
    let reads = metric("reads")?.value;
    metric("fetched_pages")?
        .near(reads, 0.0)?
        .because("pages fetched for the thread")?
        .and(metric("reads_of_the_device")?.at_least(reads)?.because("reads of the device"))
}

fn cold_and_warm(e: &Evidence) -> Judged {
    e.metric("warm-file", "hits")?
        .at_least(1.0 - NEARLY_NONE)?
        .because("pages of the warm file that no disk was asked for")?
        .and(e.metric("cold-file", "hits")?.at_most(NEARLY_NONE)?.because("of the cold one"))
}

fn many_calls_no_bytes(e: &Evidence) -> Judged {
    let planned = e.metric("zero-reads", "planned")?.value;
    e.metric("zero-reads", "reads")?
        .near(planned, 0.0)?
        .because("reads")?
        .and(e.metric("zero-reads", "bytes")?.near(0.0, 0.0)?.because("bytes"))
}

fn first_touches(e: &Evidence) -> Judged {
    let pages = e.metric("first-touch", "pages")?.value;
    let again = e.metric("first-touch", "faults_again")?.at_most(pages * NEARLY_NONE)?;
    e.metric("first-touch", "faults")?
        .near_relative(pages, 0.02)?
        .because("faults of the first touch")?
        .and(again.because("of the second"))
}
