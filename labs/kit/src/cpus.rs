//! The CPUs of a trial: chosen at its start, and watched for how much other programs use them.

use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_proc::process_cpu_time;

use crate::clock::Clock;
use crate::ctx::Ctx;
use crate::finding::Gap;
use crate::series::Timeline;
use crate::thread::allowed_cpus;

/// The first `wanted` CPUs that this process may use. Where there are fewer, the trial is
/// [unavailable](Ctx::unavailable), and the reason names `knob`, which asked for them.
pub fn take(ctx: &mut Ctx, wanted: usize, knob: &str) -> Option<Vec<usize>> {
    let mut cpus = allowed_cpus();
    let there = cpus.len();
    cpus.truncate(wanted);
    if there < wanted {
        let reason = format!("{there} CPUs are too few: {wanted} are needed");
        ctx.unavailable(reason, format!("--set {knob}={there}"));
        return None;
    }
    Some(cpus)
}

/// How a set of CPUs spent its time, as shares (0 to 1).
#[derive(Debug, Clone, Copy, Default)]
pub struct Shares {
    /// Idle.
    pub idle: f64,
    /// Used neither by this process nor idle: used by other programs, the kernel or the hypervisor.
    pub others: f64,
}

/// Watches a set of CPUs: their clocks at the beginning.
#[derive(Debug)]
pub struct Watch {
    cpus: Vec<usize>,
    from: Instant,
    idle: Duration,
    own: Duration,
}

impl Watch {
    /// # Errors
    /// This system does not report how long its CPUs were idle.
    pub fn begin(cpus: &[usize]) -> io::Result<Self> {
        let (from, own) = (Instant::now(), process_cpu_time());
        Ok(Self { cpus: cpus.to_vec(), from, idle: idle(cpus)?, own })
    }

    /// How the CPUs have spent the time since then. The kernel counts in ticks of 10 ms: under a
    /// second, shares are coarse.
    ///
    /// # Errors
    /// A CPU went offline.
    pub fn shares(&self) -> io::Result<Shares> {
        let all = self.from.elapsed().as_secs_f64() * self.cpus.len() as f64;
        let idle = (idle(&self.cpus)? - self.idle).as_secs_f64() / all;
        // Assumes that this process hardly runs on other CPUs.
        let own = (process_cpu_time() - self.own).as_secs_f64() / all;
        Ok(Shares { idle, others: (1.0 - idle - own).max(0.0) })
    }
}

/// Waits for the end of the measured span, and returns how each of these sets of CPUs spent it.
///
/// # Errors
/// This system does not report how long its CPUs were idle.
pub fn watch<const N: usize>(
    timeline: Timeline,
    trial: Clock,
    sets: [&[usize]; N],
) -> io::Result<[Shares; N]> {
    sleep(timeline.warmup.saturating_sub(trial.now()));
    let watches: Vec<Watch> = sets.into_iter().map(Watch::begin).collect::<Result<_, _>>()?;
    sleep(timeline.span().saturating_sub(trial.now()));
    let mut shares = [Shares::default(); N];
    for (shares, watch) in shares.iter_mut().zip(&watches) {
        *shares = watch.shares()?;
    }
    Ok(shares)
}

/// The largest share of a trial's CPUs that [`quietly`] leaves to other programs.
const MOST_TIME_OF_OTHERS: f64 = 0.05;

/// Runs a trial that needs a machine with nothing else to do. A live one is invalid if other
/// programs used more than 5 % of the CPUs that this process may use; their share is the metric
/// `others`. For spans of a second or more: the kernel counts in ticks of 10 ms.
///
/// For another bound or other CPUs, see [`undisturbed`].
///
/// # Errors
/// As `run`; or this system does not report how long its CPUs were idle.
pub fn quietly(ctx: &mut Ctx, run: fn(&mut Ctx) -> anyhow::Result<()>) -> anyhow::Result<()> {
    nearly_alone(ctx, MOST_TIME_OF_OTHERS, run)
}

/// As [`quietly`], with its own bound, for a trial that gives the kernel work: the kernel's threads
/// do not count as this process.
///
/// # Errors
/// As `run`; or this system does not report how long its CPUs were idle.
pub fn nearly_alone(
    ctx: &mut Ctx,
    most: f64,
    run: fn(&mut Ctx) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if !ctx.is_live() {
        return run(ctx);
    }
    let watch = Watch::begin(&allowed_cpus())?;
    run(ctx)?;
    let others = watch.shares()?.others;
    ctx.metric("others", others, "ratio");
    if let Err(reason) = left_alone(others, most) {
        ctx.invalid(reason);
    }
    Ok(())
}

/// Refuses a figure as invalid where other programs used a larger share of `whose` CPUs than
/// `most`.
///
/// # Errors
/// [`Gap::Invalid`], with both shares.
pub fn undisturbed(whose: &str, others: f64, most: f64) -> Result<(), Gap> {
    left_alone(others, most).map_err(|reason| Gap::Invalid(format!("{whose}: {reason}")))
}

fn left_alone(others: f64, most: f64) -> Result<(), String> {
    if others <= most {
        return Ok(());
    }
    // To a thousandth of a percent, and no zeros behind it.
    let (others, most) = (100.0 * others, (1e5 * most).round() / 1e3);
    Err(format!(
        "others had {others:.1} % of its CPUs, more than {most} %: run it on a quiet machine"
    ))
}

/// How long these CPUs have been idle, in total.
fn idle(cpus: &[usize]) -> io::Result<Duration> {
    Ok(lab_proc::tick().mul_f64(lab_proc::of_cpus(cpus)?.idle() as f64))
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use lab_record::{Knobs, Metrics, Mode, Trial, read_json};

    use super::*;

    #[test]
    fn cpu_time_of_others_above_the_bound_is_reported() {
        assert!(undisturbed("x", 0.025, 0.025).is_ok());
        let gap = undisturbed("x", 0.31, 0.025).unwrap_err();
        let told = |reason: &str| reason.contains("31.0 %") && reason.contains("than 2.5 %");
        assert!(matches!(&gap, Gap::Invalid(reason) if told(reason)), "{gap:?}");
    }

    /// The reasons why a trial that waits for a second is invalid.
    fn reasons(mode: Mode) -> Vec<String> {
        let trial = Trial {
            id: "001".into(),
            lab: "lab".into(),
            variant: "one".into(),
            label: "one".into(),
            mode,
            seed: 1,
            warmup_ms: 0,
            measure_ms: 1_000,
            interval_ms: 100,
            deadline_ms: u64::MAX,
            knobs: Knobs::new(),
            profile: None,
            probe: None,
            inject: None,
        };
        let dir = tempfile::tempdir().unwrap();
        let mut ctx = Ctx::new(trial, dir.path().to_owned(), &[]);
        quietly(&mut ctx, |ctx| {
            sleep(ctx.timeline().span());
            Ok(())
        })
        .unwrap();
        ctx.finish(false).unwrap();
        read_json::<Metrics>(&dir.path().join("metrics.json")).unwrap().invalid_reasons
    }

    #[test]
    fn a_live_trial_beside_a_busy_program_is_invalid_and_a_simulated_one_is_not() {
        let spin = |_| Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let mut busy: Vec<Child> = allowed_cpus().into_iter().map(spin).collect();
        let [live, simulated] = [Mode::Live, Mode::Simulated].map(reasons);
        for child in &mut busy {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(live.len() == 1 && live[0].starts_with("others had "), "{live:?}");
        assert!(simulated.is_empty(), "{simulated:?}");
    }

    #[test]
    fn idle_and_other_shares_lie_between_zero_and_one() {
        let watch = Watch::begin(&allowed_cpus()).unwrap();
        sleep(Duration::from_millis(200));
        let shares = watch.shares().unwrap();
        // Ticks are hundredths of a second: two readings of a CPU may be two of them off.
        assert!((-0.1..=1.1).contains(&shares.idle), "{shares:?}");
        assert!((0.0..=1.1).contains(&shares.others), "{shares:?}");
    }

    #[test]
    fn a_spinning_thread_of_this_process_does_not_count_as_others() {
        // With a CPU to itself, or part of one: what it has is this process's.
        let cpus = allowed_cpus();
        let watch = Watch::begin(&cpus).unwrap();
        let before = process_cpu_time();
        crate::spin::cpu(Duration::from_millis(500));
        let ran = (process_cpu_time() - before).as_secs_f64();
        let (shares, all) = (watch.shares().unwrap(), watch.from.elapsed().as_secs_f64());
        let own = ran / (all * cpus.len() as f64);
        assert!(own > 0.0 && shares.idle + shares.others <= 1.0 - own + 0.1, "{shares:?} {own}");
    }
}
