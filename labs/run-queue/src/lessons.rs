//! What a newcomer predicts, sees and takes away: who waits for a CPU, and whether one is free.

use lab_kit::cpus::undisturbed;
use lab_kit::{Answer, Evidence, Figures, Gap, How, Lesson};

use crate::sweep::{SPINNERS, metric, waiting_share};

/// The largest share of the CPUs that other programs may use: beyond it, a lesson's figure is
/// theirs.
const MOST: f64 = 0.1;

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "LA-12",
        how: How::Live,
        span: "4s",
        setup: "Eight threads want a CPU all the time, and may have two. The kernel counts how \
                long each waits until it runs.",
        ask: "What share of its time does each of the eight wait?",
        answer: Answer::Share,
        hints: &["At each moment two of the eight run.", "Each runs for a fourth of the time."],
        figures: each_waits,
        because: "Two run, six wait, and the kernel gives everybody the same. The share is 1 - \
                  CPUs / threads, whatever the length of a time slice.",
        away: "The eight threads sleep now instead of spinning. What share of its time does each \
               wait?",
        so: "Threads that want no CPU wait for none: not their number counts, but how many want to \
             run. The run queue tells that, and utilisation does not: it is 100 % with two threads \
             as with eight.",
    },
    Lesson {
        claim: "WS-2",
        how: How::Live,
        span: "2s",
        setup: "Two threads that spin are kept on one CPU by their affinity. The other CPU has \
                nothing to do.",
        ask: "What share of its time does each thread wait for a CPU?",
        answer: Answer::Share,
        hints: &["The idle CPU may not help: the threads are pinned to the other."],
        figures: pinned_wait,
        because: "The machine is half idle, and both threads wait for half of their time. An \
                  average over CPUs shows neither.",
        away: "The threads may run on all CPUs now. What share of its time does each wait?",
        so: "Affinity, cpusets and quotas make queues where a machine has CPUs to spare.",
    },
    Lesson {
        claim: "BPF-9",
        how: How::Live,
        span: "3s",
        setup: "Four spinners on each of two CPUs, and a thread that sleeps and wakes up, over and \
                over. Of all waits for a CPU, most are over in microseconds: who wakes up is let \
                in at once. The others pile up around a second length.",
        ask: "How long is a typical wait of the second kind?",
        answer: Answer::Time,
        hints: &[
            "A spinner that has used up its time slice waits until others have had theirs.",
            "A slice is some milliseconds here, and three others share the CPU.",
        ],
        figures: second_mode,
        because: "A spinner waits for the slices of those who share its CPU. A mean of both kinds, \
                  tens of microseconds and milliseconds, would be a wait that nobody has.",
        away: "All spinners sleep now. How long is a typical wait of the second kind? (0 if there \
               is none)",
        so: "With CPUs to spare one mode is left, of microseconds: the second is what saturation \
             looks like, long before a load average shows it.",
    },
    Lesson {
        claim: "BWC-1",
        how: How::Live,
        span: "2s",
        setup: "A thread spins in a container that may use 20 ms of CPU time in each 100 ms. \
                Nobody else wants its CPU.",
        ask: "How many times in 2 s is it kept from running for more than 25 ms?",
        answer: Answer::Count("gaps"),
        hints: &[
            "It has used up its 20 ms after 20 ms, as it runs all the time.",
            "A period is 100 ms long.",
        ],
        figures: gaps,
        because: "In each period it runs for 20 ms, and then stands still for 80 ms, though its \
                  CPU is free: a request that comes then waits. The mean use is 20 %, and looks \
                  harmless.",
        away: "The quota is 100 ms in each 100 ms now. How many gaps are there in 2 s?",
        so: "A quota turns a mean into stalls. `nr_throttled` in cpu.stat counts them; a run queue \
             histogram does not, as a throttled thread is in no queue.",
    },
];

fn quiet(e: &Evidence, variant: &str) -> Result<(), Gap> {
    undisturbed(variant, e.metric(variant, "others")?.value, MOST)
}

fn each_waits(e: &Evidence) -> Result<Figures, Gap> {
    let variant = "more-spinners";
    quiet(e, variant)?;
    let most = SPINNERS[SPINNERS.len() - 1];
    let measured = e.metric(variant, &metric(most))?.value;
    let spins = e.settings_of(variant).text("spinners-do") == "spin";
    let cpus = e.metric(variant, "cpus")?.value;
    Figures::against(measured, if spins { waiting_share(cpus, most) } else { 0.0 })
}

fn pinned_wait(e: &Evidence) -> Result<Figures, Gap> {
    let variant = "pinned";
    quiet(e, variant)?;
    let pinned = e.settings_of(variant).text("pin") == "one";
    let measured = e.metric(variant, "most_waiting")?.value;
    Figures::against(measured, if pinned { 0.5 } else { 0.0 })
}

fn second_mode(e: &Evidence) -> Result<Figures, Gap> {
    Figures::measured(e.metric("eight-spinners", "second_mode")?.value)
}

fn gaps(e: &Evidence) -> Result<Figures, Gap> {
    let quota_ms = e.settings_of("quota").duration("quota").as_millis();
    let predicted = if quota_ms < 100 { 20.0 } else { 0.0 };
    Figures::against(e.metric("quota", "gaps")?.value, predicted)
}
