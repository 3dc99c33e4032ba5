//! The lessons: which requests are answered in time when there are too many.

use lab_kit::{Answer, Evidence, Figures, Gap, How, Lesson};

use crate::claims::goodput;

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "OVL-1",
        how: How::Live,
        span: "2s",
        setup: "A server can answer 500 requests a second, and 1,500 arrive. All may wait for \
                their turn. Clients wait for 100 ms and then give up.",
        ask: "How much of what the server can answer does it answer in time?",
        answer: Answer::Share,
        hints: &[
            "After a second 1,000 requests more have come than were answered.",
            "The next one waits until those 1,000 have had their 2 ms each.",
        ],
        figures: |e| of_capacity(e, "queue-all"),
        because: "The queue grows for as long as more arrives than is answered. Soon every request \
                  at its head is one whose client has left, and the server works on those alone.",
        away: "Now 450 requests arrive a second: 0.9 times what the server can answer. How much of \
               its capacity is answered in time?",
        so: "Throughput and CPU use were the same in overload. Only answers in time tell the \
             difference.",
    },
    Lesson {
        claim: "SEDA-1",
        how: How::Live,
        span: "2s",
        setup: "The same server at three times its capacity. Twenty requests may wait, and all \
                others are refused at once.",
        ask: "How much of what the server can answer does it answer in time?",
        answer: Answer::Share,
        hints: &[
            "An admitted request waits for at most 20 others, of 2 ms each.",
            "A refusal costs a few microseconds.",
        ],
        figures: |e| of_capacity(e, "queue-few"),
        because: "Who is admitted is answered after 42 ms, within the 100 ms. The few percent that \
                  are missing went into reading and refusing the others.",
        away: "All requests may wait again. How much of the capacity is answered in time?",
        so: "A short queue refuses no more than overload takes anyway: two of three. It decides \
             early, and the work goes into answers that are still wanted.",
    },
    Lesson {
        claim: "OVL-3",
        how: How::Simulated,
        span: "60s",
        setup: "Three times the capacity once more, simulated. All may wait, and the server takes \
                the newest request first.",
        ask: "How much of what the server can answer does it answer in time?",
        answer: Answer::Share,
        hints: &["The newest request has waited for no longer than the one before took."],
        figures: |e| of_capacity(e, "last-first"),
        because: "The server is always at work on a request that has just arrived. Two thirds of \
                  the requests are never answered, and nobody tells their clients.",
        away: "The oldest request is first again. How much of the capacity is answered in time?",
        so: "The order alone decides whether an unbounded queue is of any use. A bound does the \
             same, and refuses in words.",
    },
    Lesson {
        claim: "DQ-3",
        how: How::Simulated,
        span: "60s",
        setup: "Two servers with 20 places to wait, both asked for three times what they can. One \
                gives whole answers, the other a third of an answer to each request, with a third \
                of the work.",
        ask: "How many times as many requests does the second answer in time?",
        answer: Answer::Times,
        hints: &["Data in an answer times answers a second is the same for both."],
        figures: |e| {
            let times = goodput(e, "smaller-answers")?.over(&goodput(e, "queue-few")?);
            Figures::against(times.value, times_as_many(e))
        },
        because: "A third of the work for each answer makes room for three times as many. That is \
                  as many as are asked for.",
        away: "Both servers give a tenth of an answer now. How many times as many does the second \
               answer?",
        so: "Harvest is how much of an answer there is, yield how many get one. Overload takes \
             from the product, and you choose from which.",
    },
];

/// What is answered in time, as a share of the capacity: 1 at best, and 0 with an unbounded queue.
fn of_capacity(e: &Evidence, variant: &str) -> Result<Figures, Gap> {
    let knobs = e.settings_of(variant);
    let load = knobs.float("load");
    let everybody_waits = (knobs.text("admit"), knobs.text("order")) == ("all", "fifo");
    let predicted = if everybody_waits && load > 1.0 { 0.0 } else { load.min(1.0) };
    Figures::against(goodput(e, variant)?.value, predicted)
}

/// Each server answers what it is asked, or what it can.
fn times_as_many(e: &Evidence) -> f64 {
    let answers = |variant: &str| {
        let knobs = e.settings_of(variant);
        knobs.float("load").min(1.0 / knobs.float("harvest"))
    };
    answers("smaller-answers") / answers("queue-few")
}
