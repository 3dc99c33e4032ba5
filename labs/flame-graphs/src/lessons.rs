//! What a newcomer predicts, sees and takes away: what samples say, and when they mislead.

use lab_kit::{Answer, Evidence, Figures, Gap, How, Lesson};

use crate::lock_step;

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "FG-12",
        how: How::Live,
        span: "2s",
        setup: "Two functions under one caller: func_e works five times as much as func_c, and \
                nothing else runs. Samples of the stack are taken 997 times a second.",
        ask: "How wide is func_c in the flame graph, of all samples?",
        answer: Answer::Share,
        hints: &["One part is func_c, and five parts are func_e.", "Of six parts, one."],
        figures: width_of_c,
        because: "A frame's width is its share of the samples, and that is its share of the time: \
                  one part of six. Where on the x axis it stands means nothing; the axis is no \
                  time.",
        away: "func_e works as much as func_c now. How wide is func_c?",
        so: "Widths compare work at a glance, whatever order it was done in.",
    },
    Lesson {
        claim: "FG-14",
        how: How::Live,
        span: "2s",
        setup: "A program lives by a clock of 10 ms: for half of each period it is in first_half, \
                and for the other half in second_half. It is sampled 100 times a second.",
        ask: "How wide is first_half in the flame graph of 100 Hz?",
        answer: Answer::Share,
        hints: &[
            "It runs for half of the time. When do the samples come?",
            "The period is 10 ms, and a sample comes each 10 ms: always at the same point.",
        ],
        figures: width_of_first_half,
        because: "The sampler keeps step with the program: each sample meets the same point of its \
                  period. One function has everything, the other is not to be seen.",
        away: "The program's clock is 7.3 ms now; it is sampled at 100 Hz as before. How wide is \
               first_half?",
        so: "That is why profilers sample at 99 Hz, or 49: out of step with what lives by round \
             numbers.",
    },
    Lesson {
        claim: "FG-15",
        how: How::Live,
        span: "1s",
        setup: "A program was built without frame pointers, as compilers do by default. A sampler \
                walks its stacks by frame pointer, as most fast ones do.",
        ask: "What share of the sampled stacks reaches the bottom of the tower?",
        answer: Answer::Share,
        hints: &[
            "Each frame is to hold the address of the one below.",
            "The register that leads there holds any other value in this program.",
        ],
        figures: whole_stacks,
        because: "The walk ends at the first frame that does not lead on. The flame graph shows \
                  functions at the top, and lies about who called them: towers become a lawn.",
        away: "The same program is built with frame pointers now. What share is whole?",
        so: "`-C force-frame-pointers=yes` costs a register. Or unwind by the tables of .eh_frame, \
             as this project's own profiler does: `cargo xtask record`.",
    },
];

fn width_of_c(e: &Evidence) -> Result<Figures, Gap> {
    let times = e.settings_of("one-to-five").int("times") as f64;
    Figures::against(e.metric("one-to-five", "func_c_ratio")?.value, 1.0 / (1.0 + times))
}

fn width_of_first_half(e: &Evidence) -> Result<Figures, Gap> {
    let period = e.settings_of("at-100-hz").duration("period");
    let measured = e.metric("at-100-hz", "first_half_ratio")?.value;
    Figures::against(measured, lock_step::estimate(100, period))
}

fn whole_stacks(e: &Evidence) -> Result<Figures, Gap> {
    let omits = e.settings_of("no-frame-pointers").text("omit") == "yes";
    let measured = e.metric("no-frame-pointers", "whole_ratio")?.value;
    Figures::against(measured, if omits { 0.0 } else { 1.0 })
}
