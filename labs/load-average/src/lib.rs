//! What does the load average count?
//!
//! `average` is the kernel's arithmetic. In a `live` trial, `tasks` spin or sleep uninterruptibly
//! while the kernel's `updates` are watched; `excess` is what they add to the average. `simulated`
//! does the same in no time.

mod average;
mod claims;
mod excess;
mod lessons;
mod live;
mod simulated;
mod tasks;
mod updates;

use lab_kit::{Chart, Knob, Lab, Variant};

/// The lab.
pub const LAB: Lab = Lab {
    name: "load-average",
    question: "What does the load average count?",
    sources: &[&claims::MYSTERY, &claims::BOOK],
    knobs: KNOBS,
    variants: VARIANTS,
    claims: claims::CLAIMS,
    charts: &[ONE_THREAD, COUNTED, MADE_OF, AVERAGES],
    story: claims::STORY,
    lessons: lessons::LESSONS,
    verbs: &[],
};

const KNOBS: &[Knob] = &[
    Knob::int("spinners", 1, "", [0, 256], "threads that want a CPU all the time"),
    Knob::choice("spinners-do", &["spin", "sleep"], "whether they spin, or sleep"),
    Knob::int("blocked", 3, "", [0, 256], "threads that wait all the time"),
    Knob::choice(
        "blocked-in",
        &["vfork", "sleep"],
        "where they wait: for a child of vfork, or in a sleep that can be interrupted",
    ),
    Knob::choice(
        "account",
        &["all", "cpu"],
        "what counts as load: time on CPUs and in uninterruptible sleep, or on CPUs only",
    ),
    Knob::duration(
        "interval",
        "5s",
        ["100ms", "60s"],
        "time between updates, for which the constants are computed",
    ),
    Knob::choice(
        "rounding",
        &["kernel", "down"],
        "whether averages that do not fall are rounded up, or all are rounded down",
    ),
    Knob::choice(
        "damping",
        &["exponential", "window"],
        "whether an average forgets exponentially, or after its minutes at once",
    ),
    Knob::int("hz", 250, "", [100, 1_000], "ticks of the kernel's timer in a second"),
    Knob::int("extra-ticks", 1, "", [0, 100], "ticks that an update comes later than after 5 s"),
    Knob::duration("busy", "15m", ["0s", "1h"], "simulated time for which the tasks run"),
    Knob::float("queued", 2.0, "", [0.0, 1_000.0], "threads that wait for a CPU in SP-1"),
];

/// A live trial lasts until as many updates were seen as its span has, and one at least.
const ONE_UPDATE: u64 = 4_900;

const VARIANTS: &[Variant] = &[
    Variant::new("spinner", "a thread that spins on a machine that was idle, for a minute", {
        |ctx| if ctx.is_live() { live::from_an_update(ctx) } else { simulated::spinner(ctx) }
    })
    .with(&[("blocked", "0")])
    .live([ONE_UPDATE, 61_000, 121_000])
    .simulated([60_000, 60_000, 120_000]),
    Variant::new(
        "parts",
        "a thread that spins, and three that sleep uninterruptibly",
        live::from_now,
    )
    .live([ONE_UPDATE, 20_100, 61_000]),
    Variant::new("rise-and-fall", "a quarter of an hour of load, and then none", {
        simulated::rise_and_fall
    })
    .simulated([7_200_000; 3]),
];

const ONE_THREAD: Chart = Chart::Lines {
    title: "What a thread that spins adds to the 1-minute average",
    curves: &[excess::EXCESS, excess::FIXED_POINT, excess::EXPONENTIAL, excess::WINDOW],
};
const COUNTED: Chart =
    Chart::Gauge { title: "How many tasks each update counted", gauge: live::COUNTED };
const MADE_OF: Chart = Chart::Stacked {
    title: "What the 1-minute average is made of",
    gauges: &live::PARTS,
    variant: "parts",
};
const AVERAGES: Chart = Chart::Lines {
    title: "The three averages, when load comes and goes",
    curves: &simulated::AVERAGES,
};

#[cfg(test)]
mod tests {
    #[test]
    fn every_check_can_fail() {
        lab_kit::check_lab(&super::LAB);
    }
}
