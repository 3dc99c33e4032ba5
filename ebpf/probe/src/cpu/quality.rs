//! How far a profile can be trusted: a file beside the folded stacks, written last, so that only a
//! complete profile has it.
//!
//! `cpu.folded` has `cpu.json`: one JSON object with the fields of [`Quality`] and those of its
//! [`Figures`].

use serde::Serialize;

use super::away::Away;
use super::fold::Folded;
use super::unwind::STACK_BYTES;
use crate::exit::Exit;

/// Names the fields and their meaning; a reader refuses another major.
pub(crate) const SCHEMA: &str = "perf-lab.profile/1";

/// The share of the requested rate below which there is a note. The kernel starts a thread's
/// sampling timer when the thread is born, so one that takes less CPU time than the period is never
/// sampled, which shows in the achieved rate.
const RATE_SHARE_MIN: f64 = 0.8;

/// The least share of stacks that is worth a note, in percent.
const NOTED_PERCENT: f64 = 0.1;

/// The number of samples below which there is a note: a share of 10 % then has a standard error of
/// 3 percentage points or more.
const SAMPLES_MIN: u64 = 100;

/// The quality file.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Quality {
    /// [`SCHEMA`].
    pub(crate) schema: &'static str,
    /// `cpu`: where CPU time goes. `off-cpu`: where threads wait. `faults`: where memory is first
    /// touched.
    pub(crate) kind: &'static str,
    /// `perf-event`.
    pub(crate) backend: &'static str,
    /// `cpu-clock`, `cycles`, `context-switches` or `page-faults`.
    pub(crate) event: &'static str,
    /// Fields that only profiles of this kind have.
    #[serde(flatten)]
    pub(crate) figures: Figures,
    /// Samples in the profile; for time off the CPU, one for each wait.
    pub(crate) samples: u64,
    /// Samples lost: no room in the ring or the spool.
    pub(crate) lost: u64,
    /// Share, 0 to 1, of samples, or of time off the CPU, whose user stack does not reach the
    /// function its thread began in.
    pub(crate) rootless: f64,
    /// `framehop`.
    pub(crate) unwinder: &'static str,
    /// CPU-seconds of the observed threads in which samples could fall.
    pub(crate) cpu_seconds: f64,
    /// Wall-clock seconds of sampling.
    pub(crate) duration_s: f64,
    /// How the command ended; null for a process observed by --pid.
    pub(crate) exit: Option<Exit>,
    /// Notes for the reader, a sentence each.
    pub(crate) notes: Vec<String>,
}

/// The figures of one kind of profile.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Figures {
    /// `cpu`.
    Cpu(Rates),
    /// `off-cpu`, which has no rates: every wait is seen.
    OffCpu(Times),
    /// `faults`, whose samples each stand for the faults since the one before.
    Faults(Faults),
}

/// How many page faults there were.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Faults {
    /// Faults that the stacks add up to.
    pub(crate) faults: u64,
    /// Faults that the kernel counted.
    pub(crate) all_faults: u64,
    /// Share of faults, 0 to 1, that the kernel caused on the user's behalf.
    pub(crate) kernel: f64,
    /// Whether kernel stacks were not permitted.
    pub(crate) user_only: bool,
}

/// How densely CPU time was sampled.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Rates {
    /// Samples asked for per CPU-second.
    pub(crate) requested_hz: u32,
    /// Samples taken per CPU-second; null if no CPU time was seen.
    pub(crate) achieved_hz: Option<f64>,
    /// Times the kernel stopped an event for firing too often.
    pub(crate) throttled: u64,
    /// Share of samples, 0 to 1, taken in the kernel.
    pub(crate) kernel: f64,
    /// Whether kernel stacks were not permitted: then samples and `cpu_seconds` are of user space
    /// only.
    pub(crate) user_only: bool,
}

/// How long threads were off their CPU, all together.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Times {
    /// Waiting for something: what the stacks add up to.
    pub(crate) blocked_seconds: f64,
    /// Preempted, and waiting for a CPU. In no stack, since a stack would not explain it.
    pub(crate) preempted_seconds: f64,
}

/// `part` of `whole`, or 0 if `whole` is 0.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Notes on the figures themselves.
pub(crate) fn notes_on_figures(quality: &Quality) -> Vec<String> {
    let mut notes = match &quality.figures {
        Figures::Cpu(rates) => notes_on_rates(rates, quality),
        Figures::Faults(faults) => notes_on_faults(faults, quality.samples),
        Figures::OffCpu(_) if quality.samples == 0 => vec!["no thread was ever blocked".to_owned()],
        Figures::OffCpu(_) => Vec::new(),
    };
    if quality.lost > 0 {
        notes.push(format!("{} samples were lost for lack of room", quality.lost));
    }
    notes
}

fn notes_on_faults(faults: &Faults, samples: u64) -> Vec<String> {
    let missing = faults.all_faults.saturating_sub(faults.faults);
    let few = (samples < SAMPLES_MIN).then(|| format!("only {samples} samples: shares are rough"));
    let part = (missing * 50 > faults.all_faults).then(|| {
        format!(
            "{missing} of {} page faults are in no stack: they came behind the last sample, or \
                 samples were lost",
            faults.all_faults
        )
    });
    few.into_iter().chain(part).collect()
}

/// Notes on the stacks: truncated ones, and code made at run time.
pub(crate) fn notes_on_stacks(folded: &Folded) -> Vec<String> {
    let percent = |part| 100.0 * share(part, folded.total);
    let mut notes = Vec::new();
    let counts = |part| percent(part) >= NOTED_PERCENT;
    if counts(folded.copy_ended) {
        notes.push(format!(
            "{:.1} % stand under [truncated]: their stacks are larger than the {} KiB that are \
             copied (built with -fno-omit-frame-pointer, or -C force-frame-pointers, they are \
             whole)",
            percent(folded.copy_ended),
            STACK_BYTES / 1024
        ));
    }
    if counts(folded.no_tables) {
        notes.push(format!(
            "{:.1} % stand under [truncated]: the walk up the stack came to code without tables \
             for it",
            percent(folded.no_tables)
        ));
    }
    if counts(folded.generated) {
        let named = match folded.unnamed {
            0 => "all of it has names from /tmp/perf-PID.map".to_owned(),
            unnamed => format!(
                "{:.1} % have frames of it without a name (node --perf-basic-prof, java with a \
                 perf map agent and others write the names to /tmp/perf-PID.map)",
                percent(unnamed)
            ),
        };
        notes.push(format!(
            "{:.1} % go through code made at run time; {named}",
            percent(folded.generated)
        ));
    }
    notes
}

fn notes_on_rates(rates: &Rates, quality: &Quality) -> Vec<String> {
    let mut notes = Vec::new();
    match quality.samples {
        0 => notes.push("no sample: too little CPU time was taken".to_owned()),
        samples if samples < SAMPLES_MIN => {
            notes.push(format!("only {samples} samples: shares are rough"));
        }
        _ => {}
    }
    let requested_hz = f64::from(rates.requested_hz);
    let share_got = rates.achieved_hz.map_or(1.0, |hz| hz / requested_hz);
    if share_got < RATE_SHARE_MIN && quality.cpu_seconds * requested_hz >= SAMPLES_MIN as f64 {
        notes.push(format!(
            "only {:.0} % of the requested rate: samples were lost, or threads live shorter than \
             the {:.1} ms between samples and are not seen (a higher --hz sees more of them)",
            share_got * 100.0,
            1000.0 / requested_hz
        ));
    }
    notes
}

/// Notes on time off the CPU.
pub(crate) fn notes_on_away(away: &Away) -> Vec<String> {
    let seconds = |ns: u64| ns as f64 / 1e9;
    let mut notes = Vec::new();
    if away.still > 0 {
        notes.push(format!(
            "{} threads were still blocked at the end: their {:.3} s until then are in the stacks",
            away.still,
            seconds(away.still_ns)
        ));
    }
    if away.before > 0 {
        notes.push(format!(
            "of {} threads it is not known where they stood before their first switch: those {:.3} \
             s are in no figure",
            away.before,
            seconds(away.before_ns)
        ));
    }
    if away.stacks_lost > 0 {
        notes.push(format!(
            "{} of {} waits lost their stacks for lack of room: their {:.3} s stand under [stack \
             lost]",
            away.stacks_lost,
            away.waits,
            seconds(away.stacks_lost_ns)
        ));
    }
    if away.unpaired > 0 {
        notes.push(format!(
            "{} times away lost their beginning or end: they are in no figure",
            away.unpaired
        ));
    }
    notes
}
