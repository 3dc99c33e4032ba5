//! What a newcomer predicts, sees and takes away: what stands at the head of a line.

use lab_kit::{Answer, Evidence, Figure, Figures, Gap, How, Lesson};

use crate::charts::BY_DEPTH;
use crate::device;
use crate::server::small_mean;

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "PRI-1",
        how: How::Simulated,
        span: "4000s",
        setup: "A server is busy with requests of 1 ms for 30 % of its time, and with requests of 100 ms for \
                20 %. In order of arrival a small one takes 21.3 ms on average. Now all small ones go before \
                all large ones, but what runs is not interrupted.",
        ask: "How long does a small request take on average?",
        answer: Answer::Time,
        hints: &[
            "In one of five cases a large request runs. On average half of it is left.",
            "That is 10 ms for all on average, and the small ones that gather meanwhile wait as well.",
        ],
        figures: |e| {
            let predicted = small_mean(&e.settings_of("first"));
            Figures::against(e.metric("first", "small_mean")?.value, predicted)
        },
        because: "What is left of whatever runs is 10.15 ms on average, and while it lasts other small ones \
                  come: 10.15 / (1 - 0.3) is 14.5, and 1 ms of work.",
        away: "They wait in order of arrival again. How long does a small request take?",
        so: "A priority decides who starts next. It does nothing about who has started.",
    },
    Lesson {
        claim: "TAS-29",
        how: How::Simulated,
        span: "1000s",
        setup: "Nobody goes first, but the server works on each request for a tenth of a millisecond and puts \
                it back at the end of the queue.",
        ask: "How many times as long is the p99 of small requests without slices?",
        answer: Answer::Times,
        hints: &[
            "Without slices the p99 waits for more than one large request.",
            "With slices a small one shares the server with one or two others, as a rule.",
        ],
        figures: |e| {
            Figures::measured(e.ratio(("whole", "small", 0.99), ("sliced", "small", 0.99))?.value)
        },
        because: "With slices a small request takes as much longer as others are there, whatever their size. \
                  Without it waits for all of their work.",
        away: "A slice is as long as the request. How many times as long is the p99 now?",
        so: "Cut what is large. It is the size of what cannot be interrupted that the small ones wait for.",
    },
    Lesson {
        claim: "TAS-30",
        how: How::Simulated,
        span: "10000s",
        setup: "A disk always has 32 batch requests of 10 ms in a queue of its own. Above it interactive \
                requests of 1 ms go before all batch requests.",
        ask: "What is the p99 of the interactive requests?",
        answer: Answer::Time,
        hints: &[
            "The priority decides who goes to the disk next, not what the disk does next.",
            "When it gets there, 31 are before it, and it waited for nearly all of another one.",
        ],
        figures: |e| {
            let last = deepest(e)?;
            let predicted = device::p99(&e.settings_of("depths"), 32);
            Figures::against(last.value, predicted)
        },
        because: "It waits for a place, which takes up to 10 ms, and then for the 31 that the disk has: \
                  31.99 times 10 ms, and 1 ms of work.",
        away: "Above the disk it is first come, first served, of 64 batch requests in all. What is the p99?",
        so: "A queue below the one with the priorities undoes them. Keep it short.",
    },
];

/// The interactive p99 at the largest depth.
fn deepest(e: &Evidence) -> Result<Figure, Gap> {
    let points = e.curve("depths", BY_DEPTH)?;
    let last = points.last().ok_or_else(|| Gap::Unavailable("no depth was tried".into()))?;
    Ok(last.1.clone())
}
