//! The quiz: estimate first. An estimate within a factor of ten is good, one within three
//! excellent.

use lab_kit::{Answer, Evidence, Figures, Gap, How, Lesson};

use crate::claims::job;
use crate::printed::printed;

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "NM-3",
        how: How::Live,
        span: "250ms",
        setup: "A program reads lines of 64 bytes at random places of 128 MiB. It knows all places \
                before it reads the first. The table says 20 ns for a line. Then each place \
                follows from what the last line says.",
        ask: "How many times as long does a line take now?",
        answer: Answer::Times,
        hints: &[
            "While one line is on its way, may the next be asked for?",
            "A processor waits for about ten lines at a time, if it knows where they are.",
        ],
        figures: |e| Figures::measured(ratio(e, "memory", "dependent", "random")?),
        because: "Memory takes 100 ns and more to answer. The 20 ns of the table are many answers \
                  at a time: throughput, not latency.",
        away: "Both loops follow what they read now. How many times as long does a line take in the \
               second?",
        so: "A linked list and a tree pay the latency at each step, an array does not. Before you \
             estimate, ask which of them you have.",
    },
    Lesson {
        claim: "NM-7",
        how: How::Live,
        span: "250ms",
        setup: "Two threads on one CPU hand a byte to and fro through pipes. Each time one writes \
                and the other wakes up and reads. A system call takes a tenth to a half of a \
                microsecond.",
        ask: "How long does it take from one thread to the other?",
        answer: Answer::Time,
        hints: &["It is a write, a read, and a context switch.", "The table says 10 µs."],
        figures: |e| {
            let alone = e.settings_of("kernel").text("partner") == "none";
            Ok(Figures {
                measured: e.metric("kernel", "switch")?.value,
                predicted: (!alone).then(|| printed("switch")),
            })
        },
        because: "The scheduler picks the other thread, and the processor gets its registers and \
                  its stack. What the caches lose is paid later, by who runs next.",
        away: "One thread hands the byte to itself now: a write and a read, and nobody wakes up. How \
               long does it take?",
        so: "A switch is many system calls, and thousands of additions. A thread for each small \
             piece of work costs more than the work.",
    },
    Lesson {
        claim: "NM-14",
        how: How::Live,
        span: "250ms",
        setup: "A program writes 8 KiB to a file, which takes some 2 µs, and then waits until they \
                are on the disk (fdatasync).",
        ask: "How long does it take, the wait included?",
        answer: Answer::Time,
        hints: &[
            "The disk has to say that it has the bytes.",
            "The table says 300 µs, for a good SSD.",
        ],
        figures: |e| {
            let synced = e.settings_of("disk").text("sync") == "yes";
            Ok(Figures {
                measured: e.metric("disk", "write_synced")?.value,
                predicted: synced.then(|| printed("write_synced")),
            })
        },
        because: "A write is a copy to the page cache. To be durable it goes to the disk and waits \
                  for its answer.",
        away: "Nothing is synced now. How long does a write of 8 KiB take?",
        so: "Of a durable write everything else is beside the wait. How many share one is what \
             decides.",
    },
    Lesson {
        claim: "NM-21",
        how: How::Live,
        span: "250ms",
        setup: "A job reads 8 KiB at a random place of a disk, takes their SHA-256, and writes them \
                to a log, synced. The table has a random read of 8 KiB, hashing at 1 GiB/s, and a \
                synced write of 8 KiB.",
        ask: "How long does a job take?",
        answer: Answer::Time,
        hints: &[
            "Exponents first: which of the three is the largest?",
            "100 µs for the read, 8 µs for the hash, 300 µs for the write.",
        ],
        figures: |e| {
            let knobs = e.settings_of("disk");
            let whole = knobs.text("sync") == "yes" && knobs.text("cold") == "yes";
            let (took, estimate) = job(e)?;
            Ok(Figures { measured: took.value, predicted: whole.then_some(estimate) })
        },
        because: "The sum is its largest term, and a little. An estimate that is within a factor of \
                  ten tells a design that works from one that cannot.",
        away: "The read finds its block in the page cache, and the write is not synced now. How long \
               does a job take?",
        so: "At most six assumptions, units kept, exponents first. If the answer is off by more than \
             ten, a term is missing: look for it.",
    },
];

fn ratio(e: &Evidence, variant: &str, above: &str, below: &str) -> Result<f64, Gap> {
    Ok(e.metric(variant, above)?.over(&e.metric(variant, below)?).value)
}
