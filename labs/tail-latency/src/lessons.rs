//! The lessons: the slowest decides, and three ways to tame it.

use lab_kit::{Answer, Evidence, Figures, Gap, How, Lesson};

use crate::theory::fanout;

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "TAS-2",
        how: How::Live,
        span: "4s",
        setup: "A root sends each request on to 100 leaves and answers when all of them have. A \
                leaf takes 10 ms, but 1 answer in 100 takes 200 ms: nobody would call that leaf \
                slow.",
        ask: "Of 100 requests to the root, how many take 200 ms and more?",
        answer: Answer::Share,
        hints: &[
            "A request is fast only if no leaf is slow. With one leaf, 99 of 100 are fast.",
            "With two leaves both have to be fast: 0.99 × 0.99 of the requests are.",
            "With 100 leaves, 0.99 to the power of 100 are fast: 0.37.",
        ],
        figures: slow_roots,
        because: "The root waits for the slowest of 100 answers. All are fast in 0.99 to the power \
                  of 100 cases, so what was rare for a leaf is usual for its root.",
        away: "No leaf is ever slow now. Of 100 requests to the root, how many take 200 ms and \
               more?",
        so: "The root does nothing else than before: its slowness was all the leaves'. With 100 \
             leaves their p99 is near the root's median, so it is the leaf's p99.9 that decides.",
    },
    Lesson {
        claim: "TAS-8",
        how: How::Simulated,
        span: "30s",
        setup: "Each leaf has a twin with the same data. The root asks one of them; an answer that \
                takes longer than 95 of 100 do is asked of the twin too, and the first answer \
                counts. That is hedging, and costs 5 requests more for each 100.",
        ask: "Of 100 requests to the root, how many are slow still? It was 63.",
        answer: Answer::Share,
        hints: &[
            "A slow leaf holds up the root only if its twin is slow as well.",
            "Both are slow in 1 of 100 × 100 cases. There are 100 pairs.",
        ],
        figures: slow_roots_hedged,
        because: "Two that are slow at once are rarer than one: 1 in 10,000 pairs. One request in \
                  twenty more bought nearly all of the slow ones.",
        away: "The budget for second requests is 0 now. Of 100 requests to the root, how many are \
               slow?",
        so: "A second request helps because the twin's slowness is another draw. Where twins are \
             slow together, as by a shared disk, it buys less: that is claim TAS-21.",
    },
    Lesson {
        claim: "TAS-28",
        how: How::Simulated,
        span: "16s",
        setup: "Each leaf also has work of its own, a backup say, for 1 % of the time, and answers \
                nobody meanwhile. Leaves can do it each at its own moment, or all of them at the \
                same one.",
        ask: "Which of the two keeps more requests waiting?",
        answer: Answer::Choice(
            "ratio",
            &[
                ("each at its own moment", 0.05, 1.01),
                ("as many, within 5 of 100", -0.05, 0.05),
                ("all at the same moment", -1.01, -0.05),
            ],
        ),
        hints: &[
            "A request waits if any of the 100 leaves is at work when it comes.",
            "All at the same moment: of the time, how much has a leaf at work? Each at its own: \
             how much?",
        ],
        figures: spread_less_synchronized,
        because: "The figure is how many more requests wait when the work is spread. At one \
                  moment, 1 % of the time is bad for everybody. Spread, some leaf of 100 is at \
                  work for 63 % of it, and a request waits for all.",
        away: "The leaves have no work of their own now. Which keeps more requests waiting?",
        so: "Spreading load is good for one server, and bad for those who wait for all of them.",
    },
    Lesson {
        claim: "TAS-6",
        how: How::Simulated,
        span: "11s",
        setup: "1,000 leaves, with the times that a real service printed. A search need not wait \
                for all of them: it may answer when 950 have, and leave the slowest out.",
        ask: "What share of the p99 of waiting for all is waiting for the slowest 5 % of the \
              leaves?",
        answer: Answer::Share,
        hints: &[
            "If all leaves were alike, the slowest 5 % would take about 5 % of the time.",
            "The source prints a p99 of 140 ms for all leaves, and of 70 ms for 95 % of them.",
        ],
        figures: slowest_of_p99,
        because: "A few leaves are so late that waiting for the last 50 of 1,000 takes as long as \
                  waiting for the first 950.",
        away: "A pause that leaves share, as of a machine or a switch, is taken away. What share \
               is it now?",
        so: "Without shared pauses 95 % of the leaves are done much earlier: independent slowness \
             hits a few, and leaving these out helps most. A search that is good enough answers \
             then.",
    },
];

fn slow_roots(e: &Evidence) -> Result<Figures, Gap> {
    let knobs = e.settings_of("fan-out");
    let (slow, leaves) = (knobs.float("slow-fraction"), knobs.int("leaves") as u32);
    let typical_ns = knobs.duration("service-time").as_nanos() as f64;
    let median_ns = e.quantile("fan-out", "leaf-response", 0.5)?.value;
    // The hundred servers share a few CPUs: if other programs use them, all leaves are slow.
    if median_ns > 2.0 * typical_ns {
        let reason = "half of the leaves' answers take twice their service: the machine is busy";
        return Err(Gap::Invalid(reason.into()));
    }
    let measured = e.metric("fan-out", "slow_roots_ratio")?.value;
    Figures::against(measured, fanout::slow_root_probability(slow, leaves))
}

fn slow_roots_hedged(e: &Evidence) -> Result<Figures, Gap> {
    let knobs = e.settings_of("hedged");
    let (slow, leaves) = (knobs.float("slow-fraction"), knobs.int("leaves") as u32);
    let measured = e.metric("hedged", "slow_roots_ratio")?.value;
    let predicted = if knobs.float("hedge-budget") > 0.0 {
        fanout::hedged_slow_root_probability(slow, leaves, knobs.float("correlation"))
    } else {
        fanout::slow_root_probability(slow, leaves)
    };
    Figures::against(measured, predicted)
}

fn spread_less_synchronized(e: &Evidence) -> Result<Figures, Gap> {
    let knobs = e.settings_of("background-spread");
    let (duty_cycle, leaves) = (knobs.float("duty-cycle"), knobs.int("leaves") as u32);
    let held_up = |variant| Ok(e.metric(variant, "roots_held_up_ratio")?.value);
    let (spread, together): (f64, f64) =
        (held_up("background-spread")?, held_up("background-synchronized")?);
    let predicted = fanout::spread_background_hit(duty_cycle, leaves)
        - fanout::synchronized_background_hit(duty_cycle);
    Figures::against(spread - together, predicted)
}

fn slowest_of_p99(e: &Evidence) -> Result<Figures, Gap> {
    let p99 = |series| ("table-1-shared", series, 0.99);
    let measured = 1.0 - e.ratio(p99("root-95"), p99("root"))?.value;
    // The source's table is only for leaves that share a pause.
    match e.settings_of("table-1-shared").text("pauses") {
        "shared" => Figures::against(measured, 0.5),
        _ => Figures::measured(measured),
    }
}
