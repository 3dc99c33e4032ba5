//! Where does a write spend its time?
//!
//! In `writes` one thread writes in the way that the knobs choose, `reads` reads a file twice, and
//! `in_flight` keeps many writes in flight. In `store` many threads share a `log`; `crash` and
//! `power_cut` check what is left of it.

mod claims;
mod crash;
mod in_flight;
mod lessons;
mod log;
mod power_cut;
mod reads;
mod sources;
mod store;
mod story;
mod writes;

use lab_kit::cpus::nearly_alone;
use lab_kit::{Bar, Chart, Ctx, Knob, Lab, Variant};

/// The lab.
pub const LAB: Lab = Lab {
    name: "disk-io",
    question: "Where does a write spend its time?",
    sources: sources::ALL,
    knobs: KNOBS,
    variants: VARIANTS,
    claims: claims::CLAIMS,
    charts: &[TIME, PERCENTILES, MODE, BYTES, PUT],
    story: story::STORY,
    lessons: lessons::LESSONS,
    verbs: &[],
};

const KNOBS: &[Knob] = &[
    Knob::choice("sync", &["fdatasync", "o-sync", "no"], "how a write is made durable"),
    Knob::choice(
        "cache",
        &["used", "bypassed"],
        "whether writes use the page cache; O_DIRECT bypasses it",
    ),
    Knob::int("small", 128, "B", [1, 1 << 20], "bytes of a small write"),
    Knob::int("large", 128, "B", [1, 64 << 20], "bytes of a large write"),
    Knob::int("every", 200, "", [1, 1_000_000], "one write in this many is large"),
    Knob::int("first", 50, "", [0, 1_000_000], "number of the first large write, from 0"),
    Knob::int(
        "pass-mib",
        50,
        "MiB",
        [1, 1_024],
        "data written before the file is overwritten from its start",
    ),
    Knob::choice(
        "at",
        &["end", "begin"],
        "where writes go: each after the last, or all to the start of the file",
    ),
    Knob::int("read-mib", 32, "MiB", [1, 1_024], "length of the file that is read twice"),
    Knob::choice(
        "again",
        &["cached", "forgotten"],
        "whether the page cache still has the file at the second read",
    ),
    Knob::int("depth", 16, "", [1, 256], "writes in flight at once"),
    Knob::choice(
        "commit",
        &["group", "each", "behind"],
        "how records are synced: in groups, one by one, or after they are acknowledged",
    ),
    Knob::int("writers", 16, "", [1, 256], "number of writing threads"),
    Knob::duration("think", "0s", ["0s", "1s"], "mean pause of a writer between two records"),
    Knob::int(
        "file-mib",
        64,
        "MiB",
        [1, 1_024],
        "length of the log before it is overwritten from its start",
    ),
    Knob::int("crashes", 1_000, "", [1, 100_000], "number of simulated crashes"),
    Knob::int("cuts", 20, "", [1, 1_000], "number of power cuts of a loop device"),
];

/// Spans for a few thousand writes.
const SHORT: [u64; 3] = [400, 2_000, 20_000];
/// Spans for a high percentile, which needs ten samples beyond it.
const LONG: [u64; 3] = [2_200, 6_000, 30_000];
/// Spans for variants that are bounded by counts instead.
const COUNTED: [u64; 3] = [100; 3];

/// The largest share of the CPUs that other programs may use where times are compared, including
/// the kernel's work for the writes.
const MOST_TIME_OF_OTHERS: f64 = 0.3;

fn quiet(ctx: &mut Ctx, run: fn(&mut Ctx) -> anyhow::Result<()>) -> anyhow::Result<()> {
    nearly_alone(ctx, MOST_TIME_OF_OTHERS, run)
}

const VARIANTS: &[Variant] = &[
    Variant::new("buffered", "writes of 128 B to the page cache", writes::run)
        .live(SHORT)
        .with(&[("sync", "no")]),
    Variant::new("same-place", "writes of 128 B to the page cache, all to one place", writes::run)
        .live(SHORT)
        .with(&[("sync", "no"), ("at", "begin")]),
    Variant::new("direct", "writes of 4 KiB that bypass the page cache", writes::run)
        .live(SHORT)
        .with(&[("cache", "bypassed"), ("sync", "no"), ("small", "4096"), ("large", "4096")]),
    Variant::new("o-sync", "writes of 8 KiB with O_SYNC, over 10 MiB", writes::run)
        .live(SHORT)
        .with(&[("sync", "o-sync"), ("small", "8192"), ("large", "8192"), ("pass-mib", "10")]),
    Variant::new("fdatasync", "writes of 128 B, each made durable", writes::run).live(SHORT),
    Variant::new("outliers", "writes of 128 B, of which one in 200 is 2 MiB", |ctx| {
        quiet(ctx, writes::run)
    })
    .live(LONG)
    .with(&[("large", "2097152")]),
    Variant::new("as-published", "one write in 100 is 10 MiB, in a file of 10 MiB", writes::run)
        .live(SHORT)
        .with(&[
            ("sync", "o-sync"),
            ("small", "8192"),
            ("large", "10485760"),
            ("every", "100"),
            ("first", "0"),
            ("pass-mib", "10"),
        ]),
    Variant::new("reads", "a file that is read twice", reads::run).live(SHORT),
    Variant::new("in-flight", "one write in flight, and then many", |ctx| {
        quiet(ctx, in_flight::run)
    })
    .live(SHORT),
    threads("one-by-one", "16 threads, with a sync for each record", SHORT)
        .with(&[("commit", "each")]),
    threads("group", "16 threads that share a sync", SHORT),
    threads("durable", "16 threads that pause between records, and share a sync", LONG)
        .with(&[("think", "1ms")]),
    threads("behind", "the same, acknowledged before it is written", LONG)
        .with(&[("think", "1ms"), ("commit", "behind")]),
    Variant::new("crashes", "a durable store that crashes at random moments", crash::run)
        .simulated(COUNTED),
    Variant::new(
        "crashes-behind",
        "a write-behind store that crashes at random moments",
        crash::run,
    )
    .simulated(COUNTED)
    .with(&[("commit", "behind")]),
    Variant::new("power-cut", "a disk that loses power, and is mounted again", power_cut::run)
        .live(COUNTED)
        .with(&[("think", "1ms")]),
];

/// Threads that put records into one store.
const fn threads(name: &'static str, why: &'static str, spans: [u64; 3]) -> Variant {
    Variant::new(name, why, |ctx| quiet(ctx, store::run)).live(spans)
}

const TIME: Chart = Chart::Bars {
    title: "Where the time of a write goes",
    bars: &[bar("on a CPU", "ran"), bar("in a run queue", "queued"), bar("waiting", "blocked")],
};
const BYTES: Chart = Chart::Bars {
    title: "Physical bytes for each logical byte",
    bars: &[
        bar("owed to the disk by the program", "physical"),
        bar("written by the disk, for any program", "device"),
    ],
};
const PERCENTILES: Chart = Chart::Percentiles { title: "Time of a write", series: "write" };
const MODE: Chart = Chart::HeatMap {
    title: "Time of a write, where one in 200 is large",
    series: "write",
    variant: "outliers",
};
const PUT: Chart =
    Chart::Percentiles { title: "Time until a record is acknowledged", series: "put" };

const fn bar(name: &'static str, metric: &'static str) -> Bar {
    Bar { name, metric, source: None }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_check_can_fail() {
        lab_kit::check_lab(&super::LAB);
    }
}
