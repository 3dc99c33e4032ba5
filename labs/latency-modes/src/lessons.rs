//! What a newcomer predicts, sees and takes away: a mean that nothing takes, a stall that moves it
//! by nothing, a thread behind it, and an outage that is longer for those who are in it.

use lab_kit::{Answer, Figures, How, Lesson};

use crate::catalogue::DISK;
use crate::claims::{moved, turned};
use crate::outages::LogNormal;

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "FT-3",
        how: How::Simulated,
        span: "20s",
        setup: "A disk answers half of its requests from a cache, in about 0.1 ms, and half from \
                the platter, in about 2.3 ms. Two in a hundred take anything up to 5 ms. The mean \
                is 1.2 ms.",
        ask: "How many requests take 1.1 to 1.35 ms: the mean, give or take a tenth?",
        answer: Answer::Share,
        hints: &[
            "Not those from the cache, nor those from the platter.",
            "A quarter of a millisecond is a twentieth of the range of the rest.",
        ],
        figures: |e| {
            let disk = turned(e, &DISK);
            let (mean, measured) = (disk.mean(), e.metric("disk", "near_mean")?.value);
            Figures::against(measured, disk.share_between(0.9 * mean, 1.1 * mean))
        },
        because: "The mean lies between the modes, where almost no request is.",
        away: "Cache and platter take the same now, on average. How many take about the mean?",
        so: "Look at the distribution before its mean: as a trail, an eCDF or a heat map.",
    },
    Lesson {
        claim: "HM-6",
        how: How::Simulated,
        span: "4s",
        setup: "A server answers 1,000 requests a second in 1 ms each. Once a second it stops for \
                6 ms, and answers no request.",
        ask: "By what share does that raise the mean response?",
        answer: Answer::Share,
        hints: &[
            "How many requests meet the stall?",
            "Six, and they wait 3 ms on average: 18 ms more for 1,000 requests.",
        ],
        figures: |e| {
            let stall_s = e.settings_of("stalls").duration("stall").as_secs_f64();
            let calm_s = e.metric("calm", "mean")?.value / 1e9;
            Figures::against(moved(e)?.value - 1.0, stall_s * stall_s / 2.0 / calm_s)
        },
        because: "Six requests of 1,000 wait. In a heat map they are a stripe in each second, seven \
                  times as high as the rest; on a dashboard of means they are 2 %.",
        away: "The server does not stop. By what share is its mean raised?",
        so: "What happens to few requests at one moment is in the picture, not in the mean.",
    },
    Lesson {
        claim: "HM-7",
        how: How::Live,
        span: "2s",
        setup: "Two threads, on as many CPUs as you have. Their mean utilisation is 50 %.",
        ask: "How busy is the busier one?",
        answer: Answer::Share,
        hints: &["Which pairs of numbers have a mean of 50?", "One of them can do no more."],
        figures: |e| {
            let one = e.settings_of("threads").text("threads") == "one-works";
            Figures::against(e.metric("threads", "hottest")?.value, if one { 1.0 } else { 0.5 })
        },
        because: "One works all the time and is the bottleneck; the other waits.",
        away: "Both have half of the work now, and the mean is the same. How busy is the busier?",
        so: "A mean over threads, CPUs or disks hides the one that is full. Show each, or a heat \
             map of them.",
    },
    Lesson {
        claim: "BRK-18",
        how: How::Simulated,
        span: "1000s",
        setup: "Half of your outages last at most 30 minutes, and one in a hundred lasts 200. The \
                mean is 42. Customers come at random moments.",
        ask: "How many times as long as the mean is the outage that a customer meets?",
        answer: Answer::Times,
        hints: &[
            "An outage of 200 minutes is met by ten times as many as one of 20.",
            "E[X²]/E[X] is the mean times 1 + (deviation / mean)².",
        ],
        figures: |e| {
            let knobs = e.settings_of("met");
            let outages = LogNormal::of(&knobs);
            let met =
                if knobs.text("seen") == "by-moment" { outages.met() } else { outages.mean() };
            Figures::against(e.metric("met", "met")?.value / outages.mean(), met / outages.mean())
        },
        because: "Long outages are met by more people: each counts as often as it is long.",
        away: "Each outage is asked once how long it was. How many times the mean is that?",
        so: "Your mean counts events; your customers count minutes. Shorten the longest ones.",
    },
];
