//! What a newcomer predicts, sees and takes away: what looking now and then misses.

use lab_kit::{Answer, Evidence, Figures, Gap, How, Lesson};

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "BPF-4",
        how: How::Live,
        span: "1s",
        setup: "A build starts 100 programs that each live for a millisecond or so. Somebody looks \
                at the list of processes once a second, as `top` does.",
        ask: "What share of the programs does the one who looks see?",
        answer: Answer::Share,
        hints: &[
            "A program is seen if it lives when somebody looks.",
            "All of the programs together live for a tenth of a second, one after the other.",
        ],
        figures: seen_by_polling,
        because: "Programs that end between two looks were never there. They may be all that a \
                  machine is busy with. A tracepoint at the start of each program misses none: \
                  `cargo xtask probe execsnoop`.",
        away: "Each program sleeps for 2 s before it ends. What share is seen?",
        so: "Looking now and then finds what lasts. Events find what happens.",
    },
    Lesson {
        claim: "MEM-3",
        how: How::Live,
        span: "1s",
        setup: "A program asks for 64 MiB of memory and writes to each page of it, for the first \
                time. A page has 4 KiB.",
        ask: "How many page faults does it make?",
        answer: Answer::Count("page faults"),
        hints: &[
            "The kernel gives memory when it is touched, not when it is asked for.",
            "64 MiB are 16 × 1,024 × 4 KiB.",
        ],
        figures: first_faults,
        because: "Memory that was asked for is a promise. Each page comes with a fault at its \
                  first touch, and the program that touches it pays for that.",
        away: "The kernel has touched all of the memory before (MAP_POPULATE). How many faults are \
               there?",
        so: "Page faults show where memory grows: not who asks for it, but who uses it first.",
    },
    Lesson {
        claim: "BPF-8",
        how: How::Live,
        span: "1s",
        setup: "A file of 16 MiB is read 200 times over. Its pages stay in the kernel's page cache \
                after they were read from the disk.",
        ask: "What share of all page reads does the disk never hear of?",
        answer: Answer::Share,
        hints: &[
            "Only the first pass finds the cache empty.",
            "199 of 200 passes come from memory.",
        ],
        figures: hits,
        because: "A warm cache hides the disk. A benchmark that reads one file again and again \
                  measures memory.",
        away: "The cache drops the file before each pass. What share does the disk never hear of?",
        so: "Ask of a figure for reads which of the two it is. cachestat tells: `cargo xtask probe \
             cachestat`.",
    },
];

fn seen_by_polling(e: &Evidence) -> Result<Figures, Gap> {
    Figures::measured(e.metric("short-lived", "seen_by_polling")?.value)
}

fn first_faults(e: &Evidence) -> Result<Figures, Gap> {
    let fresh = e.settings_of("first-touch").text("memory") == "fresh";
    let pages = e.metric("first-touch", "pages")?.value;
    let predicted = if fresh { pages } else { 0.0 };
    Figures::against(e.metric("first-touch", "faults")?.value, predicted)
}

fn hits(e: &Evidence) -> Result<Figures, Gap> {
    let knobs = e.settings_of("warm-file");
    let passes = knobs.int("passes") as f64;
    let predicted = if knobs.text("forget") == "never" { 1.0 - 1.0 / passes } else { 0.0 };
    Figures::against(e.metric("warm-file", "hits")?.value, predicted)
}
