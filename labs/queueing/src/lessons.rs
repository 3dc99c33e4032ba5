//! What a newcomer predicts, sees and takes away: requests wait for each other.

use lab_kit::{Answer, Evidence, Figures, Gap, How, Lesson};

use crate::claims::at;
use crate::staircase::MEAN;

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "Q-2",
        how: How::Simulated,
        span: "15000s",
        setup: "One server works for 4 ms on average, exponentially. Requests come at random, so many that \
                it is busy for 90 % of the time.",
        ask: "How many service times does a request take on average, waiting included?",
        answer: Answer::Times,
        hints: &[
            "At 50 % it takes 2 service times.",
            "A request takes S / (1 - r) on average: what matters is the share of time that is left.",
        ],
        figures: |e| response_at_90(e, "one-server"),
        because: "Only a tenth of the time is left to work off what has gathered while requests came close \
                  together. Each request finds nine others there on average.",
        away: "The server is ten times as fast now, with the same requests. How many of its service times \
               does a request take?",
        so: "At 9 % hardly anybody waits. From 80 to 90 % the response doubles, from 0 to 10 % it grows by a \
             ninth: latency explodes long before utilisation is 100 %.",
    },
    Lesson {
        claim: "Q-3",
        how: How::Simulated,
        span: "15000s",
        setup: "The same server and the same arrivals, but now every request takes exactly 4 ms. The server \
                is busy for 90 % of the time.",
        ask: "How many service times does a request take on average?",
        answer: Answer::Times,
        hints: &[
            "With exponential work it was 10: one of work and nine of waiting.",
            "Equal work takes half of the waiting away.",
        ],
        figures: |e| response_at_90(e, "equal-work"),
        because: "Half of the waiting comes from arrivals that bunch, the other half from work that varies.",
        away: "The server is ten times as fast again. How many of its service times does a request take?",
        so: "Equal work helps, and it does not move the wall: at 100 % both curves have no end.",
    },
];

fn response_at_90(e: &Evidence, variant: &str) -> Result<Figures, Gap> {
    let knobs = e.settings_of(variant);
    let utilisation = 0.9 * knobs.float("load") / knobs.float("speed");
    let wait = utilisation / (1.0 - utilisation);
    let varies = if knobs.text("work") == "exponential" { 1.0 } else { 0.5 };
    Figures::against(at(e, variant, MEAN, 0.9)?.value, 1.0 + varies * wait)
}
