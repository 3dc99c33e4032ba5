//! Where does a thread's time go when it is not running?
//!
//! Each variant runs threads of the lab's own, which keep a `diary` of their time: what the kernel
//! says they ran and waited for a CPU, and what they add up themselves of being blocked. `replay`
//! is what an off-CPU probe does with context switches; `synthetic` compares it with a simulated
//! machine and `migrating` with a real one. `handoff` finds who woke whom, `blocked` looks at a
//! thread while it cannot run.

mod blocked;
mod claims;
mod crowded;
mod diary;
mod drawing;
mod handoff;
mod lessons;
mod machine;
mod migrating;
mod ping_pong;
mod pool;
mod probed;
mod replay;
mod sleeper;
mod sources;
mod stack;
mod states;
mod story;
mod synthetic;

use lab_kit::{Knob, Lab, Variant};

/// The lab.
pub const LAB: Lab = Lab {
    name: "off-cpu",
    question: "Where does a thread's time go when it is not running?",
    sources: &[
        &sources::OFF_CPU,
        &sources::OFF_CPU_FLAME_GRAPHS,
        &sources::HOT_COLD,
        &sources::TSA,
        &sources::PERF_LABS,
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
    Knob::duration(
        "unseen",
        "0s",
        ["0s", "1s"],
        "a sleep in each round that the lab's own account leaves out",
    ),
    Knob::float(
        "spin",
        0.01,
        "ratio",
        [0.0, 10.0],
        "time that the sleeper spins, in times the time it sleeps",
    ),
    Knob::choice("accept", &["blocking", "polling"], "how the listener waits"),
    Knob::int("blocks", 40, "", [1, 10_000], "number of blocks whose stack is read twice"),
    Knob::choice(
        "look",
        &["within", "across"],
        "two stacks of one block, or of a block and the next",
    ),
    Knob::int("moves", 1_000, "", [2, 100_000], "how often a thread is moved to the other CPU"),
    Knob::choice("key", &["thread", "cpu"], "key of the replayer's map of start times"),
    Knob::choice("filter", &["on", "off"], "whether the replay counts only threads that block"),
    Knob::int("workers", 8, "", [1, 256], "threads that wait for work"),
    Knob::choice("wake", &["notify", "polling"], "whether waiting threads are notified, or poll"),
    Knob::int("spinners", 3, "", [0, 64], "threads that compete for the sleeper's CPU"),
    Knob::choice("give-up", &["preempted", "sleep"], "how spinners leave the CPU"),
    Knob::float(
        "tar-system",
        11.627,
        "s",
        [0.0, 50.0],
        "system time of the tar command in the published example",
    ),
    Knob::choice("hot", &["drawn", "left-out"], "whether the hot/cold graph shows time on CPU"),
    Knob::choice("palette", &["off-cpu", "cpu"], "palette of the off-CPU graph"),
    Knob::choice("record", &["switches", "nothing"], "what the recorder of the ping-pong records"),
];

const VARIANTS: &[Variant] = &[
    Variant::new(
        "thread-states",
        "threads that each stay in one state most of the time",
        states::run,
    )
    .live([1_500, 5_000, 20_000]),
    Variant::new(
        "sleeper",
        "a thread that sleeps a second, then spins a hundredth of one",
        sleeper::sleeper,
    )
    .live([1_500, 6_000, 30_000])
    .probed(&["offcputime"]),
    Variant::new("accept", "a listener whose connection never comes", sleeper::accept)
        .live([500, 2_000, 10_000]),
    Variant::new("blocked-stack", "a blocked thread whose stack is read twice", blocked::run)
        .live([1_000, 2_000, 10_000]),
    Variant::new("migrating", "a thread that is moved to and fro between two CPUs", migrating::run)
        .live([2_000, 4_000, 10_000])
        .probed(&["offcputime"]),
    Variant::new("crowded", "a sleeper on a CPU that others compete for", crowded::run)
        .live([1_500, 4_000, 20_000]),
    Variant::new("idle-pool", "eight workers with few requests", pool::run)
        .live([1_000, 3_000, 20_000]),
    Variant::new("handoff", "a client that waits for a server that waits for a disk", handoff::run)
        .live([1_000, 3_000, 20_000])
        .probed(&["offwaketime"]),
    Variant::new(
        "ping-pong",
        "two threads that switch as fast as they can, recorded or not",
        ping_pong::run,
    )
    .live([1_000, 4_000, 20_000]),
    Variant::new("synthetic", "a simulated machine, whose wait times are known", synthetic::run)
        .simulated(synthetic::SPANS),
];

#[cfg(test)]
mod tests;
