//! A CPU profile from inside the process, where the kernel refuses one from outside.
//!
//! pprof samples on SIGPROF and unwinds in the handler. Its default unwinder crashes in a thread
//! that is itself unwinding or in libc, hence the block list: such samples are dropped. It sees
//! no kernel frames. 99 Hz stays below the kernel's timer frequency, which caps SIGPROF, and out
//! of step with periodic work.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use lab_proc::process_cpu_time;
use lab_record::{ProfileQuality, write_json};
use pprof::{Frames, ProfilerGuard, ProfilerGuardBuilder};

const BLOCKED: &[&str] = &["libc", "libgcc", "pthread", "vdso"];
const ACHIEVED_ENOUGH: f64 = 0.8;

/// A running profile of this process: one at a time.
pub struct CpuProfile {
    guard: ProfilerGuard<'static>,
    hz: u32,
    cpu_before: Duration,
}

impl CpuProfile {
    /// Takes `hz` samples a CPU-second from now on.
    ///
    /// # Errors
    /// Another profile runs, or the kernel gives no timer.
    pub fn start(hz: u32) -> anyhow::Result<Self> {
        let guard = ProfilerGuardBuilder::default()
            .frequency(i32::try_from(hz)?)
            .blocklist(BLOCKED)
            .build()
            .context("start the pprof profiler")?;
        Ok(Self { guard, hz, cpu_before: process_cpu_time() })
    }

    /// Writes `cpu.folded` and `cpu.json` ([`ProfileQuality`]) into `dir`, which exists.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn stop(self, dir: &Path) -> anyhow::Result<()> {
        let cpu_seconds = (process_cpu_time() - self.cpu_before).as_secs_f64();
        let report = self.guard.report().build().context("collect the pprof profile")?;
        let mut stacks: BTreeMap<String, u64> = BTreeMap::new();
        for (frames, count) in &report.data {
            *stacks.entry(fold(frames)).or_default() += u64::try_from(*count)?;
        }
        let lines: String = stacks.iter().map(|(stack, n)| format!("{stack} {n}\n")).collect();
        lab_files::write(&dir.join("cpu.folded"), lines)?;
        let quality = quality(self.hz, stacks.values().sum(), cpu_seconds);
        write_json(&dir.join("cpu.json"), &quality)
    }
}

fn quality(hz: u32, samples: u64, cpu_seconds: f64) -> ProfileQuality {
    let requested_hz = f64::from(hz);
    let achieved_hz = ProfileQuality::achieved_hz(samples, cpu_seconds, Some(requested_hz));
    let mut notes = vec!["User frames only; samples inside libc are left out.".to_owned()];
    if let Some(achieved_hz) = achieved_hz.filter(|hz| *hz < ACHIEVED_ENOUGH * requested_hz) {
        notes.push(format!(
            "Only {achieved_hz:.0} of {requested_hz:.0} samples were taken in a CPU-second."
        ));
    }
    ProfileQuality {
        kind: "cpu".into(),
        backend: "pprof".into(),
        requested_hz: Some(requested_hz),
        achieved_hz,
        samples,
        notes,
        ..ProfileQuality::default()
    }
}

/// `thread;root;…;leaf`. A frame holds several symbols where functions were inlined into it, the
/// innermost first.
fn fold(frames: &Frames) -> String {
    let symbols = frames.frames.iter().rev().flat_map(|inlined| inlined.iter().rev());
    let names = symbols.map(|symbol| plain(&symbol.name()));
    std::iter::once(plain(&frames.thread_name)).chain(names).collect::<Vec<_>>().join(";")
}

/// A name without the characters that separate frames or lines in folded stacks.
pub(crate) fn plain(name: &str) -> String {
    name.chars().map(|c| if c == ';' || c.is_control() { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use std::sync::{Mutex, PoisonError};

    use super::*;

    /// pprof runs one profile at a time in a process.
    static TURN: Mutex<()> = Mutex::new(());

    #[test]
    fn a_busy_function_is_the_leaf_of_its_stack() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = tempfile::tempdir().unwrap();
        let profiler = CpuProfile::start(99).unwrap();
        // CPU time: on a busy machine, wall time says little about what was sampled.
        let start = process_cpu_time();
        while process_cpu_time() - start < Duration::from_millis(500) {
            std::hint::black_box(spin_for_the_profile(10_000));
        }
        profiler.stop(dir.path()).unwrap();
        let folded = fs::read_to_string(dir.path().join("cpu.folded")).unwrap();
        assert!(folded.contains("spin_for_the_profile"), "{folded}");
        let quality: ProfileQuality = lab_record::read_json(&dir.path().join("cpu.json")).unwrap();
        assert!(quality.samples >= 10, "{quality:?}");
    }

    /// Without the block list, pprof's unwinder crashes on a signal in a thread that is itself
    /// unwinding, or is just starting. A crash ends the whole test program.
    #[test]
    fn threads_that_panic_and_end_survive_their_profile() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let unwind = || {
            for _ in 0..200 {
                let caught = std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(())));
                assert!(caught.is_err());
            }
        };
        for _ in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            let profiler = CpuProfile::start(99).unwrap();
            let start = process_cpu_time();
            while process_cpu_time() - start < Duration::from_millis(100) {
                std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(unwind))));
            }
            profiler.stop(dir.path()).unwrap();
        }
    }

    #[inline(never)]
    fn spin_for_the_profile(rounds: u64) -> u64 {
        (0..rounds).fold(0, |sum, i| std::hint::black_box(sum ^ i.wrapping_mul(sum | 1)))
    }

    #[test]
    fn a_profile_below_its_rate_has_a_note() {
        assert_eq!(quality(99, 99, 1.0).notes.len(), 1);
        assert_eq!(quality(99, 50, 1.0).notes.len(), 2);
        assert_eq!(quality(99, 0, 0.0).achieved_hz, None);
        assert_eq!(quality(99, 150, 1.0).achieved_hz, Some(99.0));
        assert_eq!(plain("a;b\nc"), "a_b_c");
    }
}
