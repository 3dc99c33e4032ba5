//! The lessons: why a server stays down, and what brings it back.

use lab_kit::{Answer, Figures, How, Lesson};

use crate::claims::{afterwards, of_capacity};

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "MET-1",
        how: How::Live,
        span: "2s",
        setup: "A server can answer 500 requests a second, and 350 arrive. It pauses once, for 100 ms. \
                Clients wait for 40 ms and then try again, up to three times.",
        ask: "A second after the pause, how many requests are answered while their client still waits?",
        answer: Answer::Share,
        hints: &[
            "After the pause 35 requests wait, and most were sent more than once.",
            "While all are late each request is asked four times: 4 times 350 are 1,400 a second.",
        ],
        figures: |e| {
            Figures::against(afterwards(e, "storm")?.value, survivors(&e.settings_of("storm")))
        },
        because: "Late answers make clients try again, and that is what makes answers late. 1,400 attempts \
                  a second arrive at a server for 500.",
        away: "The same pause, and clients who do not try again. How many requests are answered later on?",
        so: "The pause was the trigger. The cause of the outage is the loop, and it was there before.",
    },
    Lesson {
        claim: "MET-3",
        how: How::Simulated,
        span: "60s",
        setup: "The same server during the outage, seen from inside: it counts the answers that it gives.",
        ask: "How much of its capacity does it use?",
        answer: Answer::Share,
        hints: &["Its queue is never empty."],
        figures: |e| {
            let knobs = e.settings_of("storm");
            let attempts = knobs.float("load") * (1.0 + knobs.int("retries") as f64);
            Figures::against(of_capacity(e, "storm", "throughput")?.value, attempts.min(1.0))
        },
        because: "It answers one attempt after another, whether anybody waits for it or not. Its own metrics \
                  say that it has never worked better.",
        away: "Clients do not try again. How much of its capacity does it use?",
        so: "Throughput cannot tell this outage from a good day. Count the answers that somebody still \
             waits for.",
    },
    Lesson {
        claim: "MET-6",
        how: How::Simulated,
        span: "60s",
        setup: "The storm again, with three retries. The server now looks at each request before it serves \
                it, and refuses those that it cannot answer before their client gives up.",
        ask: "How many requests are answered after the pause?",
        answer: Answer::Share,
        hints: &["A refusal costs nothing. What does the server work on, then?"],
        figures: |e| Figures::measured(afterwards(e, "in-time")?.value),
        because: "All its work goes into answers that are still wanted. So they come in time, and nobody \
                  tries again.",
        away: "It serves all of them in the order in which they came. How many are answered?",
        so: "The server can break the loop as well as its clients: it must know how long they wait.",
    },
];

/// The share answered in theory: 1 if the attempts are within the server's capacity, else 0.
fn survivors(knobs: &lab_kit::Settings) -> f64 {
    let attempts = knobs.float("load") * (1.0 + knobs.int("retries") as f64);
    if attempts < 1.0 { 1.0 } else { 0.0 }
}
