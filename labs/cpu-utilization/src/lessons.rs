//! What a newcomer predicts, sees and takes away: stalls, bursts, a split, and the price of looking.

use lab_kit::{Answer, Figures, How, Lesson};

use crate::claims::times_the_work;

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "CPU-1",
        how: How::Live,
        span: "1s",
        setup: "Two loops run for a second each, and top shows 100 % for both. A step of the first \
                is four multiplications. A step of the second reads which line of 256 MiB to read \
                next.",
        ask: "How many steps does the first do, for one of the second?",
        answer: Answer::Times,
        hints: &[
            "Four multiplications take four cycles, or one to two nanoseconds.",
            "No cache has 256 MiB, and a line of memory is away for 100 ns and more.",
        ],
        figures: |e| Figures::measured(times_the_work(e)?.value),
        because: "The second loop waits for memory nearly all of its time. The kernel cannot see \
                  that: the thread is on the CPU, so the CPU is busy.",
        away: "The lines are those of 16 KiB now, which the nearest cache has. The instructions are \
               the same. How many steps for one?",
        so: "Busy is not the same as working. Before you buy faster CPUs, find out what the busy \
             ones wait for.",
    },
    Lesson {
        claim: "CPU-5",
        how: How::Live,
        span: "3s",
        setup: "A thread works for 100 ms at the beginning of each second, and sleeps for the rest. \
                A monitor shows 10 %.",
        ask: "How busy is it in the busiest tenth of a second?",
        answer: Answer::Share,
        hints: &["A tenth of a second is 100 ms.", "It does not stop before its work is done."],
        figures: |e| {
            let knobs = e.settings_of("bursts");
            let work = knobs.duration("burst").as_secs_f64();
            let predicted =
                if knobs.text("bursts") == "one" { (10.0 * work).min(1.0) } else { work };
            Figures::against(e.metric("bursts", "busiest")?.value, predicted)
        },
        because: "At any moment a CPU runs something or it does not. 10 % is the average of 100 % \
                  and 0 %, over a time that the monitor chose.",
        away: "The same work comes in ten bursts of 10 ms now, at equal distances. How busy is the \
               busiest tenth of a second?",
        so: "A request that meets the burst waits for all of it, at 10 %. Look at intervals as short \
             as the response time that you promise.",
    },
    Lesson {
        claim: "CPU-3",
        how: How::Live,
        span: "1s",
        setup: "You calibrate a machine without counters. A loop that only computes takes less than \
                2 ns for a step, one that only waits for memory takes 200 ns or so. Others are to be \
                told apart by the time of a step.",
        ask: "Up to which time of a step do you call a loop CPU bound?",
        answer: Answer::Time,
        hints: &[
            "Halfway between them, by their mean, are 100 ns. Is what takes 90 like the first?",
            "Halfway by factors: as many times the one as the other is times it.",
        ],
        figures: |e| Figures::measured(e.metric("calibration", "midpoint")?.value),
        because: "The two differ by a factor, so halfway is the square root of their product. Loops \
                  that hash and branch lie well below it, look-ups in a large table well above.",
        away: "All loops find their lines in the nearest cache now. Where is the split?",
        so: "A split of others holds on machines of others. Measure both ends on your own, and \
             check that they are far apart.",
    },
    Lesson {
        claim: "PMC-4",
        how: How::Live,
        span: "3s",
        setup: "The kernel stops a thread that computes 99 times in a second, notes its stack, and \
                lets it go on.",
        ask: "What share of its speed does it cost?",
        answer: Answer::Share,
        hints: &["A sample takes some microseconds.", "99 of them are less than a millisecond."],
        figures: |e| Figures::measured(e.metric("sampling", "at_rate")?.value),
        because: "The cost is that of a sample, times their number. At 99 in a second you can leave \
                  it on; what is counted and not sampled costs less still.",
        away: "It takes 9,999 samples in a second now. What share of its speed does it cost?",
        so: "The rate decides the cost. More samples tell rare stacks, and slow what you look at.",
    },
];
