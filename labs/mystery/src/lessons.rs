//! What a newcomer learns on the example, before the black boxes.

use lab_kit::{Answer, Evidence, Figures, Gap, How, Lesson};

use crate::account::{lit, noted};
use crate::example::TOWER;

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "MTH-2",
        how: How::Live,
        span: "2s",
        setup: "The example is a program of one thread that answers look-ups, as many as it can. \
                You look at the four resources first: utilisation, saturation, errors.",
        ask: "How many CPUs does it keep busy?",
        answer: Answer::Count("CPUs"),
        hints: &["It never waits for anything.", "A thread runs on one CPU at a time."],
        figures: cpus_in_use,
        because: "One thread that never waits keeps one CPU busy. In the mean over all CPUs that \
                  may be little: so the busiest CPU has a figure of its own in the USE table, and \
                  it stands out.",
        away: "The example rests now after each look-up, ten times as long. How many CPUs does it \
               keep busy?",
        so: "A cell of the table says where to look on, not what is wrong. Next come the functions.",
    },
    Lesson {
        claim: "LAB-1",
        how: How::Live,
        span: "2s",
        setup: "The same program. A timer interrupts its thread a thousand times a second, and \
                notes the functions that it is in. `serve` calls `look_up`, and that calls \
                `compare`, again and again.",
        ask: "In what share of the samples are all three?",
        answer: Answer::Share,
        hints: &["The thread is always in one of them.", "Which of them computes?"],
        figures: in_the_tower,
        because: "Nearly all of its time is in `compare`, below the other two: one tower in the \
                  flame graph, as wide as the whole.",
        away: "It rests ten times as long as it looks up. In what share of the samples are all \
               three now?",
        so: "Resource, function, and a number that fits both: such an answer is right for the right \
             reason. The nine boxes ask for all three.",
    },
];

fn cpus_in_use(e: &Evidence) -> Result<Figures, Gap> {
    lit(e, "example")?;
    let ran = e.metric("example", "utime")?.value + e.metric("example", "stime")?.value;
    Figures::against(ran / e.metric("example", "wall")?.value, predicted(e))
}

fn in_the_tower(e: &Evidence) -> Result<Figures, Gap> {
    Figures::against(noted(e, "example", TOWER)?, predicted(e))
}

/// It runs all the time; resting ten times as long as it runs, for 1 of 11 parts of it.
fn predicted(e: &Evidence) -> f64 {
    if e.settings().text("problem") == crate::KEPT { 1.0 } else { 1.0 / 11.0 }
}
