//! The lessons: what a faster link buys, what a shorter way does, and how to live with a long one.

use lab_kit::{Answer, Figures, How, Lesson};

use crate::claims::{saved, times};
use crate::page::Browser;

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "IGV-1",
        how: How::Simulated,
        span: "20s",
        setup: "A page of 44 resources and 320 KiB comes over two connections, and a round trip takes \
                60 ms. At 5 Mb/s its bits alone take half a second, at 10 a quarter.",
        ask: "The link carries 10 Mb/s instead of 5. How much less time does the page take?",
        answer: Answer::Share,
        hints: &[
            "Each connection has one request at a time, and waits for its answer.",
            "22 resources in a row, a round trip each: that is 1.3 s in which the bits have room.",
        ],
        figures: |e| Figures::measured(saved(e, 5.0, 10.0)?.value),
        because: "The page takes 1.9 s, and only for 0.5 s of it are bits on the link. The other time is \
                  round trips, and no bandwidth shortens those.",
        away: "A round trip takes no time now. How much less time does the page take at 10 Mb/s?",
        so: "Bandwidth is how much comes at once, latency is when. Ask which of them you wait for \
             before you buy the other.",
    },
    Lesson {
        claim: "IGV-4",
        how: How::Live,
        span: "1s",
        setup: "A browser asks for a page over HTTPS that it has never seen: it looks up the name, opens a \
                TCP connection, shakes hands for TLS, and asks. The server is 2,000 km of fibre away, \
                20 ms to and fro.",
        ask: "When does the first byte come?",
        answer: Answer::Time,
        hints: &[
            "Nothing of that can begin before the last step is answered.",
            "One round trip each, and two for TLS before version 1.3.",
        ],
        figures: |e| {
            let browser = Browser::of(&e.settings_of("first-byte"));
            let trip = 2.0 * browser.delay as f64;
            let trips = e.metric("first-byte", "first_byte")?.value;
            Figures::against(trips * trip, browser.trips() as f64 * trip)
        },
        because: "Five round trips, one after another. The bytes themselves take microseconds.",
        away: "TLS 1.3 needs one round trip, not two. When does the first byte come?",
        so: "Count round trips first. Each that goes away is worth more than any bandwidth.",
    },
    Lesson {
        claim: "SYN-1",
        how: How::Live,
        span: "1s",
        setup: "A program needs ten answers from a service that is 20 ms away. It asks for one, waits, and \
                asks for the next.",
        ask: "It asks for all ten before it waits now. How many round trips does it wait for?",
        answer: Answer::Count("round trips"),
        hints: &["Does the second question depend on the first answer?"],
        figures: |e| Figures::against(e.metric("requests", "overlapped")?.value, 1.0),
        because: "All ten are on the way at the same time: their waits overlap instead of adding up.",
        away: "The program waits for each answer again. How many round trips are it?",
        so: "A chain of calls adds up latencies, whatever the bandwidth. Ask early, ask together.",
    },
    Lesson {
        claim: "LLB-5",
        how: How::Live,
        span: "1s",
        setup: "Each of four million lines of memory says where the next one is. A program follows them, \
                first in the order in which they lie in memory, then at random.",
        ask: "How many times as long does a line take at random?",
        answer: Answer::Times,
        hints: &[
            "Each step needs the answer of the last in both orders.",
            "In order, the processor has guessed the next line and asked for it.",
        ],
        figures: |e| Figures::measured(times(e, "chases_1", "in_order")?.value),
        because: "The processor prefetches: it spends bandwidth on lines that it expects, and so hides \
                  their latency. Nobody can expect a random line.",
        away: "All lines fit into the fastest cache now. How many times as long does a line take at \
               random?",
        so: "Caching, prediction and overlap do not make latency shorter. They hide it, where one knows \
             what comes.",
    },
];
