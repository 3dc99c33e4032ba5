//! Who else had the CPUs: what the machine's other work took from the lab.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use lab_kit::thread::allowed_cpus;
use lab_kit::{Clock, Ctx, Gap, Timeline};
use rustix::time::{ClockId, clock_gettime};

/// What others may take of the CPUs before a claim about these can no longer be judged. Half of the
/// five points by which a share may be off: all of it could fall on one spinner of two.
pub(crate) const MOST: f64 = 0.025;

/// Some CPUs' clocks when it began.
struct Watch {
    cpus: Vec<usize>,
    from: Instant,
    idle: Duration,
    own: Duration,
}

/// How the CPUs' time went, as shares of it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shares {
    /// Nobody's.
    pub(crate) idle: f64,
    /// Neither idle nor this process's: other programs', the kernel's and the hypervisor's.
    pub(crate) others: f64,
}

impl Watch {
    fn begin(cpus: &[usize]) -> anyhow::Result<Self> {
        let (from, own) = (Instant::now(), own_time());
        Ok(Self { cpus: cpus.to_vec(), from, idle: idle(cpus)?, own })
    }

    /// How the time went since.
    fn shares(&self) -> anyhow::Result<Shares> {
        let all = self.from.elapsed().as_secs_f64() * self.cpus.len() as f64;
        let idle = (idle(&self.cpus)? - self.idle).as_secs_f64() / all;
        // Of this process's threads hardly any run elsewhere.
        let own = (own_time() - self.own).as_secs_f64() / all;
        Ok(Shares { idle, others: (1.0 - idle - own).max(0.0) })
    }
}

/// Waits for the end of the measured span, and says how its time went on each of these sets of CPUs.
///
/// # Errors
/// This system does not tell how long its CPUs idled.
pub(crate) fn watch<const N: usize>(
    timeline: Timeline,
    trial: Clock,
    sets: [&[usize]; N],
) -> anyhow::Result<[Shares; N]> {
    sleep(timeline.warmup.saturating_sub(trial.now()));
    let watches: Vec<Watch> = sets.into_iter().map(Watch::begin).collect::<Result<_, _>>()?;
    sleep(timeline.span().saturating_sub(trial.now()));
    let mut shares = [Shares::default(); N];
    for (shares, watch) in shares.iter_mut().zip(&watches) {
        *shares = watch.shares()?;
    }
    Ok(shares)
}

/// The first CPUs that this process may use, as many as the knob says. `None`, and a metric to tell,
/// where there are fewer.
pub(crate) fn cpus_for(ctx: &mut Ctx) -> Option<Vec<usize>> {
    let mut cpus = allowed_cpus();
    ctx.metric("cpus_there", cpus.len() as f64, "");
    let wanted = ctx.int("cpus") as usize;
    ctx.metric("cpus", wanted as f64, "");
    cpus.truncate(wanted);
    (cpus.len() == wanted).then_some(cpus)
}

/// How many CPUs a trial with these metrics had; unavailable where the machine has fewer than it
/// wants.
///
/// # Errors
/// Says so.
pub(crate) fn needs_cpus(metric: impl Fn(&str) -> Result<f64, Gap>) -> Result<f64, Gap> {
    let (there, wanted) = (metric("cpus_there")?, metric("cpus")?);
    if there < wanted {
        let reason = format!("{there} CPUs are too few: {wanted} are wanted (--set cpus={there})");
        return Err(Gap::Unavailable(reason));
    }
    Ok(wanted)
}

/// Invalid where others took too much of the CPUs for a claim to be judged.
///
/// # Errors
/// Says so.
pub(crate) fn undisturbed(variant: &str, others: f64, most: f64) -> Result<(), Gap> {
    if others <= most {
        return Ok(());
    }
    let [others, most] = [others, most].map(|share| share * 100.0);
    let reason = format!("{variant}: others had {others:.1} % of its CPUs");
    Err(Gap::Invalid(format!("{reason}, more than {most} %: run it on a quiet machine")))
}

/// What this process has run for.
fn own_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// How long these CPUs have idled, together.
fn idle(cpus: &[usize]) -> anyhow::Result<Duration> {
    let path = "/proc/stat";
    let stat = fs::read_to_string(path).context(path)?;
    let ticks = idle_ticks(&stat, cpus).with_context(|| format!("{path} lacks a CPU"))?;
    let hz = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_secs_f64(ticks as f64 / hz as f64))
}

/// `cpu1 user nice system idle iowait …`: a CPU that waits for a disk is idle too.
fn idle_ticks(stat: &str, cpus: &[usize]) -> Option<u64> {
    let ticks = |cpu: &usize| {
        let name = format!("cpu{cpu}");
        let mut lines = stat.lines().map(str::split_whitespace);
        let fields = lines.find_map(|mut line| (line.next()? == name).then_some(line))?;
        let idle: Vec<u64> = fields.skip(3).take(2).map_while(|field| field.parse().ok()).collect();
        (idle.len() == 2).then(|| idle.iter().sum::<u64>())
    };
    cpus.iter().map(ticks).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "\
cpu  300 1 20 700 11 0 2 7 50 50
cpu0 100 1 10 300 5 0 1 3 0 0
cpu1 100 0 5 400 6 0 1 4 0 0
cpu10 100 0 5 9 1
intr 1 2 3
";

    #[test]
    fn a_cpu_is_found_by_its_whole_name() {
        assert_eq!(idle_ticks(STAT, &[0, 1]), Some(711));
        assert_eq!(idle_ticks(STAT, &[10]), Some(10));
        assert_eq!(idle_ticks(STAT, &[2]), None);
        assert_eq!(idle_ticks("cpu0 1 2 3 4", &[0]), None, "a kernel without iowait");
    }

    #[test]
    fn what_others_take_is_said() {
        assert!(undisturbed("x", MOST, MOST).is_ok());
        let gap = undisturbed("x", 0.31, MOST).unwrap_err();
        assert!(matches!(&gap, Gap::Invalid(reason) if reason.contains("31.0 %")), "{gap:?}");
    }

    #[test]
    fn shares_are_shares() {
        let watch = Watch::begin(&allowed_cpus()).unwrap();
        sleep(Duration::from_millis(200));
        let shares = watch.shares().unwrap();
        // Ticks are hundredths of a second: two readings of a CPU may be two of them off.
        assert!((-0.1..=1.1).contains(&shares.idle), "{shares:?}");
        assert!((0.0..=1.1).contains(&shares.others), "{shares:?}");
    }
}
