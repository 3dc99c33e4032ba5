//! What a newcomer predicts, sees and takes away: page faults of a heap, huge pages, and a leak.

use lab_kit::{Answer, Evidence, Figures, Gap, How, Lesson};

use crate::leak::{ANSWERED, REMEMBERED};

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "MEM-4",
        how: How::Live,
        span: "500ms",
        setup: "A heap of 32 MiB is filled with blocks of 240 bytes, all of them are freed, and it \
                is filled again. The first time took about 9,500 page faults.",
        ask: "How many page faults does it take the second time?",
        answer: Answer::Count("page faults"),
        hints: &[
            "Who has the freed memory: the program, or the kernel?",
            "The allocator keeps freed blocks for the next request, and their pages stay where \
             they are.",
        ],
        figures: faults_again,
        because: "Freed blocks stay with the program. The kernel is not asked again, and the pages \
                  are there already.",
        away: "The heap is one block of 32 MiB now, filled, freed and filled again. How many page \
               faults?",
        so: "Page faults show growth, not use: a program that allocates all the time may have \
             none. A very large block is mapped and unmapped each time, and pays each time.",
    },
    Lesson {
        claim: "MEM-3",
        how: How::Live,
        span: "100ms",
        setup: "64 MiB are mapped with the wish for huge pages, of 2 MiB each, and each byte is \
                touched for the first time.",
        ask: "How many page faults does that take?",
        answer: Answer::Count("page faults"),
        hints: &["One page fault brings one page.", "64 MiB divided by 2 MiB."],
        figures: huge_faults,
        because: "Each first touch of a page is a fault, and a huge page is 512 small ones in one.",
        away: "The pages are of 4 KiB now. How many page faults?",
        so: "Huge pages make first touches rarer by a factor of 512, and each costs more: 2 MiB \
             are zeroed.",
    },
    Lesson {
        claim: "MEM-5",
        how: How::Live,
        span: "100ms",
        setup: "A server answers 1,000 requests. For each it parses 64 KiB, which it frees, and \
                remembers 96 bytes, which it does not.",
        ask: "How many bytes below `remember` live at the end?",
        answer: Answer::Count("bytes"),
        hints: &["What is freed does not live.", "1,000 times 96."],
        figures: leaked,
        because: "What was asked for and not freed is the leak. The graph of live bytes has it by \
                  stack, and leaves out the 65 million bytes that were parsed and freed.",
        away: "The server frees what it remembers now. How many bytes live?",
        so: "Look for a leak among the bytes that live, not among those that are asked for most.",
    },
];

fn faults_again(e: &Evidence) -> Result<Figures, Gap> {
    let block = e.settings_of("heap").int("block");
    // Larger than any that the C library keeps (mallopt(3)): it is mapped each time.
    let mapped = block >= 32 << 20;
    let predicted = if mapped { e.metric("heap", "faults")?.value } else { 0.0 };
    Figures::against(e.metric("heap", "faults_again")?.value, predicted)
}

fn huge_faults(e: &Evidence) -> Result<Figures, Gap> {
    let settings = e.settings_of("huge-pages");
    let small = if settings.text("pages") == "huge" { 1.0 } else { 512.0 };
    let predicted = e.metric("huge-pages", "huge_pages")?.value * small;
    Figures::against(e.metric("huge-pages", "faults")?.value, predicted)
}

fn leaked(e: &Evidence) -> Result<Figures, Gap> {
    let leaks = e.settings_of("leak").text("leak") == "yes";
    let predicted = if leaks { ANSWERED * REMEMBERED } else { 0 };
    Figures::against(e.metric("leak", "remembered")?.value, predicted as f64)
}
