//! Who said it first, what is claimed, and the checks.

use lab_kit::cpus::undisturbed;
use lab_kit::{
    Check, Claim, Evidence, Figure, Gap, Judged, Next, Settings, ShownBy, Source, Story,
    closed_form, live, simulated, statements,
};

use crate::average::{PERIODS_S, Rule, STEP_S, printed, remaining, tasks};
use crate::excess::EXCESS;
use crate::{AVERAGES, COUNTED, MADE_OF, ONE_THREAD};

/// The article that found the patch and did the experiments.
pub(crate) const MYSTERY: Source = Source {
    short: "Gregg, load averages",
    title: "B. Gregg, Linux Load Averages: Solving the Mystery, 2017",
    link: "https://www.brendangregg.com/blog/2017-08-08/linux-load-averages.html",
};

/// The book with the exercise.
pub(crate) const BOOK: Source = Source {
    short: "Gregg, Systems Performance",
    title: "B. Gregg, Systems Performance, 2nd edition, Addison-Wesley 2020, chapter 6, exercise 5",
    link: "https://www.brendangregg.com/systems-performance-2nd-edition-book.html",
};

pub(crate) const CLAIMS: &[Claim] = &[
    mystery(
        "LA-1",
        "At an update, 1884, 2014 and 2037 of 2048 remain of the three averages: e^(-5/60), \
         e^(-5/300) and e^(-5/900). The rest is the number of tasks.",
        &[
            closed_form(|e| {
                let [one, five, fifteen] =
                    Rule::of(&e.settings()).remains.map(|r| Figure::exact(r as f64, "of 2048"));
                one.near(1_884.0, 0.0)?
                    .and(five.near(2_014.0, 0.0))?
                    .and(fifteen.near(2_037.0, 0.0))
            })
            .without(TEN_SECONDS),
            live(&["spinner"], to_the_last_bit).without(NOT_THE_KERNELS),
        ],
        &[ShownBy::Chart(&ONE_THREAD, &["spinner"])],
    ),
    mystery(
        "LA-2",
        "TENEX had the same idea in the 1970s: its constants are 0.920043902, 0.983471344 and \
         0.994459811.",
        &[closed_form(|e| {
            let step_s = e.settings().duration("interval").as_secs_f64();
            let [one, five, fifteen] =
                PERIODS_S.map(|period_s| Figure::exact(remaining(step_s, period_s), "ratio"));
            one.near(0.920_043_902, 1e-6)?
                .and(five.near(0.983_471_344, 1e-6))?
                .and(fifteen.near(0.994_459_811, 1e-6))
        })
        .without(TEN_SECONDS)],
        &[],
    ),
    mystery(
        "LA-3",
        "When one thread has kept an idle machine busy for a minute, the 1-minute average is about \
         0.62, not 1.",
        &[
            closed_form(|e| {
                let knobs = e.settings();
                let after = |updates, expected| {
                    Figure::exact(grown(&knobs, 0, updates), "tasks").near(expected, 0.000_5)
                };
                after(11, 0.602)?
                    .and(after(12, 0.634))?
                    .and(after(24, 0.868))?
                    .and(after(36, 0.953))?
                    .and(after(60, 0.996))
            })
            .without(WINDOW),
            simulated(&["spinner"], |e| follows(e, 0.005)).without(WINDOW),
            live(&["spinner"], |e| {
                alone(e, "spinner")?;
                follows(e, 0.05)
            })
            .without(&[("spinners-do", "sleep")]),
        ],
        &[ShownBy::Chart(&ONE_THREAD, &["spinner"])],
    ),
    mystery(
        "LA-4",
        "An update comes after 5 s and one tick of the timer, 5.004 s at 250 ticks a second: in a \
         minute there are 11 of them, or 12.",
        &[
            closed_form(|e| {
                let knobs = e.settings();
                let late_ms = 1e3 * knobs.int("extra-ticks") as f64 / knobs.int("hz") as f64;
                Figure::exact(late_ms, "ms")
                    .near(4.0, 1e-9)?
                    .because("beyond 5 s")?
                    .and(Figure::exact((60e3 / (5e3 + late_ms)).floor(), "updates").near(11.0, 0.0))
            })
            .without(&[("extra-ticks", "0")]),
            live(&["spinner"], a_tick_late).without(NOT_THE_KERNELS),
        ],
        &[],
    ),
    mystery(
        "LA-5",
        "None of them is an average over its minutes: 0.38 of a 1-minute average is older than a \
         minute.",
        &[closed_form(|e| {
            let knobs = e.settings();
            let older = |updates| 1.0 - tasks(Rule::of(&knobs).after(updates, 1)[0]);
            let share = if window(&knobs) { 0.0 } else { remaining(60.0, PERIODS_S[0]) };
            Figure::exact(share, "ratio")
                .between(older(12), older(11), Some(0.38))?
                .because("between 12 updates and 11")
        })
        .without(WINDOW)],
        &[ShownBy::Chart(&ONE_THREAD, &["spinner"])],
    ),
    mystery(
        "LA-6",
        "Rounding makes the longer averages say more: 0.643 after 5 minutes and 0.648 after 15, \
         where 0.632 is right.",
        &[closed_form(|e| {
            let after = |i, updates, expected| {
                Figure::exact(grown(&e.settings(), i, updates), "tasks").near(expected, 0.000_5)
            };
            after(2, 180, 0.648)?.and(after(1, 60, 0.643))
        })
        .without(&[("rounding", "down")])],
        &[ShownBy::Chart(&AVERAGES, &["rise-and-fall"])],
    ),
    mystery(
        "LA-7",
        "Linux counts tasks in uninterruptible sleep, too: k of them add k to the load and use no \
         CPU.",
        &[live(&["parts"], sleepers_count).without(&[("blocked-in", "sleep")])],
        &[ShownBy::Chart(&COUNTED, &["spinner", "parts"])],
    ),
    mystery(
        "LA-8",
        "Time in uninterruptible sleep, over the time that it was traced, is its part of the load: \
         926 ms of 60 s are 0.015; 2,307 and 694 ms of 10 s are 0.30.",
        &[closed_form(|e| {
            let part = |ms: f64, of_ms: f64, printed, rounding| {
                let part = if counts_sleep(&e.settings()) { ms / of_ms } else { 0.0 };
                Figure::exact(part, "tasks").near(printed, rounding)
            };
            part(926.0, 60e3, 0.015, 0.000_5)?.and(part(732.0, 10e3, 0.07, 0.005))?.and(part(
                2_307.0 + 694.0,
                10e3,
                0.30,
                0.005,
            ))
        })
        .without(CPU_ONLY)
        .calibrates()],
        &[],
    ),
    mystery(
        "LA-9",
        "A load average is the sum of its parts: 0.33 on CPUs, 0.67 and 0.11 in uninterruptible \
         sleep and 0.04 of other programs are 1.15, which explains the 1.19 that was printed.",
        &[
            closed_form(|e| {
                let asleep = if counts_sleep(&e.settings()) { 0.67 + 0.11 } else { 0.0 };
                let sum = 0.33 + 0.04 + asleep;
                Figure::exact(sum, "tasks").near(1.15, 1e-9)?.and(
                    Figure::exact(0.62 * sum + 0.38 * 1.25, "tasks")
                        .near(1.19, 0.005)?
                        .because("with what is left of the minute before"),
                )
            })
            .without(CPU_ONLY)
            .calibrates(),
            live(&["parts"], parts_add_up).without(CPU_ONLY),
        ],
        &[ShownBy::Chart(&MADE_OF, &["parts"])],
    ),
    mystery(
        "LA-10",
        "The three together say where the load goes: it rises if the first is the largest, falls \
         if the first is the smallest, and 0 in all of them is an idle machine.",
        &[simulated(&["rise-and-fall"], |e| {
            let of = |name: &str| Ok::<f64, Gap>(e.metric("rise-and-fall", name)?.value);
            let three = |moment: &str| -> Result<[f64; 3], Gap> {
                let minutes = |minutes| of(&format!("{moment}_{minutes}"));
                Ok([minutes(1)?, minutes(5)?, minutes(15)?])
            };
            let ([r1, r5, r15], [f1, f5, f15]) = (three("rising")?, three("falling")?);
            statements(&[
                ("a minute of load: 1 > 5 > 15", r1 > r5 && r5 > r15),
                ("a minute without: 1 is the smallest", f1 < f5 && f1 < f15),
                ("idle for long: 0 in all", three("idle")? == [0.0; 3]),
            ])
        })
        .without(&[("busy", "0s")])],
        &[ShownBy::Chart(&AVERAGES, &["rise-and-fall"])],
    ),
    Claim {
        id: "SP-1",
        says: "64 CPUs that are busy for half of the time, with 2 threads queued on average, have \
               a load average of 34.",
        source: &BOOK,
        checks: &[closed_form(|e| {
            let knobs = e.settings();
            let demand = 64.0 * 0.5 + knobs.float("queued");
            let steady = Rule::of(&knobs).after(720, demand as u64)[0];
            Figure::exact(demand, "tasks").near(34.0, 1e-9)?.and(
                Figure::exact(printed(steady), "tasks")
                    .near(34.0, 1e-9)?
                    .because("printed after an hour"),
            )
        })
        .without(&[("queued", "0")])],
        shown_by: &[],
    },
];

const TEN_SECONDS: &[(&str, &str)] = &[("interval", "10s")];
/// Neither the kernel's constants nor its interval.
const NOT_THE_KERNELS: &[(&str, &str)] = &[("interval", "10s"), ("extra-ticks", "0")];
pub(crate) const WINDOW: &[(&str, &str)] = &[("damping", "window")];
const CPU_ONLY: &[(&str, &str)] = &[("account", "cpu")];

const fn mystery(
    id: &'static str,
    says: &'static str,
    checks: &'static [Check],
    shown_by: &'static [ShownBy],
) -> Claim {
    Claim { id, says, source: &MYSTERY, checks, shown_by }
}

fn window(knobs: &Settings) -> bool {
    knobs.text("damping") == "window"
}

pub(crate) fn counts_sleep(knobs: &Settings) -> bool {
    knobs.text("account") == "all"
}

/// What one task has added to an average of an idle machine after this many updates.
fn grown(knobs: &Settings, average: usize, updates: u64) -> f64 {
    if window(knobs) {
        return (updates as f64 * STEP_S / PERIODS_S[average]).min(1.0);
    }
    tasks(Rule::of(knobs).after(updates, 1)[average])
}

/// The share of the CPUs that others may use: updates that count a task of theirs are then few. What
/// they count beyond the trial's own tasks is known and taken off.
const MOST: f64 = 0.2;

/// Others use few CPUs, and no more than half of the updates count tasks of theirs.
fn alone(e: &Evidence, variant: &str) -> Result<(), Gap> {
    undisturbed(variant, e.metric(variant, "others")?.value, MOST)?;
    let (more, updates) = e.proportion(variant, "counted_more")?;
    if more.value > 0.5 {
        let reason = format!("{variant}: most of {updates} updates counted other tasks, too");
        return Err(Gap::Invalid(reason));
    }
    Ok(())
}

fn to_the_last_bit(e: &Evidence) -> Judged {
    e.metric("spinner", "off")?
        .at_most(0.0)?
        .because("off, in 1/2048")?
        .and(e.metric("spinner", "printed_off")?.at_most(0.005)?.because("as it is printed"))
}

/// What the threads have added follows the exponential at each update, and at the last.
fn follows(e: &Evidence, tolerance: f64) -> Judged {
    let spinners = e.settings_of("spinner").int("spinners") as f64;
    let expected = |at_s: f64| spinners * (1.0 - remaining(at_s, PERIODS_S[0]));
    let points = e.curve("spinner", EXCESS)?;
    let off = points.iter().map(|(at_s, excess)| (excess.value - expected(*at_s)).abs());
    let off = Figure::exact(off.fold(0.0, f64::max), "tasks");
    let after_s = e.metric("spinner", "after")?.value;
    e.metric("spinner", "excess")?
        .near(expected(after_s), tolerance)?
        .because(&format!("after {after_s:.0} s"))?
        .and(off.at_most(tolerance)?.because("off, at any update"))
}

fn a_tick_late(e: &Evidence) -> Judged {
    let tick_ms = 1e3 * e.metric("spinner", "tick")?.value;
    let expected_ms = e.settings_of("spinner").int("extra-ticks") as f64 * tick_ms;
    let late = Figure::exact(1e3 * (e.metric("spinner", "interval")?.value - STEP_S), "ms");
    late.clone()
        .near(expected_ms, tick_ms / 2.0)?
        .because("beyond 5 s")?
        .and(late.between(0.0, 20.0, None))
}

/// With three updates or more their median decides: it counts no task that runs now and then.
fn sleepers_count(e: &Evidence) -> Judged {
    undisturbed("parts", e.metric("parts", "others")?.value, MOST)?;
    if e.proportion("parts", "counted_more")?.1 < 3 {
        alone(e, "parts")?;
    }
    let knobs = e.settings_of("parts");
    let [spinners, blocked] = ["spinners", "blocked"].map(|knob| knobs.int(knob) as f64);
    let counted = e.metric("parts", "counted")?.value - spinners;
    Figure::exact(counted, "tasks")
        .near_relative(blocked, 0.1)?
        .because("counted beside those that spin")?
        .and(e.metric("parts", "waiting_cpu")?.at_most(0.1)?.because("CPU time of each, a second"))
}

fn parts_add_up(e: &Evidence) -> Judged {
    alone(e, "parts")?;
    let excess = e.metric("parts", "excess")?.value;
    e.metric("parts", "accounted")?
        .near_relative(excess, 0.15)?
        .because("tasks, of what the average rose by")
}

pub(crate) const STORY: Story = Story {
    finding,
    reads: &["spinner"],
    chart: Some(ShownBy::Chart(&ONE_THREAD, &["spinner"])),
    next: Next { set: &[("spinners", "2")], ask: "Two threads spin now: how far does it rise?" },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let of = |name| Ok::<f64, Gap>(e.metric("spinner", name)?.value);
    let threads = e.settings_of("spinner").int("spinners");
    let plural = if threads == 1 { "" } else { "s" };
    Ok(format!(
        "After {:.0} s with {threads} busy thread{plural} on a machine that was idle, the 1-minute \
         load average had risen by {:.2}, not by {threads}.00.",
        of("after")?,
        of("excess")?,
    ))
}
