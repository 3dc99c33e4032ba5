//! The lessons: what a quorum gains, and when it gains nothing.

use lab_kit::{Answer, Evidence, Figures, Gap, How, Lesson};

use crate::claims::{replicas_of, theory};

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "TAS-33",
        how: How::Simulated,
        span: "1000s",
        setup: "A replica answers after 10 ms, and once in 100 times after 100 ms. A write goes to three of \
                them and is done when two have answered.",
        ask: "Of 100,000 writes, how many take longer than 50 ms?",
        answer: Answer::Count("writes in 100,000"),
        hints: &[
            "One slow replica does not matter. Two do.",
            "There are three pairs, and both of a pair are slow once in 10,000 times.",
        ],
        figures: |e| per_100_000(e, "majority"),
        because: "Three pairs of replicas are both slow with 1 % times 1 %: 3 s² - 2 s³ is 0.000298, a \
                  thirtieth of what one replica has.",
        away: "Whatever makes one replica slow makes all of them slow now. How many of 100,000 writes are \
               late?",
        so: "A quorum needs nothing to tame a tail, no timer and no second try. It needs replicas that \
             are slow for reasons of their own.",
    },
    Lesson {
        claim: "BRK-1",
        how: How::Simulated,
        span: "400s",
        setup: "A page calls ten such services at once and waits for all ten.",
        ask: "How many pages take longer than 50 ms?",
        answer: Answer::Share,
        hints: &["The page is fast only if all ten are: 0.99 ten times over."],
        figures: |e| Figures::against(e.metric("parallel", "late")?.value, theory(e, "parallel")?),
        because: "What is rare for one service is common among ten: 1 - 0.99^10 is 9.6 %.",
        away: "The page is shown when nine of the ten have answered. How many pages are late?",
        so: "To wait for all makes a tail longer, to wait for all but one makes it shorter than that of a \
             single service.",
    },
    Lesson {
        claim: "BRK-2",
        how: How::Simulated,
        span: "400s",
        setup: "Now the ten services call each other in a chain. One call in 100 takes 100 ms instead of \
                10 ms, which is a tenth more on average.",
        ask: "By how much does that multiply the variance of the chain?",
        answer: Answer::Times,
        hints: &[
            "Variances add up, so it is the same for one call: typical ones have 2 ms squared.",
            "A slow call lies 90 ms off, and 1 % of 90 ms squared is 81.",
        ],
        figures: |e| {
            let predicted = replicas_of(e, "serial")?.0.variance_ratio();
            Figures::against(e.metric("serial", "variance_ratio")?.value, predicted)
        },
        because: "The variance is 85.2 square milliseconds instead of 4: 21.3 times as much. The post that \
                  this is from says 25.",
        away: "No call is slow. By how much is the variance of the chain that of the same chain?",
        so: "The mean tells how much work there is. The tail decides how far one request is from the next.",
    },
];

fn per_100_000(e: &Evidence, variant: &str) -> Result<Figures, Gap> {
    Figures::against(1e5 * e.metric(variant, "late")?.value, 1e5 * theory(e, variant)?)
}
