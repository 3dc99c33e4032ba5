//! What a newcomer predicts, sees and takes away.

use lab_kit::{Answer, Figures, How, Lesson};

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "CF-2",
        how: How::Simulated,
        span: "3s",
        setup: "A proxy has memory for 200 features, and its file lists 60. One day each is listed \
                four times. The loader returns an error, and its caller does not expect one: it \
                panics.",
        ask: "What share of the requests fails from then on?",
        answer: Answer::Share,
        hints: &[
            "Without features there is no score.",
            "A request without a score is not answered at all: bot or not is not known.",
        ],
        figures: |e| Figures::against(e.metric("panics", "failed_after")?.value, 1.0),
        because: "The file is checked, and the check says no. What failed is what happens next: \
                  the proxy had a good file in memory, and could have kept it.",
        away: "There is room for 1,000 features now. What share fails?",
        so: "A limit needs a plan for what is beyond it, and the last good file is one.",
    },
    Lesson {
        claim: "CF-3",
        how: How::Simulated,
        span: "3h",
        setup: "The file is built every five minutes, by one of ten databases. One after the \
                other, every ten minutes, learns to build bad files. Proxies take whatever file \
                comes.",
        ask: "How many times do errors begin, on average, until they stay?",
        answer: Answer::Count("outages"),
        hints: &[
            "With half of the databases upgraded, half of the files are bad.",
            "There are two files while n of ten are upgraded: sum 2 · n/10 · (1 - n/10).",
        ],
        figures: |e| {
            let expected = e.metric("upgrade", "outages_expected")?.value;
            Figures::against(e.metric("upgrade", "outages")?.value, expected)
        },
        because: "Each file is bad with the share of databases that are upgraded. In between \
                  errors go away by themselves, as they do when an attack pauses.",
        away: "All databases are upgraded at once. How many times do errors begin?",
        so: "Errors that come and go may have a cause that is half there: look for what changes.",
    },
    Lesson {
        claim: "CF-5",
        how: How::Simulated,
        span: "2h",
        setup: "A change fails 28 % of the requests of each server that has it. It takes 25 \
                minutes until somebody stops it. It goes to all servers at once, or first to 1 % \
                of them for half an hour.",
        ask: "How many times as many requests fail when it goes to all at once?",
        answer: Answer::Times,
        hints: &[
            "Both are stopped after 25 minutes.",
            "Until then the first stage is all there is.",
        ],
        figures: |e| {
            let times = e.metric("global", "lost")?.over(&e.metric("staged", "lost")?);
            Figures::against(times.value, 100.0)
        },
        because: "What fails is the share of the servers, times the traffic, times the time until \
                  it is stopped. Neither faster tests nor better code is needed for the first \
                  factor.",
        away: "No gate stops it, and the stages go on. How many times as many fail at once?",
        so: "A stage that ends before the gate decides is no stage.",
    },
    Lesson {
        claim: "CF-6",
        how: How::Simulated,
        span: "600s",
        setup: "A proxy is busy for 60 % of its time, with requests of 1 ms. Now 28 % of them \
                fail, and each error takes 4 ms more to collect a stack, context and logs.",
        ask: "How many times as long is the p99 of requests that do not fail?",
        answer: Answer::Choice(
            "times",
            &[
                ("about as long: they do not collect anything", 0.5, 2.0),
                ("a few times as long", 2.0, 20.0),
                ("there is no bound: it grows as long as the errors last", 20.0, 1e12),
            ],
        ),
        hints: &[
            "On average a request takes 1 ms + 28 % of 4 ms: 2.12 ms.",
            "60 % of a proxy's time, times 2.12: it is asked for 127 % of it.",
        ],
        figures: |e| {
            let times = e.ratio(("enriched", "response", 0.99), ("plain", "response", 0.99))?;
            Figures::measured(times.value)
        },
        because: "All requests stand in one queue, and it grows by 27 % of the time that passes.",
        away: "Errors collect nothing. How many times as long is the p99?",
        so: "An error path is rare until it is not. Give what it does a budget.",
    },
];
