//! Each check by probe, on what a probe might have seen; `tests/claims.rs` has real probes.

use std::cell::RefCell;
use std::fs;

use lab_kit::{Ctx, How, Lab, Mode, Rehearsal, rehearse_observed, stub};
use lab_record::{Judgement, Outcome};

use crate::LAB;
use crate::tests::saw::{FOLDED, SEEN, folded};

use Outcome::{Invalid, NotReproduced, Reproduced};

mod saw;

/// A claim's checks in one way, in their order.
fn checks<'a>(judged: &'a [Judgement], id: &str, how: How) -> Vec<&'a Judgement> {
    judged.iter().filter(|j| j.id == id && j.how == how).collect()
}

thread_local! {
    /// What the next trials are to know, in their order: a variant is a plain function.
    static KNOWS: RefCell<Vec<&'static [(&'static str, f64)]>> = const { RefCell::new(Vec::new()) };
}

fn know(ctx: &mut Ctx) -> anyhow::Result<()> {
    let known = KNOWS.with_borrow_mut(|all| all.remove(0));
    known.iter().for_each(|(name, value)| ctx.metric(name, *value, ""));
    Ok(())
}

/// The lab with variants that only know something.
fn knowing(names: &[&'static str]) -> Lab {
    stub(&LAB, names, know)
}

#[test]
fn what_a_probe_saw_is_compared_with_what_the_trial_knows() {
    for case in SEEN {
        let outcome = |off: u64, lost: u64| {
            let names: Vec<_> = case.trials.iter().map(|(variant, _)| *variant).collect();
            KNOWS.set(case.trials.iter().map(|(_, knows)| *knows).collect());
            let dir = tempfile::tempdir().unwrap();
            let what = Rehearsal { mode: Mode::Live, variants: &names, set: &[], measure: None };
            let probe_dir = dir.path().join(format!("trials/001-{}/probe", names[0]));
            let judged =
                rehearse_observed(&knowing(&names), dir.path(), what, case.probe, |metrics| {
                    fs::write(probe_dir.join(FOLDED), folded(off)).unwrap();
                    let mut record = (case.saw)(metrics, off);
                    record.losses.ring_full = lost;
                    record
                });
            checks(&judged.unwrap(), case.claim, How::Probe)[case.check].clone()
        };
        let (all, missed, lost) = (outcome(0, 0), outcome(1, 0), outcome(0, 1));
        assert_eq!(all.outcome, Reproduced, "{all:#?}");
        assert_eq!(missed.outcome, NotReproduced, "{missed:#?}");
        assert_eq!(lost.outcome, Invalid, "{lost:#?}");
    }
}

/// A request whose end the kernel reports to no tracer is in no row. No other row may be missing.
#[test]
fn a_count_of_requests_may_be_short_of_those_without_an_end() {
    let saw = SEEN.iter().find(|case| case.probe == "biosnoop").unwrap().saw;
    let outcome = |missing, unfinished| {
        KNOWS.set(vec![&[("requests", 50.0)]]);
        let dir = tempfile::tempdir().unwrap();
        let what =
            Rehearsal { mode: Mode::Live, variants: &["direct-reads"], set: &[], measure: None };
        let lab = knowing(&["direct-reads"]);
        let judged = rehearse_observed(&lab, dir.path(), what, "biosnoop", |metrics| {
            let mut record = saw(metrics, missing);
            (record.losses.unfinished, record.cost.events) = (unfinished, 100);
            record
        });
        checks(&judged.unwrap(), "BPF-7", How::Probe)[0].outcome
    };
    assert_eq!(outcome(1, 1), Reproduced);
    assert_eq!(outcome(2, 1), NotReproduced);
    assert_eq!(outcome(1, 2), Invalid);
}
