//! What a newcomer predicts, sees and takes away: what changed, and what only seems to have.

use lab_kit::{Answer, Evidence, Figures, Gap, How, Lesson};

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "DFG-5",
        how: How::Live,
        span: "3s",
        setup: "One build of a service is profiled twice: at full load, and at half of it. Nothing \
                else differs. In a differential flame graph, blue frames have lost samples and red \
                ones have gained.",
        ask: "What share of the graph is blue?",
        answer: Answer::Share,
        hints: &[
            "Half the load is half the samples, in each function.",
            "Each frame has lost half of what it had.",
        ],
        figures: blue,
        because: "All of it has lost half of its samples, and nothing has changed: the graph shows \
                  the load. Normalised to the same total, it is all but white.",
        away: "Both profiles are of full load now. What share of the graph is blue?",
        so: "Some functions have a few samples less and others more: this graph leaves white what \
             chance explains, and other tools paint it. Normalise before you compare, and ask of \
             each colour whether it is more than chance.",
    },
    Lesson {
        claim: "CPI-2",
        how: How::Live,
        span: "1s",
        setup: "Two functions: one computes, the other follows pointers through 32 MiB, each step \
                to a place that the step before tells. A step of each is a few instructions.",
        ask: "How many times longer is a step that follows a pointer?",
        answer: Answer::Times,
        hints: &[
            "32 MiB do not fit into the caches of a core.",
            "An instruction takes a fraction of a nanosecond, and a memory access tens of them.",
        ],
        figures: cost_of_a_wait,
        because: "The CPU is busy in both, and a flame graph paints both alike. One of them waits \
                  for memory in nearly all of its cycles: that is what cycles per instruction \
                  show.",
        away: "The pointers lead through 16 KiB now, which fit into the first cache. How many \
               times longer is a step?",
        so: "The same instructions, from a cache: on-CPU time has two very different kinds of \
             busy.",
    },
    Lesson {
        claim: "DFG-11",
        how: How::Live,
        span: "10s",
        setup: "Twenty functions share the work. A new build does 5 % of all work more, in one of \
                them. Both builds are profiled by turns, for 10 s.",
        ask: "Can its growth be told from chance?",
        answer: Answer::Choice(
            "standard errors",
            &[
                ("yes, beyond doubt: by more than 4 standard errors", 4.0, 1e6),
                ("no: samples of twenty functions vary as much", -1e6, 4.0),
            ],
        ),
        hints: &[
            "Each function had 5 % of the samples. The slower one has about 10 % now.",
            "Of some 3,000 samples 150 vary by about √150 = 12.",
        ],
        figures: growth_of_slower,
        because: "A function that was 5 % of the work has doubled, while the others vary by a \
                  tenth of themselves. The differential paints one tower red, and it is the right \
                  one.",
        away: "The new build is the same as the old one. Can the function's growth be told from \
               chance?",
        so: "Some function is always first in a list by growth. How far beyond chance it is, tells \
             whether to believe it.",
    },
];

fn blue(e: &Evidence) -> Result<Figures, Gap> {
    let halved = e.settings_of("half-load").float("load") < 1.0;
    let measured = e.metric("half-load", "blue_as_it_stands")?.value;
    // What moves when both sides count the same is not the load's.
    if e.metric("half-load", "moved_normalised")?.value > 0.05 {
        return Err(Gap::Invalid("half-load: the machine disturbed one side".into()));
    }
    if halved { Figures::against(measured, 1.0) } else { Figures::measured(measured) }
}

fn cost_of_a_wait(e: &Evidence) -> Result<Figures, Gap> {
    Figures::measured(e.metric("work-per-sample", "cost_of_a_wait")?.value)
}

fn growth_of_slower(e: &Evidence) -> Result<Figures, Gap> {
    Figures::measured(e.metric("one-slower", "growth_of_slower")?.value)
}
