//! What a newcomer predicts, sees and takes away: what a CPU profile leaves out.

use lab_kit::{Answer, Evidence, Figures, Gap, How, Lesson};

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "LAB-7",
        how: How::Live,
        span: "4s",
        setup: "A program sleeps, spins for a hundredth as long, and sleeps again. Somebody takes \
                a CPU profile of it, to find out why it is slow.",
        ask: "What share of the program's time can the CPU profile show?",
        answer: Answer::Share,
        hints: &[
            "A CPU profile takes samples of what runs.",
            "Of each second and a hundredth, the hundredth runs.",
        ],
        figures: on_cpu,
        because: "99 % of the time is spent off the CPU, in one stack that no CPU sampler ever \
                  meets. An off-CPU profile shows that stack alone.",
        away: "It spins for a tenth of what it sleeps now. What share can the CPU profile show?",
        so: "A CPU profile is right about what it shows, and silent about how little that may be. \
             Compare its total with the wall clock first.",
    },
    Lesson {
        claim: "OFF-7",
        how: How::Live,
        span: "2s",
        setup: "A pool of eight workers serves a request now and then. An off-CPU profile adds up \
                how long each thread was off the CPU.",
        ask: "How many times the wall clock's time does the off-CPU graph hold?",
        answer: Answer::Times,
        hints: &[
            "A worker without work is off the CPU.",
            "There are eight of them, and hardly any work.",
        ],
        figures: off_over_wall,
        because: "Idle threads wait for work, all at once and all the time: eight seconds for each \
                  second. The widest frames of an off-CPU graph are what nobody has to wait for.",
        away: "There is one worker now. How many times the wall clock is it?",
        so: "Ask what requests wait for, not threads: within requests less than a tenth of that \
             time is left.",
    },
    Lesson {
        claim: "OFF-5",
        how: How::Live,
        span: "3s",
        setup: "A thread sleeps 10 ms, wakes up, does a little and sleeps again. Three others want \
                its CPU all the time, and it yields to them (nice 19).",
        ask: "How long is it off the CPU for each sleep of 10 ms, on average?",
        answer: Answer::Time,
        hints: &[
            "Off the CPU is both: blocked, and able to run without a CPU.",
            "Its blocked time is 10 ms as asked for. Then it stands in the run queue, behind those \
             whom it yields to.",
        ],
        figures: off_a_sleep,
        because: "It was blocked for 10 ms; the rest it waited for its CPU. Off-CPU time alone \
                  does not tell which of the two to repair.",
        away: "Nobody else wants the CPU now. How long is it off the CPU for a sleep of 10 ms?",
        so: "Without others, off-CPU time is blocked time. Where CPUs are busy, leave out \
             preempted threads and look at the run queue for the rest: `cargo xtask learn \
             run-queue`.",
    },
];

fn on_cpu(e: &Evidence) -> Result<Figures, Gap> {
    let spin = e.settings_of("sleeper").float("spin");
    Figures::against(e.metric("sleeper", "on_cpu")?.value, spin / (1.0 + spin))
}

fn off_over_wall(e: &Evidence) -> Result<Figures, Gap> {
    let workers = e.settings_of("idle-pool").int("workers") as f64;
    Figures::against(e.metric("idle-pool", "off_cpu_over_wall")?.value, workers)
}

fn off_a_sleep(e: &Evidence) -> Result<Figures, Gap> {
    let alone = e.settings_of("crowded").int("spinners") == 0;
    let measured = e.metric("crowded", "off_cpu_mean")?.value;
    if alone { Figures::against(measured, 10e6) } else { Figures::measured(measured) }
}
