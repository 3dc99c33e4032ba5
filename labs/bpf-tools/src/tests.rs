//! Each check is seen to hold, and to fail once its cause is taken away: those without rights on real
//! trials, those by probe on what a probe might have seen. `tests/observed.rs` has real probes.

use std::cell::RefCell;
use std::fs;

use lab_kit::{Ctx, How, Judged, Lab, Mode, Rehearsal, Variant, rehearse, rehearse_observed};
use lab_record::{Judgement, Outcome};
use lab_skip::{Need, skip};

use crate::LAB;
use crate::printed::{BIOLATENCY, biolatency, cachestat, read_hits};
use crate::tests::saw::{FOLDED, SEEN, folded};

use Outcome::{Invalid, NotReproduced, Reproduced, Unavailable};

mod saw;

fn run(variants: &[&str], set: &[(&str, &str)]) -> Vec<Judgement> {
    let dir = tempfile::tempdir().unwrap();
    let what = Rehearsal { mode: Mode::Live, variants, set, measure: None };
    rehearse(&LAB, dir.path(), what).unwrap()
}

/// A claim's checks in one way, in their order.
fn checks<'a>(judged: &'a [Judgement], id: &str, how: How) -> Vec<&'a Judgement> {
    judged.iter().filter(|j| j.id == id && j.how == how).collect()
}

fn holds(judged: Judged) -> bool {
    judged.unwrap().holds
}

#[test]
fn what_is_printed_follows_from_its_rows_by_its_own_arithmetic_and_no_other() {
    assert!(holds(cachestat(read_hits)));
    assert!(!holds(cachestat(|hits, misses, _| hits as f64 / (hits + misses) as f64)));
    assert!(holds(biolatency(&BIOLATENCY)));
    assert!(!holds(biolatency(&BIOLATENCY[1..])));
    let fast = BIOLATENCY.map(|(low, count)| (low, if low == 512 { count + 1 } else { count }));
    assert!(!holds(biolatency(&fast)));
}

#[test]
fn without_trials_only_formulas_say_anything() {
    let judged = run(&[], &[]);
    let by = |how| judged.iter().filter(move |j| j.how == how);
    assert_eq!((by(How::ClosedForm).count(), by(How::Live).count()), (2, 8));
    assert!(by(How::ClosedForm).all(|j| j.outcome == Reproduced), "{judged:#?}");
    assert!(by(How::Live).all(|j| j.outcome == Unavailable), "{judged:#?}");
    assert_eq!(by(How::Probe).count(), 14);
    assert!(by(How::Probe).all(|j| j.outcome == Unavailable && !j.reason.is_empty()));
}

/// A claim, the variants of its live check, and what takes the cause away.
type Live<'a> = (&'a str, &'a [&'a str], (&'a str, &'a str));

const LIVE: &[Live] = &[
    ("BPF-2", &["sessions"], ("hold", "10ms")),
    ("BPF-4", &["short-lived"], ("lifetime", "2s")),
    ("BPF-5", &["search-path"], ("order", "first")),
    ("BPF-6", &["slow-reads"], ("from", "disk")),
    ("BPF-6", &["slow-reads"], ("slow", "0s")),
    ("BPF-7", &["direct-reads"], ("cache", "used")),
    ("BPF-8", &["cold-file", "warm-file"], ("forget", "each")),
    ("BPF-8", &["cold-file", "warm-file"], ("passes", "200")),
    ("LAB-3", &["zero-reads"], ("read-bytes", "1")),
    ("MEM-3", &["first-touch"], ("memory", "touched")),
];

#[test]
fn without_rights_each_claim_fails_without_its_cause() {
    for (id, variants, without_cause) in LIVE {
        let judged = run(variants, &[*without_cause]);
        let check = checks(&judged, id, How::Live)[0];
        assert!([NotReproduced, Unavailable].contains(&check.outcome), "{id}: {check:#?}");
        tell_unavailable(check);
    }
}

#[test]
fn without_rights_each_claim_holds() {
    for (id, variants, _) in LIVE {
        // A machine that is busy elsewhere may disturb one trial, not every one.
        let found = (0..3).any(|_| {
            let judged = run(variants, &[]);
            let check = checks(&judged, id, How::Live)[0];
            tell_unavailable(check);
            if check.outcome == NotReproduced {
                println!("{check:?}");
            }
            [Reproduced, Unavailable].contains(&check.outcome)
        });
        assert!(found, "{id}");
    }
}

/// Not every disk is a device with ext4, nor every kernel one with accounts.
fn tell_unavailable(check: &Judgement) {
    if check.outcome == Unavailable {
        skip(Need::Disk, format!("{}: {}", check.id, check.reason));
    }
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
    let variant = |name: &&'static str| Variant::new(name, "knows", know).live([1; 3]);
    Lab { variants: names.iter().map(variant).collect::<Vec<_>>().leak(), ..LAB }
}

#[test]
fn what_a_probe_saw_is_held_against_what_the_trial_knows() {
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

/// A request whose end the kernel told nobody is in no row; more rows than such may not be missing.
#[test]
fn a_count_of_requests_may_be_short_of_those_without_an_end() {
    let saw = SEEN.iter().find(|case| case.probe == "biosnoop").unwrap().saw;
    let outcome = |missing, untold| {
        KNOWS.set(vec![&[("requests", 50.0)]]);
        let dir = tempfile::tempdir().unwrap();
        let what =
            Rehearsal { mode: Mode::Live, variants: &["direct-reads"], set: &[], measure: None };
        let lab = knowing(&["direct-reads"]);
        let judged = rehearse_observed(&lab, dir.path(), what, "biosnoop", |metrics| {
            let mut record = saw(metrics, missing);
            (record.losses.untold, record.cost.events) = (untold, 100);
            record
        });
        checks(&judged.unwrap(), "BPF-7", How::Probe)[0].outcome
    };
    assert_eq!(outcome(1, 1), Reproduced);
    assert_eq!(outcome(2, 1), NotReproduced);
    assert_eq!(outcome(1, 2), Invalid);
}

#[test]
fn what_a_disk_cannot_do_is_unavailable_and_told() {
    type Known = &'static [(&'static str, f64)];
    const CANNOT: [(&str, &str, Known, &str); 3] = [
        ("BPF-6", "slow-reads", &[("on_ext4", 0.0)], "not lie on ext4"),
        ("BPF-7", "direct-reads", &[("no_device", 1.0)], "no block device"),
        ("BPF-7", "direct-reads", &[("direct_errno", 22.0)], "Invalid argument"),
    ];
    for (id, variant, knows, why) in CANNOT {
        KNOWS.set(vec![knows]);
        let dir = tempfile::tempdir().unwrap();
        let what = Rehearsal { mode: Mode::Live, variants: &[variant], set: &[], measure: None };
        let judged = rehearse(&knowing(&[variant]), dir.path(), what).unwrap();
        let check = checks(&judged, id, How::Live)[0];
        assert_eq!(check.outcome, Unavailable, "{check:#?}");
        assert!(check.reason.contains(why), "{check:#?}");
    }
}

#[test]
fn the_lab_describes_itself() {
    assert_eq!(LAB.describe().name, env!("CARGO_PKG_NAME"));
}
