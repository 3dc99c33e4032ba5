//! The lessons: what a second choice gains, what old information costs, and what to do with a slow
//! server.

use lab_kit::{Answer, Figures, How, Lesson};

use crate::charts::{BY_POINTS, OF_TEN};
use crate::claims::at_part;
use crate::theory::{best_of, largest_arc};

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "P2C-1",
        how: How::Simulated,
        span: "20000s",
        setup: "A hundred servers are busy for 90 % of the time, and a request takes a second of work. Sent to \
                any server it takes 10 seconds on average, nearly all of which it waits. Now it looks at two \
                servers, drawn at random, and goes where fewer wait.",
        ask: "How many seconds does it take on average?",
        answer: Answer::Count("seconds"),
        hints: &[
            "To be behind many requests, both servers must have many.",
            "One server in 3 has ten requests or more. Of two at random, both would: one pair in 8. But \
             queues of ten no longer come about, as nobody joins the longer one.",
        ],
        figures: |e| {
            let knobs = e.settings_of("two");
            let predicted = best_of(knobs.float("load"), knobs.int("choices"));
            Figures::against(e.metric("two", "mean")?.value, predicted)
        },
        because: "A queue grows to i only from pairs that both have i - 1: shares square at each step, 0.9, \
                  0.73, 0.48, 0.21, 0.04, and then nothing.",
        away: "It looks at one server, and goes there. How many seconds?",
        so: "One comparison does nearly all that can be done. A third queue to look at takes off another \
             fifth.",
    },
    Lesson {
        claim: "BRK-16",
        how: How::Simulated,
        span: "20000s",
        setup: "Ten servers get a request a second, and each request takes one of them 8 seconds. The balancer \
                sends it where the fewest wait. It knows that from a list, which is made anew every 40 seconds.",
        ask: "How many times as long does a request take as if it went to any server?",
        answer: Answer::Times,
        hints: &[
            "How many requests come before the list is made anew? Where do they go?",
            "Forty requests go to the few that were empty. They have work for minutes then.",
        ],
        figures: |e| {
            let [any, _, _, least] = at_part(e, "post", OF_TEN, 40)?;
            Figures::measured(least.value / any.value)
        },
        because: "All herd to the server that was quiet, long after it has ceased to be. With the next list \
                  they herd to another.",
        away: "The list is made anew every 1.6 seconds. How many times as long?",
        so: "The more a balancer trusts what it knows, the fresher that must be. The better of two at random \
             needs less of both.",
    },
    Lesson {
        claim: "TAS-25",
        how: How::Simulated,
        span: "1200s",
        setup: "Ten servers are busy for half of the time, and requests of 100 ms go to any of them. For six \
                minutes one server is ten times as slow. The balancer sends it nothing as soon as its \
                answers take five times as long as those of the others.",
        ask: "What is the p99 of all requests?",
        answer: Answer::Time,
        hints: &[
            "Nine servers get the requests of ten: they are busy for 56 % of the time.",
            "An answer of a server that is busy for half of the time takes 200 ms on average, and one in a \
             hundred 4.6 times that.",
        ],
        figures: |e| Figures::measured(e.quantile("probation", "response", 0.99)?.value),
        because: "Nine servers at 56 % are hardly slower than ten at 50 %. Only the requests that told that \
                  the server is slow had to wait for it.",
        away: "The balancer does not care. What is the p99?",
        so: "Fewer servers can be faster. Copies of a few requests, for whose answers nobody waits, tell when \
             the slow one is well again.",
    },
    Lesson {
        claim: "RING-1",
        how: How::Simulated,
        span: "5000s",
        setup: "A hundred servers lie on a hash ring, each at one point. A key belongs to the server that is \
                next to it, clockwise.",
        ask: "How many times as much as the mean server does the largest one have?",
        answer: Answer::Times,
        hints: &[
            "Random points are not apart by equal distances, but by exponential ones.",
            "The smallest of a hundred exponentials has a hundredth of their mean, the next is 1/99 longer, \
             and so on.",
        ],
        figures: |e| {
            let ring = e.curve("ring", BY_POINTS)?;
            let measured = ring.first().map_or(f64::NAN, |(_, hottest)| hottest.value);
            Figures::against(measured, largest_arc(e.settings_of("ring").int("servers")))
        },
        because: "The largest of n exponential distances is 1 + 1/2 + … + 1/n times the mean: 5.19.",
        away: "There are ten servers. How many times as much has the largest one?",
        so: "Give each server many points: with a hundred the largest has 1.27 times the mean. Or keep a table \
             of shards, which can be level.",
    },
];
