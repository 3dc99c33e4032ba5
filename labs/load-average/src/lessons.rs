//! What a newcomer predicts, sees and takes away.

use lab_kit::{Answer, Evidence, Figures, Gap, How, Lesson};

use crate::average::{PERIODS_S, remaining};

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "LA-3",
        how: How::Simulated,
        span: "60s",
        setup: "A machine was idle for long. Then one thread spins, for 60 s.",
        ask: "How many tasks does the 1-minute load average say at their end?",
        answer: Answer::Count("tasks"),
        hints: &[
            "It is no average over the last minute. Each 5 s it forgets a twelfth of what it was, \
             nearly, and takes as much of what is.",
            "1 - 1/e.",
        ],
        figures: one_minute,
        because: "At each update 1884/2048 of the old average remain. After twelve updates that is \
                  still 37 % of what was a minute ago: nothing.",
        away: "It is the plain average of the last 60 s now. What does it say?",
        so: "The minutes are time constants: read the 1-minute average as 'mostly the last two', \
             and wait five minutes for a steady load to show within 1 %.",
    },
    Lesson {
        claim: "LA-7",
        how: How::Live,
        span: "4900ms",
        setup: "One thread spins. Three others have called vfork and wait for their children, which \
                sleep; such a wait cannot be interrupted.",
        ask: "How many tasks does the kernel count when it updates its load averages?",
        answer: Answer::Count("tasks"),
        hints: &[
            "Who waits uses no CPU. On most systems the answer would be 1.",
            "Linux counts tasks that run, are ready, or are in state D.",
        ],
        figures: |e| {
            let knobs = e.settings_of("parts");
            let in_d = if knobs.text("blocked-in") == "vfork" { knobs.int("blocked") } else { 0 };
            let expected = (knobs.int("spinners") + in_d) as f64;
            Figures::against(e.metric("parts", "counted")?.value, expected)
        },
        because: "Since 1993 Linux counts uninterruptible sleep as demand: most of it was waiting \
                  for disks and swap, which slows a machine as CPUs do.",
        away: "The three sleep in a read of an empty pipe now, which can be interrupted. How many \
               are counted?",
        so: "A load of 4 may be a busy machine or an idle one: look which tasks are in state D, and \
             where they wait.",
    },
    Lesson {
        claim: "LA-9",
        how: How::Live,
        span: "4900ms",
        setup: "One thread spins, and three sleep uninterruptibly. The time that each spends in \
                each state is added up, as the load average adds it.",
        ask: "What share of the load that was added up is demand for CPUs?",
        answer: Answer::Share,
        hints: &["One task of four runs."],
        figures: demand_for_cpus,
        because: "Time on a CPU and time in state D count alike, second for second.",
        away: "Only time on CPUs is added up now, as other systems do. What share is demand for \
               CPUs?",
        so: "To know about CPUs, look at their utilisation and at how long threads wait for one.",
    },
];

fn one_minute(e: &Evidence) -> Result<Figures, Gap> {
    let knobs = e.settings_of("spinner");
    let of_a_window = knobs.text("damping") == "window";
    let left = if of_a_window { 0.0 } else { remaining(60.0, PERIODS_S[0]) };
    let expected = knobs.int("spinners") as f64 * (1.0 - left);
    Figures::against(e.metric("spinner", "excess")?.value, expected)
}

fn demand_for_cpus(e: &Evidence) -> Result<Figures, Gap> {
    let of = |name| Ok::<f64, Gap>(e.metric("parts", name)?.value);
    Figures::measured(of("accounted_cpu")? / of("accounted")?)
}
