//! Which trials run at the same time: never live ones, and up to a given number of consecutive
//! simulated ones.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use lab_record::{Mode, Trial};

/// Hands each trial to `execute`, in order, until one asks to stop or fails.
///
/// `execute` returns whether the next one may start; trials that are already running finish. Up to
/// `width` simulated trials run at once, since their figures do not depend on the machine.
///
/// # Errors
/// The first error of `execute`.
pub(crate) fn run_all(
    trials: &[Trial],
    width: usize,
    execute: impl Fn(&Trial) -> anyhow::Result<bool> + Sync,
) -> anyhow::Result<()> {
    for alike in trials.chunk_by(|a, b| a.mode == b.mode) {
        let width = if alike[0].mode == Mode::Simulated { width.clamp(1, alike.len()) } else { 1 };
        if !run_at_once(alike, width, &execute)? {
            break;
        }
    }
    Ok(())
}

/// Whether the trials after these may start.
fn run_at_once(
    trials: &[Trial],
    width: usize,
    execute: &(impl Fn(&Trial) -> anyhow::Result<bool> + Sync),
) -> anyhow::Result<bool> {
    let next = AtomicUsize::new(0);
    let work = || -> anyhow::Result<bool> {
        while let Some(trial) = trials.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = execute(trial);
            if !matches!(outcome, Ok(true)) {
                next.store(trials.len(), Ordering::Relaxed);
                return outcome;
            }
        }
        Ok(true)
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..width).map(|_| scope.spawn(work)).collect();
        let mut go_on = true;
        for worker in workers {
            go_on &= worker.join().expect("a trial's errors are values")?;
        }
        Ok(go_on)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use anyhow::bail;

    use super::*;

    fn trial(id: &str, mode: Mode) -> Trial {
        Trial {
            id: id.into(),
            lab: "lab".into(),
            variant: id.into(),
            label: id.into(),
            mode,
            seed: 1,
            warmup_ms: 0,
            measure_ms: 10,
            interval_ms: 1,
            deadline_ms: 1_000,
            knobs: Default::default(),
            profile: None,
            probe: None,
            inject: None,
        }
    }

    fn mixed() -> Vec<Trial> {
        let live = ["a", "b", "c"].map(|id| trial(id, Mode::Live));
        let simulated = ["d", "e", "f", "g"].map(|id| trial(id, Mode::Simulated));
        live.into_iter().chain(simulated).collect()
    }

    /// Runs `trials` with an executor that takes a moment; returns the order of starts and, for
    /// each start, the number of running trials.
    fn observe(trials: &[Trial], width: usize, stop_at: &str) -> (String, Vec<usize>) {
        let starts = Mutex::new((String::new(), Vec::new()));
        let running = AtomicUsize::new(0);
        run_all(trials, width, |trial| {
            let mut seen = starts.lock().unwrap();
            seen.0.push_str(&trial.id);
            seen.1.push(running.fetch_add(1, Ordering::SeqCst) + 1);
            drop(seen);
            thread::sleep(Duration::from_millis(40));
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(trial.id != stop_at)
        })
        .unwrap();
        starts.into_inner().unwrap()
    }

    #[test]
    fn live_trials_run_alone_and_simulated_ones_together() {
        let (order, beside) = observe(&mixed(), 2, "");
        assert_eq!(&order[..3], "abc");
        assert_eq!(
            beside[..4],
            [1, 1, 1, 1],
            "the first simulated trial waits for the last live one"
        );
        assert_eq!(order.len(), 7);
        assert_eq!(beside[3..].iter().max(), Some(&2));
    }

    #[test]
    fn nothing_starts_after_a_trial_that_stops_the_run() {
        assert_eq!(observe(&mixed(), 2, "b").0, "ab");
        assert_eq!(observe(&mixed(), 1, "e").0, "abcde");
    }

    #[test]
    fn an_error_ends_the_run() {
        let error = run_all(&mixed(), 2, |trial| match trial.id.as_str() {
            "e" => bail!("disk full"),
            _ => Ok(true),
        });
        assert_eq!(error.unwrap_err().to_string(), "disk full");
    }
}
