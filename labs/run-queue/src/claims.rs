//! The claims, and what each requires. Where other programs had the CPUs, a check is invalid.

use lab_kit::cpus::undisturbed;
use lab_kit::{Claim, Evidence, Figure, Gap, Judged, ShownBy, closed_form, live, observed};

use crate::charts::{GAPS, WAITING_SHARE, WAITS, WAKE_TO_RUN};
use crate::modes::{Modes, modes};
use crate::sources::{BANDWIDTH_CONTROL, LEARN_EBPF, LOAD_AVERAGES, WORKSHOP};
use crate::sweep::{SPINNERS, metric, waiting_share};

/// How far a share of waiting time may be off: five percentage points.
const POINTS: f64 = 0.05;
/// The share of the CPUs that other programs may take before a claim cannot be judged. It is half
/// of [`POINTS`], since all of it could fall on one spinner of two.
const MOST: f64 = 0.025;
/// Separates waits of microseconds from waits of a time slice.
const MICROSECONDS_NS: f64 = 100e3;
const SLICES_NS: f64 = 1e6;
/// Spinners that want every CPU four times over pile up even if a quarter of it is used by others.
const MOST_OF_MANY: f64 = 0.25;
/// What the kernel counts for threads and what a probe times at the same switches.
const PROBE: f64 = 0.02;

/// All of them.
pub(crate) const CLAIMS: &[Claim] = &[
    Claim {
        id: "BPF-9",
        says: "Run-queue latency has two modes where CPUs are saturated, of microseconds and of \
               slices, and one where a CPU is free.",
        source: &LEARN_EBPF,
        checks: &[
            live(&["eight-spinners"], two_modes).without(NOBODY_SPINS),
            live(&["one-spinner"], one_mode).without(CROWDED),
            live(&["eight-spinners"], second_mode_is_of_slices).without(NOBODY_SPINS),
            observed(&[("eight-spinners", "runqlat")], probe_sees_two_modes).without(NOBODY_SPINS),
            observed(&[("one-spinner", "runqlat")], probe_sees_one_mode).without(CROWDED),
        ],
        shown_by: &[
            ShownBy::Chart(&WAITS, &["one-spinner", "two-spinners", "eight-spinners"]),
            ShownBy::Chart(&WAKE_TO_RUN, &["one-spinner", "two-spinners", "eight-spinners"]),
        ],
    },
    Claim {
        id: "LA-12",
        says: "Run-queue latency quantifies how saturated CPUs are: n spinners wait for 1 - CPUs/n \
               of their time.",
        source: &LOAD_AVERAGES,
        checks: &[
            closed_form(turns_give).without(&[("cpus", "1")]),
            live(&["more-spinners"], each_waits_its_share).without(NOBODY_SPINS),
            observed(&[("more-spinners", "runqlat")], probe_sums_it_up).without(NOBODY_SPINS),
        ],
        shown_by: &[ShownBy::Chart(&WAITING_SHARE, &["more-spinners"])],
    },
    Claim {
        id: "WS-2",
        says: "Two threads kept on one CPU wait for half of their time, while the other CPU idles; \
               and all that they do is read nothing.",
        source: &WORKSHOP,
        checks: &[
            live(&["pinned"], half_is_waited).without(&[("pin", "all")]),
            live(&["pinned"], nothing_is_read).without(&[("reads", "a-byte")]),
        ],
        shown_by: &[ShownBy::Chart(&WAITS, &["pinned"])],
    },
    Claim {
        id: "BWC-1",
        says: "A quota of 20 ms in 100 ms keeps a thread that spins from running for 80 ms, each \
               period, though its CPU is free.",
        source: &BANDWIDTH_CONTROL,
        checks: &[live(&["quota"], quota_leaves_gaps).without(&[("quota", "100ms")])],
        shown_by: &[ShownBy::Chart(&GAPS, &["quota"])],
    },
];

const NOBODY_SPINS: &[(&str, &str)] = &[("spinners-do", "sleep")];
const CROWDED: &[(&str, &str)] = &[("spinners", "8")];

fn two_modes(e: &Evidence) -> Judged {
    let found = found_modes(e, "eight-spinners", MOST_OF_MANY)?;
    are_two(found)
}

fn one_mode(e: &Evidence) -> Judged {
    let found = found_modes(e, "one-spinner", MOST)?;
    is_one(found)
}

/// How many CPUs a variant's timed trials had, if no other program used them.
fn undisturbed_live(e: &Evidence, variant: &str, most: f64) -> Result<f64, Gap> {
    let metric = |name: &str| Ok(e.metric(variant, name)?.value);
    let cpus = metric("cpus")?;
    undisturbed(variant, metric("others")?, most)?;
    Ok(cpus)
}

/// The modes of a variant's waits, as its threads noted them.
fn found_modes(e: &Evidence, variant: &str, most: f64) -> Result<Modes, Gap> {
    undisturbed_live(e, variant, most)?;
    let mode = |name| Ok(e.metric(variant, name)?.value as u64);
    let second_ns = Some(mode("second_mode")?).filter(|ns| *ns > 0);
    Ok(Modes { first_ns: mode("first_mode")?, second_ns })
}

fn are_two(modes: Modes) -> Judged {
    let [first, second] = [modes.first_ns, modes.second_ns.unwrap_or(0)];
    Figure::exact(second as f64, "ns")
        .at_least(SLICES_NS)?
        .because("second mode")?
        .and(Figure::exact(first as f64, "ns").at_most(MICROSECONDS_NS)?.because("first mode"))
}

fn is_one(modes: Modes) -> Judged {
    let last = modes.second_ns.unwrap_or(modes.first_ns);
    Figure::exact(last as f64, "ns").at_most(MICROSECONDS_NS)?.because("last mode")
}

fn second_mode_is_of_slices(e: &Evidence) -> Judged {
    let variant = "eight-spinners";
    undisturbed_live(e, variant, MOST)?;
    let figure = |name| e.metric(variant, name);
    // A thread that has used its slice waits for at least one other slice and at most for those of
    // all others, each rounded up to ticks. Every wake-up of a sleeper ends one early.
    let least = figure("slice")?.value;
    let most = figure("slice_at_ticks")?.value * figure("spinners_beside")?.value;
    // Without a second mode a handful of long waits, from any cause, would do.
    let second = Figure::exact(figure("second_mode")?.value, "ns").at_least(SLICES_NS)?;
    figure("long_wait_median")?
        .between(least, most, None)?
        .because("median wait of over 1 ms: from a slice to those of all who share the CPU")?
        .and(second.because("second mode"))
}

fn probe_sees_two_modes(e: &Evidence) -> Judged {
    seen_by_probe(e, "eight-spinners", MOST_OF_MANY, are_two)
}

fn probe_sees_one_mode(e: &Evidence) -> Judged {
    seen_by_probe(e, "one-spinner", MOST, is_one)
}

fn seen_by_probe(e: &Evidence, variant: &str, most: f64, judge: fn(Modes) -> Judged) -> Judged {
    let seen = e.observation(variant, "runqlat")?;
    undisturbed(variant, seen.metric("others")?, most)?;
    let buckets = &seen.histogram("runqlat")?.buckets;
    let modes = modes(buckets.iter().map(|(low, high, count)| (low + (high - low) / 2, *count)));
    seen.unless_lost(judge(modes.ok_or_else(|| Gap::Unavailable("the probe saw no wait".into()))?))
}

/// Threads that take turns on two CPUs: the wait of each when all have had the same number of
/// turns.
fn turns_give(e: &Evidence) -> Judged {
    let of_cpus = e.settings_of("more-spinners").int("cpus") as f64;
    let (cpus, most) = (2, 64);
    let off = (1..=most).map(|spinners: usize| {
        let run = |turn: usize| (0..cpus.min(spinners)).map(move |i| (turn * cpus + i) % spinners);
        let ran = (0..spinners).flat_map(run).filter(|who| *who == 0).count();
        (1.0 - ran as f64 / spinners as f64 - waiting_share(of_cpus, spinners)).abs()
    });
    Figure::exact(off.fold(0.0, f64::max), "ratio")
        .near(0.0, 1e-9)?
        .because("1 to 64 that take turns, off the formula")
}

fn each_waits_its_share(e: &Evidence) -> Judged {
    let variant = "more-spinners";
    let cpus = undisturbed_live(e, variant, MOST)?;
    let judged = SPINNERS.map(|spinners| {
        e.metric(variant, &metric(spinners))?
            .near(waiting_share(cpus, spinners), POINTS)?
            .because(&format!("of {spinners}, on average"))
    });
    // The last is the most crowded: its figure stands for all, unless another fails.
    judged.into_iter().rev().reduce(|all, one| all?.and(one)).expect("there are four")
}

/// The probe sees every thread of the process; the waits of those that do not spin are known.
fn probe_sums_it_up(e: &Evidence) -> Judged {
    let variant = "more-spinners";
    let seen = e.observation(variant, "runqlat")?;
    undisturbed(variant, seen.metric("others_whole")?, MOST)?;
    let waited_s = seen.histogram("runqlat")?.sum as f64 / 1e9;
    let (living_s, ended_s) = (seen.metric("waited_by_living")?, seen.metric("waited_by_ended")?);
    let of_spinners =
        Figure::exact((waited_s - living_s) / seen.metric("spinners_lived")?, "ratio")
            .near(seen.metric("expected_whole")?, POINTS)?
            .because("sum of waits over the spinners' time")?;
    let of_all = Figure::exact(waited_s / (living_s + ended_s), "ratio").near(1.0, PROBE)?;
    seen.unless_lost(of_spinners.and(of_all.because("sum of waits over the threads' own")))
}

fn half_is_waited(e: &Evidence) -> Judged {
    let variant = "pinned";
    if e.metric(variant, "cpus")?.value < 2.0 {
        return Err(Gap::Unavailable("with one CPU there is no other to idle".into()));
    }
    undisturbed_live(e, variant, MOST)?;
    let share = |name| e.metric(variant, name)?.near(0.5, POINTS)?.because(name);
    share("least_waiting")?
        .and(share("most_waiting"))?
        .and(e.metric(variant, "idle_elsewhere")?.at_least(0.9)?.because("idle elsewhere"))
}

fn nothing_is_read(e: &Evidence) -> Judged {
    e.metric("pinned", "bytes")?
        .near(0.0, 0.0)?
        .because("bytes read")?
        .and(e.metric("pinned", "reads")?.at_least(1_000.0)?.because("reads"))
}

fn quota_leaves_gaps(e: &Evidence) -> Judged {
    let variant = "quota";
    undisturbed(variant, e.metric(variant, "others")?.value, POINTS)?;
    // What a thread runs beyond its quota until a tick ends it, it lacks in the next period: the
    // mean is exact where a single gap is not.
    e.metric(variant, "gap_mean")?
        .near_relative(80e6, POINTS)?
        .because("mean gap")?
        .and(e.metric(variant, "gaps_a_period")?.near_relative(1.0, 0.1)?.because("gaps a period"))
}
