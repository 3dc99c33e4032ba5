//! What does contention cost?
//!
//! Threads contend for a cache line (`cells`), for a lock (`contention`, with the locks of `lock`,
//! and `model` in simulated time), for a lock whose holder sleeps, and for being woken (`waiting`).
//! `cargo bench -p locks` times operations without contention one by one.

pub mod cells;
mod claims;
mod contention;
mod lessons;
pub mod lock;
mod model;
mod waiting;

use lab_kit::cpus::nearly_alone;
use lab_kit::{Bar, Chart, Ctx, Knob, Lab, Variant};

/// The lab.
pub const LAB: Lab = Lab {
    name: "locks",
    question: "What does contention cost?",
    sources: &[&claims::ATOMICS, &claims::CONVOY],
    knobs: KNOBS,
    variants: VARIANTS,
    claims: claims::CLAIMS,
    charts: &[TAKEN, DISTANCES, OPERATIONS, WAKES],
    story: claims::STORY,
    lessons: lessons::LESSONS,
    verbs: &[],
};

const KNOBS: &[Knob] = &[
    Knob::choice("load", &["relaxed", "add-zero"], "operation that RAL-1 times as a relaxed load"),
    Knob::choice("strongest", &["seqcst", "release"], "memory order of the SeqCst store of RAL-9"),
    Knob::choice("quiet", &["loads", "stores"], "operation of the second thread of RAL-2"),
    Knob::int("distance", 0, "B", [0, 504], "bytes between what two threads use"),
    Knob::choice(
        "neighbours",
        &["close", "padded"],
        "whether the variables of RAL-5 are padded to lines of their own",
    ),
    Knob::choice("lock", &lock::KINDS, "kind of the lock"),
    Knob::choice("locks", &["one", "own"], "whether threads share a lock or have one each"),
    Knob::int("cpus", 2, "", [1, 64], "CPUs of the threads that take a lock"),
    Knob::duration("section", "2us", ["100ns", "1ms"], "length of a critical section"),
    Knob::duration(
        "outside",
        "500ns",
        ["0ns", "1ms"],
        "time from one critical section to the next",
    ),
    Knob::duration("switch", "5us", ["0ns", "1ms"], "simulated time from a wake to its thread"),
    Knob::choice("guard", &["kept", "dropped"], "whether a thread sleeps with the lock held"),
    Knob::int("sleepers", 10, "", [1, 100], "threads that sleep"),
    Knob::duration("sleep", "20ms", ["1ms", "1s"], "time that each of them sleeps"),
    Knob::choice(
        "waiter",
        &["condvar", "park", "spinning"],
        "way in which a thread waits to be woken",
    ),
];

const VARIANTS: &[Variant] = &[
    Variant::new("orders", "loads and stores of each memory order, by one thread", |ctx| {
        quiet(ctx, cells::orders)
    })
    .live([200, 1_000, 5_000]),
    Variant::new("beside", "loads beside a second thread that uses the same line", |ctx| {
        quiet(ctx, cells::beside)
    })
    .live([300, 2_000, 10_000]),
    Variant::new("distances", "two threads whose variables are 8 to 256 bytes apart", |ctx| {
        quiet(ctx, cells::distances)
    })
    .live([700, 3_000, 10_000]),
    taken("spin", "a lock that spins until it is free").with(&[("lock", "spin")]),
    taken("mutex-1", "a mutex of two states, which wakes at each unlock")
        .with(&[("lock", "mutex-1")]),
    taken("mutex-2", "a mutex of three states, which wakes if a thread waits")
        .simulated([20, 100, 200]),
    taken("mutex-3", "a mutex of three states that looks 100 times before it waits")
        .with(&[("lock", "mutex-3")]),
    taken("in-order", "a lock that is granted in the order of asking")
        .with(&[("lock", "in-order")])
        .simulated([20, 100, 200]),
    Variant::new("asleep", "threads that sleep with a lock held, and without", waiting::asleep)
        .live([100; 3]),
    woken("condvar", "a thread that waits for a condition variable"),
    woken("park", "a thread that is parked").with(&[("waiter", "park")]),
    woken("spinning", "a thread that spins").with(&[("waiter", "spinning")]),
];

const fn taken(name: &'static str, why: &'static str) -> Variant {
    Variant::new(name, why, |ctx| quiet(ctx, contention::run)).live([500, 3_000, 10_000])
}

const fn woken(name: &'static str, why: &'static str) -> Variant {
    Variant::new(name, why, |ctx| quiet(ctx, waiting::woken)).live([200, 1_000, 5_000])
}

fn quiet(ctx: &mut Ctx, run: fn(&mut Ctx) -> anyhow::Result<()>) -> anyhow::Result<()> {
    nearly_alone(ctx, 0.2, run)
}

const TAKEN: Chart = Chart::Lines {
    title: "How often a lock is taken, by the threads that want it",
    curves: &[model::TAKEN],
};
const DISTANCES: Chart = Chart::Lines {
    title: "Two threads, by the bytes between what they use",
    curves: &[cells::BESIDE_STORES, cells::BESIDE_ADDITIONS],
};
const OPERATIONS: Chart = Chart::Bars { title: "The time of an operation", bars: BARS };
const WAKES: Chart =
    Chart::Ecdf { title: "From a call to the thread that it wakes", series: "wake" };

const BARS: &[Bar] = &[
    Bar { name: "relaxed load", metric: "relaxed_load", source: Some(0.3) },
    Bar { name: "acquire load", metric: "acquire_load", source: None },
    Bar { name: "relaxed store", metric: "relaxed_store", source: None },
    Bar { name: "release store", metric: "release_store", source: None },
    Bar { name: "SeqCst store", metric: "seqcst_store", source: None },
    Bar { name: "addition", metric: "addition", source: None },
    Bar { name: "failing compare_exchange", metric: "failing_exchange", source: None },
    Bar { name: "lock and unlock", metric: "pair", source: None },
];

#[cfg(test)]
mod tests {
    #[test]
    fn every_check_can_fail() {
        lab_kit::check_lab(&super::LAB);
    }
}
