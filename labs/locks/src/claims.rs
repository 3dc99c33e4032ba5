//! Who said it first, what is claimed, and the checks.

use lab_kit::{Check, Claim, Evidence, Figure, Gap, Judged, Next, ShownBy, Source, Story};
use lab_kit::{live, simulated};

use crate::cells::{BESIDE_ADDITIONS, BESIDE_STORES};
use crate::model::TAKEN as TAKES;
use crate::{DISTANCES, OPERATIONS, TAKEN, WAKES};

/// The book, and what two of its readers measured.
pub(crate) const ATOMICS: Source = Source {
    short: "Bos, atomics and locks",
    title: "M. Bos, Rust Atomics and Locks, O'Reilly 2023",
    link: "https://marabos.nl/atomics/",
};

/// The article that named the convoy.
pub(crate) const CONVOY: Source = Source {
    short: "Blasgen et al., convoys",
    title: "M. Blasgen, J. Gray, M. Mitoma, T. Price, The Convoy Phenomenon, ACM SIGOPS Operating \
            Systems Review 13(2), 1979",
    link: "https://doi.org/10.1145/850657.850659",
};

pub(crate) const CLAIMS: &[Claim] = &[
    book(
        "RAL-1",
        "A relaxed load is a load: 1,000,000,000 took 300 ms, as plain ones do.",
        &[live(&["orders"], a_load_is_a_load).without(&[("load", "add-zero")])],
        &[ShownBy::Chart(&OPERATIONS, &["orders"])],
    ),
    book(
        "RAL-2",
        "Beside a second thread that loads the same variable, loads take as long as before.",
        &[live(&["beside"], |e| beside(e, "loads")?.at_most(1.2)?.because("times alone"))
            .without(&[("quiet", "stores")])],
        &[],
    ),
    book(
        "RAL-3",
        "Beside one that stores to it they take longer: the cache line moves to and fro.",
        &[live(&["beside"], |e| beside(e, "stores")?.at_least(SLOWER)?.because("times alone"))
            .without(ANOTHER_LINE)],
        &[],
    ),
    book(
        "RAL-4",
        "A compare_exchange that fails slows them like a store: it takes the line, too.",
        &[live(&["beside"], |e| beside(e, "exchanges")?.at_least(1.5)?.because("times alone"))
            .without(ANOTHER_LINE)],
        &[],
    ),
    book(
        "RAL-5",
        "Variables in one line of 64 B slow each other as if they were one; in different lines \
         they do not.",
        &[live(&["distances"], up_to_a_line).without(&[("neighbours", "padded")])],
        &[ShownBy::Chart(&DISTANCES, &["distances"])],
    ),
    book(
        "RAL-6",
        "A mutex calls the kernel only if a thread waits, and a waiting thread does not run; one \
         that spins runs for nothing.",
        &[
            live(&["mutex-2"], calls_for_waits).without(&[("lock", "mutex-1")]),
            live(&["spin", "mutex-2"], spinning_wastes).without(MUTEX_2),
        ],
        &[ShownBy::Chart(&TAKEN, &["spin", "mutex-2"])],
    ),
    book(
        "RAL-7",
        "A third state spares the calls of a mutex that nobody waits for; looking a hundred times \
         first spares waits.",
        &[
            live(&["mutex-1", "mutex-2"], spares_wakes).without(&[("lock", "mutex-1")]),
            live(&["mutex-2", "mutex-3"], spares_waits).without(MUTEX_2),
        ],
        &[],
    ),
    book(
        "RAL-8",
        "Ten threads that sleep with a lock held take ten sleeps; if they drop it first, one.",
        &[live(&["asleep"], sleeps_in_turn).without(&[("guard", "dropped")])],
        &[],
    ),
    book(
        "RAL-9",
        "On x86 an acquire load and a release store cost what relaxed ones do, a SeqCst store more \
         than twice as much.",
        &[live(&["orders"], only_seqcst_costs).without(&[("strongest", "release")])],
        &[ShownBy::Chart(&OPERATIONS, &["orders"])],
    ),
    book(
        "RAL-10",
        "Waking a thread takes ten times and more what it takes to see a store, and a context \
         switch.",
        &[live(&["condvar", "park", "spinning"], waking_takes).without(&[("waiter", "spinning")])],
        &[ShownBy::Chart(&WAKES, &["condvar", "park", "spinning"])],
    ),
    Claim {
        id: "CVY-1",
        says: "However many threads want it, a lock is taken no more often than one critical \
               section after the other allows.",
        source: &CONVOY,
        checks: &[
            live(&["mutex-2"], one_after_the_other).without(OWN),
            simulated(&["mutex-2"], one_after_the_other).without(OWN),
        ],
        shown_by: &[ShownBy::Chart(&TAKEN, &["mutex-2"])],
    },
    Claim {
        id: "CVY-2",
        says: "Granted in order, a busy lock is taken once in a context switch: a convoy, which \
               never dissolves. Granted to any thread that asks, it is taken more often.",
        source: &CONVOY,
        checks: &[
            live(&["in-order", "mutex-2"], a_switch_each_time).without(MUTEX_2),
            simulated(&["in-order"], section_and_switch).without(MUTEX_2),
        ],
        shown_by: &[ShownBy::Chart(&TAKEN, &["in-order", "mutex-2"])],
    },
];

/// A variable one cache line away from the one that the other thread uses.
pub(crate) const ANOTHER_LINE: &[(&str, &str)] = &[("distance", "64")];
pub(crate) const MUTEX_2: &[(&str, &str)] = &[("lock", "mutex-2")];
const OWN: &[(&str, &str)] = &[("locks", "own")];

/// The ratio from which on loads count as slower. When the line comes back, all loads in flight are
/// served, so two cores that share a third-level cache see no more than 1.4.
const SLOWER: f64 = 1.25;
/// The ratio up to which they count as no slower.
const SAME: f64 = 1.2;

const fn book(
    id: &'static str,
    says: &'static str,
    checks: &'static [Check],
    shown_by: &'static [ShownBy],
) -> Claim {
    Claim { id, says, source: &ATOMICS, checks, shown_by }
}

/// The ratio of two metrics of a variant.
fn over(e: &Evidence, variant: &str, above: &str, below: &str) -> Result<Figure, Gap> {
    Ok(e.metric(variant, above)?.over(&e.metric(variant, below)?))
}

fn a_load_is_a_load(e: &Evidence) -> Judged {
    over(e, "orders", "relaxed_load", "plain_load")?.near(1.0, 0.2)?.because("times a plain load")
}

/// How many times as long a load takes beside another thread that does `what` as it does alone.
pub(crate) fn beside(e: &Evidence, what: &str) -> Result<Figure, Gap> {
    over(e, "beside", &format!("beside_{what}"), "alone")
}

fn up_to_a_line(e: &Evidence) -> Judged {
    let slower = |curve, least| {
        let (near, far): (Vec<_>, Vec<_>) =
            e.curve("distances", curve)?.into_iter().partition(|(at, _)| *at < 64.0);
        let of = |points: Vec<(f64, Figure)>, pick: fn(f64, f64) -> f64| {
            let one = points.into_iter().map(|(_, figure)| figure.value).reduce(pick);
            Figure::exact(one.unwrap_or(f64::NAN), "times")
        };
        of(near, f64::min)
            .at_least(least)?
            .because(&format!("{curve}, in one line"))?
            .and(of(far, f64::max).at_most(SAME)?.because("in different lines"))
    };
    slower(BESIDE_ADDITIONS, 1.5)?.and(slower(BESIDE_STORES, SLOWER))
}

fn calls_for_waits(e: &Evidence) -> Judged {
    e.metric("mutex-2", "calls_alone")?
        .near(0.0, 0.0)?
        .because("calls of the kernel, alone")?
        .and(e.metric("mutex-2", "switches")?.at_least(1e-3)?.because("switches, contended"))
}

fn spinning_wastes(e: &Evidence) -> Judged {
    let spins = crowded(e, "spin")?;
    e.metric("spin", "wasted")?
        .at_least(0.8)?
        .because("CPU time of a wait that spins")?
        .and(e.metric("mutex-2", "wasted")?.at_most(0.1)?.because("that does not"))?
        .and(crowded(e, "mutex-2")?.over(&spins).at_least(2.0)?.because("times as often taken"))
}

/// How often the largest number of threads takes a lock, as a share of the bound.
pub(crate) fn crowded(e: &Evidence, variant: &str) -> Result<Figure, Gap> {
    let last = e.curve(variant, TAKES)?.pop();
    last.map(|(_, figure)| figure).ok_or_else(|| Gap::Unavailable("no threads".into()))
}

fn spares_wakes(e: &Evidence) -> Judged {
    let two = e.metric("mutex-1", "calls_alone")?.near(1.0, 0.0)?;
    two.because("calls of the kernel with two states")?
        .and(e.metric("mutex-2", "calls_alone")?.at_most(0.1)?.because("with three"))
}

fn spares_waits(e: &Evidence) -> Judged {
    let looks = e.metric("mutex-3", "switches")?;
    looks.over(&e.metric("mutex-2", "switches")?).at_most(0.2)?.because("times the switches")
}

fn sleeps_in_turn(e: &Evidence) -> Judged {
    let sleepers = e.settings_of("asleep").int("sleepers") as f64;
    e.metric("asleep", "held")?
        .near_relative(sleepers, 0.1)?
        .because("sleeps, held")?
        .and(e.metric("asleep", "dropped")?.near_relative(1.0, 0.1)?.because("dropped"))
}

fn only_seqcst_costs(e: &Evidence) -> Judged {
    if !cfg!(target_arch = "x86_64") {
        return Err(Gap::Unavailable("this is about x86".into()));
    }
    let times = |above, below| over(e, "orders", above, below);
    times("seqcst_store", "relaxed_store")?
        .at_least(2.0)?
        .because("times a relaxed store")?
        .and(times("release_store", "relaxed_store")?.at_most(SAME)?.because("a release store"))?
        .and(times("acquire_load", "relaxed_load")?.at_most(SAME)?.because("an acquire load"))
}

fn waking_takes(e: &Evidence) -> Judged {
    let times = |waiter| e.ratio((waiter, "wake", 0.5), ("spinning", "wake", 0.5));
    let switches = |waiter| e.metric(waiter, "switches")?.at_least(0.9)?.because("switches");
    times("condvar")?
        .at_least(10.0)?
        .because("times seeing a store: a condvar")?
        .and(times("park")?.at_least(10.0)?.because("park"))?
        .and(switches("condvar"))?
        .and(switches("park"))
}

fn one_after_the_other(e: &Evidence) -> Judged {
    let points = e.curve("mutex-2", TAKES)?;
    let most = points.iter().map(|(_, figure)| figure.value).fold(0.0, f64::max);
    Figure::exact(most, "of the bound")
        .at_most(1.05)?
        .because("of 1/section, at most")?
        .and(crowded(e, "mutex-2")?.at_least(0.5)?.because("by sixteen threads"))
}

fn a_switch_each_time(e: &Evidence) -> Judged {
    let any = crowded(e, "mutex-2")?;
    e.metric("in-order", "switches")?
        .at_least(0.9)?
        .because("switches each time, in order")?
        .and(any.over(&crowded(e, "in-order")?).at_least(2.0)?.because("times as often, else"))
}

/// With two threads or more, a section and a switch always take turns.
fn section_and_switch(e: &Evidence) -> Judged {
    let knobs = e.settings_of("in-order");
    let [section, switch] = ["section", "switch"].map(|knob| knobs.duration(knob).as_secs_f64());
    let share = section / (section + switch);
    let points = e.curve("in-order", TAKES)?;
    let off = |(_, figure): &(f64, Figure)| (figure.value / share - 1.0).abs();
    let worst = points.iter().skip(1).map(off).fold(0.0, f64::max);
    crowded(e, "in-order")?
        .near_relative(share, 0.02)?
        .because("of 1/section, by sixteen threads")?
        .and(Figure::exact(worst, "ratio").at_most(0.05)?.because("off, by two and more"))
}

/// What sixteen threads get from a lock.
pub(crate) const STORY: Story = Story {
    finding,
    reads: &["mutex-2", "in-order"],
    chart: Some(ShownBy::Chart(&TAKEN, &["spin", "mutex-2", "in-order"])),
    next: Next {
        set: &[("section", "50us"), ("outside", "12us")],
        ask: "The lock is held for 50 µs now, ten times as long as a context switch takes: how much \
              does granting it in order cost?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let share = |variant| Ok::<f64, Gap>(100.0 * crowded(e, variant)?.value);
    Ok(format!(
        "Of what one critical section after the other allows, 16 threads got {:.0} % from a mutex, \
         and {:.0} % from a lock that is granted in order.",
        share("mutex-2")?,
        share("in-order")?,
    ))
}
