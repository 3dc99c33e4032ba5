//! What a newcomer predicts, sees and takes away: requests wait for each other.

use lab_kit::sim::theory::MMc;
use lab_kit::{Answer, Evidence, Figures, Gap, How, Lesson};

use crate::claims::at;
use crate::staircase::MEAN;

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "Q-2",
        how: How::Simulated,
        span: "15000s",
        setup: "One server works for 4 ms on average, exponentially. Requests come at random, so \
                many that it is busy for 90 % of the time.",
        ask: "How many service times does a request take on average, waiting included?",
        answer: Answer::Times,
        hints: &[
            "At 50 % it takes 2 service times.",
            "A request takes S / (1 - r) on average: what matters is the share of time that is \
             left.",
        ],
        figures: |e| response_at_90(e, "one-server"),
        because: "Only a tenth of the time is left to work off what has gathered while requests \
                  came close together. Each request finds nine others there on average.",
        away: "The server is ten times as fast now, with the same requests. How many of its \
               service times does a request take?",
        so: "At 9 % hardly anybody waits. From 80 to 90 % the response doubles, from 0 to 10 % it \
             grows by a ninth: latency explodes long before utilisation is 100 %.",
    },
    Lesson {
        claim: "Q-3",
        how: How::Simulated,
        span: "15000s",
        setup: "The same server and the same arrivals, but now every request takes exactly 4 ms. \
                The server is busy for 90 % of the time.",
        ask: "How many service times does a request take on average?",
        answer: Answer::Times,
        hints: &[
            "With exponential work it was 10: one of work and nine of waiting.",
            "Equal work takes half of the waiting away.",
        ],
        figures: |e| response_at_90(e, "equal-work"),
        because: "Half of the waiting comes from arrivals that bunch, the other half from work \
                  that varies.",
        away: "The server is ten times as fast again. How many of its service times does a request \
               take?",
        so: "Equal work helps, and it does not move the wall: at 100 % both curves have no end.",
    },
    Lesson {
        claim: "Q-5",
        how: How::Simulated,
        span: "15000s",
        setup: "Two servers take requests from one line. Both are busy for 80 % of the time. One server that \
                is as busy, with half of the requests, takes 5 service times for each.",
        ask: "How many service times does a request to the two take on average?",
        answer: Answer::Times,
        hints: &[
            "With one server 80 of 100 requests wait, for 5 service times on average; add 1 for the work.",
            "With two, 71 of 100 wait, and the line moves twice as fast.",
        ],
        figures: response_of_two_at_80,
        because: "Nearly as many requests wait as before one server, but for half of the time.",
        away: "There is one server now, with half of the requests: as busy as before. How many service times \
               does a request take?",
        so: "Behind one line, two servers that are as busy as one answer in little more than half of the \
             time. Many servers may be busier than few.",
    },
];

fn response_at_90(e: &Evidence, variant: &str) -> Result<Figures, Gap> {
    let knobs = e.settings_of(variant);
    let utilisation = 0.9 * knobs.float("load") / knobs.float("speed");
    let wait = utilisation / (1.0 - utilisation);
    let varies = if knobs.text("work") == "exponential" { 1.0 } else { 0.5 };
    Figures::against(at(e, variant, MEAN, 0.9)?.value, 1.0 + varies * wait)
}

fn response_of_two_at_80(e: &Evidence) -> Result<Figures, Gap> {
    let knobs = e.settings_of("two-servers");
    let servers = knobs.int("servers") as u32;
    let utilisation = 0.8 * knobs.float("load") / knobs.float("speed");
    let queue = MMc { arrivals: utilisation * f64::from(servers), service: 1.0, servers };
    Figures::against(at(e, "two-servers", MEAN, 0.8)?.value, queue.response())
}
