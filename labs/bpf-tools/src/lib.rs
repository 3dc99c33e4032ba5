//! What does each BPF tool count, and what does polling miss?
//!
//! Each variant is a workload whose numbers are known, beside the probe that bears the name of the
//! tool. What a program can know of itself without rights, its own count and clocks and the
//! kernel's account of its thread, it files as metrics; `tools` compares what a probe saw with
//! them, `claims` what they say alone. `printed` has the figures that the sources print.

mod children;
mod claims;
mod direct_reads;
mod first_touch;
mod lessons;
mod page_cache;
mod printed;
mod resends;
mod rows;
mod search_path;
mod sessions;
mod slow_reads;
mod sources;
mod spinners;
mod story;
mod syncs;
mod tools;
mod zero_reads;

use lab_kit::{Knob, Lab, Variant};

/// The lab.
pub const LAB: Lab = Lab {
    name: "bpf-tools",
    question: "What does each BPF tool count, and what does polling miss?",
    sources: &[
        &sources::LEARN,
        &sources::BCC_TUTORIAL,
        &sources::OFF_CPU,
        &sources::PERF_LABS,
        &sources::MEMORY,
    ],
    knobs: KNOBS,
    variants: VARIANTS,
    claims: claims::CLAIMS,
    charts: &[],
    story: story::STORY,
    lessons: lessons::LESSONS,
    verbs: &[],
};

const KNOBS: &[Knob] = &[
    Knob::int("children", 100, "", [1, 10_000], "processes that are started, 100 a second"),
    Knob::choice("start", &["exec", "fork"], "what a child does: exec a program, or only fork"),
    Knob::duration("lifetime", "0s", ["0s", "10s"], "how long a child sleeps"),
    Knob::duration("poll", "1s", ["1ms", "10s"], "interval at which a poller reads /proc"),
    Knob::int("opens", 1_000, "", [1, 1_000_000], "opens of files that are not there"),
    Knob::choice("order", &["last", "first"], "where in its search path a file is"),
    Knob::choice("protocol", &["tcp", "udp"], "protocol of the sessions"),
    Knob::int("sessions", 100, "", [0, 10_000], "sessions, one after the other"),
    Knob::int("refused", 50, "", [0, 10_000], "attempts to connect where nobody listens"),
    Knob::int("send", 1_000, "B", [0, 1 << 20], "bytes that the client sends in a session"),
    Knob::int("receive", 50_000, "B", [0, 1 << 20], "bytes that the client receives in a session"),
    Knob::duration("hold", "0s", ["0s", "1s"], "how long a session is kept open"),
    Knob::duration("deaf", "500ms", ["0s", "5s"], "how long the receiver drops incoming segments"),
    Knob::duration("slow", "20ms", ["0s", "1s"], "least time that a slow read takes"),
    Knob::int("slow-calls", 10, "", [1, 1_000], "number of slow reads"),
    Knob::choice("from", &["hole", "disk"], "what slow reads read: a hole, or data on disk"),
    Knob::int("syncs", 20, "", [1, 10_000], "writes that are waited for"),
    Knob::choice("safe", &["yes", "no"], "whether each write waits for the disk"),
    Knob::int("reads", 500, "", [1, 100_000], "reads past the page cache"),
    Knob::int(
        "times",
        1,
        "",
        [1, 100],
        "reads of more-direct-reads, in times those of direct-reads",
    ),
    Knob::choice("cache", &["passed", "used"], "whether direct reads bypass the page cache"),
    Knob::int(
        "cache-mib",
        16,
        "MiB",
        [1, 1_024],
        "length of the file that is read again and again",
    ),
    Knob::int("passes", 1, "", [1, 10_000], "how often warm-file reads the file"),
    Knob::choice(
        "forget",
        &["never", "each"],
        "whether the page cache drops the file before each pass",
    ),
    Knob::int("zero-reads", 100_000, "", [1, 100_000_000], "number of reads from /dev/zero"),
    Knob::int("read-bytes", 0, "B", [0, 4_096], "bytes that each of these reads returns"),
    Knob::int("touch-mib", 64, "MiB", [1, 1_024], "memory that is touched"),
    Knob::choice(
        "memory",
        &["fresh", "touched"],
        "whether that memory is touched before the probe looks",
    ),
    Knob::choice("printed", &["correctly", "wrongly"], "the figures that the sources print"),
    Knob::duration(
        "spin",
        "500ms",
        ["1ms", "10s"],
        "CPU time of each spinner; there are two for each CPU",
    ),
];

/// What a trial takes is in its counts; the spans are what that is about.
const VARIANTS: &[Variant] = &[
    Variant::new("short-lived", "a hundred processes that live for a millisecond", children::run)
        .live([1_000; 3])
        .probed(&["execsnoop"]),
    Variant::new(
        "search-path",
        "a file that is searched for in many directories",
        search_path::run,
    )
    .live([100; 3])
    .probed(&["opensnoop"]),
    Variant::new("sessions", "short connections, and some that are refused", sessions::run)
        .live([200; 3])
        .probed(&["tcplife", "tcpconnect"]),
    Variant::new("held-sessions", "connections that live for 20 ms", sessions::run)
        .live([500; 3])
        .with(&[("sessions", "20"), ("refused", "0"), ("hold", "20ms")])
        .probed(&["tcplife"]),
    Variant::new(
        "deaf-receiver",
        "segments that are sent again, since a receiver drops them",
        resends::run,
    )
    .live([1_000; 3])
    .probed(&["tcpretrans"]),
    Variant::new("slow-reads", "slow reads that never reach a disk", slow_reads::run)
        .live([1_000; 3])
        .probed(&["ext4slower"]),
    Variant::new("syncs", "writes that wait for their disk", syncs::run)
        .live([200; 3])
        .probed(&["fsyncsnoop"]),
    Variant::new("direct-reads", "reads that each become a request to a disk", direct_reads::run)
        .live([200; 3])
        .probed(&["biolatency", "biosnoop"]),
    Variant::new("more-direct-reads", "the same, with ten times as many reads", direct_reads::run)
        .live([500; 3])
        .with(&[("times", "10")])
        .probed(&["biolatency", "biosnoop"]),
    Variant::new("cold-file", "a file that is read once", page_cache::run)
        .live([200; 3])
        .probed(&["cachestat"]),
    Variant::new("warm-file", "a file that is read two hundred times", page_cache::run)
        .live([1_000; 3])
        .with(&[("passes", "200")])
        .probed(&["cachestat"]),
    Variant::new("zero-reads", "reads that succeed and return nothing", zero_reads::run)
        .live([100; 3])
        .probed(&["syscount"]),
    Variant::new("first-touch", "memory that is touched twice", first_touch::run)
        .live([100; 3])
        .probed(&["pagefaults"]),
    Variant::new("spinners", "two threads for each CPU", spinners::run)
        .live([1_000; 3])
        .probed(&["runqlat", "profile"]),
];

#[cfg(test)]
mod tests;
