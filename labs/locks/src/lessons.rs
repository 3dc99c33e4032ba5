//! What a newcomer predicts, sees and takes away: a cache line, a convoy, a lock held asleep.

use lab_kit::{Answer, Evidence, Figures, Gap, How, Lesson};

use crate::claims::crowded;

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "RAL-8",
        how: How::Live,
        span: "100ms",
        setup: "Ten threads take a lock, count, and sleep for 20 ms. The guard of the lock lives to \
                the end of the function.",
        ask: "How long does it take until all are done, in sleeps?",
        answer: Answer::Count("sleeps"),
        hints: &["Who can count while another sleeps?", "The next one, when the guard is dropped."],
        figures: |e| {
            let knobs = e.settings_of("asleep");
            let held = if knobs.text("guard") == "kept" { knobs.int("sleepers") } else { 1 };
            Figures::against(e.metric("asleep", "held")?.value, held as f64)
        },
        because: "The lock is held asleep, so the sleeps follow each other.",
        away: "The guard is dropped before the sleep now. How many sleeps does it take?",
        so: "Hold no lock while you wait for anything: a disk, a reply, another lock.",
    },
    Lesson {
        claim: "RAL-7",
        how: How::Live,
        span: "500ms",
        setup: "One thread takes and leaves a mutex 100,000 times, and no other wants it. This \
                mutex has three states: free, held, and held with somebody who may wait.",
        ask: "How many calls of the kernel does it make each time?",
        answer: Answer::Count("calls"),
        hints: &["Whom would it wake?", "The third state says that there is nobody."],
        figures: |e| {
            let always = e.settings_of("mutex-2").text("lock") == "mutex-1";
            Figures::against(e.metric("mutex-2", "calls_alone")?.value, f64::from(u8::from(always)))
        },
        because: "Without contention, a mutex is two atomic operations in the program.",
        away: "The mutex has two states now, free and held, so it cannot know whether somebody \
               waits. How many calls each time?",
        so: "A lock is not slow. Waiting for it is.",
    },
    Lesson {
        claim: "CVY-2",
        how: How::Simulated,
        span: "20ms",
        setup: "Sixteen threads, each with a CPU, want a lock all the time. It is held for 2 µs and \
                granted in the order of asking. A thread that waited runs 5 µs after it is \
                granted the lock.",
        ask: "How often is it taken, of what one section of 2 µs after the other would allow?",
        answer: Answer::Share,
        hints: &["Each of them waits.", "What follows a section? And that?", "2 of 2 + 5 µs."],
        figures: convoy,
        because: "Each thread waits, so each grant pays a context switch while nobody uses the \
                  lock. As all of them come back before the line is empty, it never gets shorter.",
        away: "Who asks while the lock is free takes it now, and who was woken too late waits \
               again. How often is it taken?",
        so: "Fairness costs a switch for each section. Most mutexes let others pass, and hand over \
             in order only to who has waited for long.",
    },
];

fn convoy(e: &Evidence) -> Result<Figures, Gap> {
    let knobs = e.settings_of("in-order");
    let [section, switch] = ["section", "switch"].map(|knob| knobs.duration(knob).as_secs_f64());
    let in_order = knobs.text("lock") == "in-order";
    let predicted = in_order.then_some(section / (section + switch));
    Ok(Figures { measured: crowded(e, "in-order")?.value, predicted })
}
