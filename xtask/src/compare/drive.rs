//! From look to look: quads of trials until a scenario is decided.
//!
//! Pure except for the `run` that it is given, so its tests need no process.

use lab_verdict::looks::Looks;
use lab_verdict::method::Method;
use lab_verdict::order::{self, Turn};
use lab_verdict::pair::pair_up;
use lab_verdict::scenario::{self, Scenario};
use lab_verdict::trial::TrialRecord;

/// One scenario of a comparison, before its trials.
#[derive(Debug, Clone)]
pub(super) struct Course<'a> {
    pub(super) scenario: &'a str,
    /// The names of both sides.
    pub(super) sides: (&'a str, &'a str),
    pub(super) method: &'a Method,
    pub(super) looks: &'a Looks,
    pub(super) seed: u64,
    /// The number of its first quad; scenarios of one comparison share no quad.
    pub(super) first_quad: u32,
}

impl Course<'_> {
    /// Every turn up to the last spare pair, in the order in which they would run.
    pub(super) fn turns(&self) -> impl Iterator<Item = Turn> + use<> {
        let (seed, first) = (self.seed, self.first_quad);
        (first..first + self.looks.quads()).flat_map(move |quad| order::quad(seed, quad))
    }

    /// Runs turn after turn, judging after each quad, until the looks decide, a trial is invalid,
    /// or `run` stops it with `None`. `seen` gets every intermediate result.
    pub(super) fn drive(
        &self,
        mut run: impl FnMut(&Turn) -> anyhow::Result<Option<TrialRecord>>,
        mut seen: impl FnMut(&Scenario),
    ) -> anyhow::Result<Scenario> {
        let mut trials = Vec::new();
        for turn in self.turns() {
            let Some(trial) = run(&turn)? else { break };
            trials.push(trial);
            if turn.position == 3 {
                let judged = self.judge(&trials);
                seen(&judged);
                if judged.next_look.is_none() || judged.verdict.is_none() {
                    return Ok(judged);
                }
            }
        }
        Ok(self.judge(&trials))
    }

    fn judge(&self, trials: &[TrialRecord]) -> Scenario {
        let (pairs, refused) = pair_up(trials, "base");
        scenario::judge(self.scenario, self.sides, &pairs, &refused, self.method, self.looks)
    }
}

#[cfg(test)]
mod tests {
    use lab_verdict::order::Side;
    use lab_verdict::verdict::Verdict;

    use super::*;

    fn trial(turn: &Turn, slower: f64) -> TrialRecord {
        // A wobble that depends on the pair's arrivals, as noise would.
        let base = 1e6 * (1.0 + (turn.seed % 7) as f64 / 1e3);
        let ns = if turn.side == Side::New { base * (1.0 + slower) } else { base } as u64;
        let variant = if turn.side == Side::New { "new" } else { "base" };
        let line = format!(
            r#"{{"trial":0,"quad":{},"position":{},"variant":"{variant}","seed":{},"count":20000,"p50_ns":{ns},
               "p99_ns":{ns},"p999_ns":{ns},"max_ns":{ns},"slice_p99_ns":{:?}}}"#,
            turn.quad, turn.position, turn.seed, [ns; 10]
        );
        serde_json::from_str(&line).unwrap()
    }

    /// Drives a course whose new side is slower by `slower` of the quad.
    fn drive(slower: impl Fn(u32) -> f64) -> (Scenario, usize) {
        drive_trials(|turn| trial(turn, slower(turn.quad)))
    }

    fn drive_trials(run: impl Fn(&Turn) -> TrialRecord) -> (Scenario, usize) {
        let method = Method::default();
        let looks = method.looks(1).unwrap();
        let course = Course {
            scenario: "lab/variant",
            sides: ("a", "b"),
            method: &method,
            looks: &looks,
            seed: 1,
            first_quad: 12,
        };
        let mut ran = 0;
        let judged = course.drive(
            |turn| {
                ran += 1;
                Ok(Some(run(turn)))
            },
            |_| (),
        );
        (judged.unwrap(), ran)
    }

    #[test]
    fn a_clear_difference_takes_eight_pairs_and_noise_takes_them_all() {
        let (judged, ran) = drive(|_| 0.1);
        assert_eq!((judged.verdict, ran), (Some(Verdict::Regressed), 16));
        let (judged, ran) = drive(|_| 0.0);
        assert_eq!((judged.verdict, ran), (Some(Verdict::Equivalent), 16));
        let (judged, ran) = drive(|quad| if quad % 2 == 0 { 0.5 } else { -0.4 });
        assert_eq!((judged.verdict, ran), (Some(Verdict::Inconclusive), 48));
    }

    #[test]
    fn an_invalid_trial_ends_the_scenario_after_its_quad() {
        let (judged, ran) = drive(|quad| if quad == 13 { -1.0 } else { 0.0 });
        assert_eq!((judged.verdict, ran), (None, 8));
        assert!(judged.invalid_reasons[0].contains("is 0 ns"), "{:?}", judged.invalid_reasons);
    }

    #[test]
    fn late_pairs_are_retaken_up_to_a_bound() {
        let late_until = |quad: u32| {
            drive_trials(|turn| {
                let late = turn.quad < quad && turn.position == 1;
                let trial = trial(turn, 0.1);
                TrialRecord { lateness_p99_ns: late.then_some(trial.p50_ns), ..trial }
            })
        };
        // Quads 12, 13 and 14 lose a pair each: 11 pairs run, and the twelfth ends a quad.
        let (judged, ran) = late_until(15);
        assert_eq!((judged.verdict, judged.judged_pairs, ran), (Some(Verdict::Regressed), 8, 24));
        let (judged, ran) = late_until(99);
        assert_eq!((judged.verdict, judged.disturbed_pairs.len(), ran), (None, 7, 28));
    }

    #[test]
    fn an_interrupt_keeps_what_was_measured() {
        let method = Method::default();
        let looks = method.looks(1).unwrap();
        let course = Course {
            scenario: "s",
            sides: ("a", "b"),
            method: &method,
            looks: &looks,
            seed: 1,
            first_quad: 0,
        };
        let mut left = 10;
        let judged = course.drive(
            |turn| {
                left -= 1;
                Ok((left >= 0).then(|| trial(turn, 0.5)))
            },
            |_| (),
        );
        let judged = judged.unwrap();
        assert_eq!((judged.verdict, judged.judged_pairs), (Some(Verdict::Inconclusive), 5));
    }
}
