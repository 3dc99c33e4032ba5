use lab_record::{Kind, KnobSpec, KnobValue};
use proptest::prelude::*;

use super::*;
use crate::exit::Code;

fn variant(name: &str, live: bool, simulated: bool, profiled: bool) -> VariantSpec {
    let spans = Spans { quick_ms: 1_000, default_ms: 3_000, full_ms: 10_000 };
    VariantSpec {
        name: name.into(),
        why: String::new(),
        live: live.then_some(spans),
        simulated: simulated.then_some(spans),
        profiled,
        responds: true,
        expects: Vec::new(),
        asks: false,
        probes: Vec::new(),
        set: Knobs::new(),
    }
}

/// Variants `both`, `live` (profiled) and `simulated`, and one knob.
fn lab() -> Description {
    let mut both = variant("both", true, true, false);
    both.set.insert("rate".into(), KnobValue::Int(20));
    Description {
        story: None,
        lessons: Vec::new(),
        name: "lab".into(),
        question: String::new(),
        sources: Vec::new(),
        knobs: vec![KnobSpec {
            name: "rate".into(),
            help: String::new(),
            unit: String::new(),
            default: KnobValue::Int(10),
            kind: Kind::Int { min: 1, max: 1_000 },
        }],
        variants: vec![
            both,
            variant("live", true, false, true),
            variant("simulated", false, true, false),
        ],
        claims: Vec::new(),
        charts: Vec::new(),
    }
}

fn request() -> Request {
    Request {
        mode: Mode::Live,
        depth: Depth::Default,
        variants: Vec::new(),
        set: Vec::new(),
        trials: None,
        duration: None,
        deadline: None,
        seed: 1,
        profile: ProfileKind::Cpu,
        profiler: Some(Backend::Pprof),
        probes: Vec::new(),
        own_probes: true,
        without_probes: BTreeMap::new(),
    }
}

fn ids(request: &Request) -> Vec<String> {
    plan(&lab(), request).unwrap().trials.into_iter().map(|trial| trial.id).collect()
}

#[test]
fn checks_get_the_trials_that_they_read_and_no_others() {
    let reads = |mode, name: &str, probe: Option<&str>| {
        (mode, Reads { variant: name.into(), probe: probe.map(str::to_owned) })
    };
    let wanted = BTreeSet::from([
        reads(Mode::Live, "both", None),
        reads(Mode::Live, "both", Some("runqlat")),
        reads(Mode::Live, "both", Some("opensnoop")),
        reads(Mode::Simulated, "simulated", None),
    ]);
    let without_probes = BTreeMap::from([("opensnoop".to_owned(), "no rights".to_owned())]);
    let set = vec![("rate".to_owned(), "7".to_owned())];
    let request = Request { trials: Some(2), set, without_probes, ..request() };
    let planned = plan_reads(&lab(), &request, &wanted).unwrap();
    let ids: Vec<_> = planned.iter().map(|trial| trial.id.as_str()).collect();
    assert_eq!(ids, ["001-both", "002-both-runqlat", "003-simulated", "004-both"]);
    assert!(planned.iter().all(|trial| trial.knobs["rate"] == KnobValue::Int(7)));
    assert_eq!(typed(&lab(), &request).unwrap(), [("rate".to_owned(), KnobValue::Int(7))].into());
}

#[test]
fn a_black_box_is_profiled_when_the_user_names_it() {
    let mut lab = lab();
    lab.variants[0].asks = true;
    let profiled = |variants: &[&str]| {
        let variants = variants.iter().map(|name| (*name).to_owned()).collect();
        let trials = plan(&lab, &Request { variants, ..request() }).unwrap().trials;
        let profiled = trials.into_iter().filter(|trial| trial.profile.is_some());
        profiled.map(|trial| trial.variant).collect::<Vec<_>>()
    };
    assert_eq!(profiled(&["both"]), ["both"]);
    assert_eq!(profiled(&[]), ["live"], "not every box of a lab");
}

#[test]
fn a_probe_observes_a_trial_of_its_own() {
    let live = || ids(&Request { profiler: None, ..request() });
    let probes = vec!["runqlat".to_owned(), "offcputime".to_owned()];
    let planned = plan(&lab(), &Request { profiler: None, probes, ..request() }).unwrap().trials;
    let probed: Vec<_> = planned.iter().filter(|trial| trial.probe.is_some()).collect();
    let worth = lab().variants.iter().filter(|v| v.profiled && v.live.is_some()).count();
    assert!(worth > 0 && probed.len() == 2 * worth, "{probed:?}");
    assert!(probed.iter().all(|trial| !trial.is_timed() && trial.mode == Mode::Live));
    assert!(probed[0].id.ends_with("-runqlat"), "{}", probed[0].id);
    let timed = planned.iter().filter(|trial| trial.is_timed()).count();
    assert_eq!(timed, live().len(), "the timed trials are as many as without");
}

#[test]
fn a_variant_is_observed_by_the_probes_that_it_names() {
    let mut lab = lab();
    lab.variants[0].probes = vec!["execsnoop".into(), "runqlat".into()];
    let observed = |request: &Request| -> Vec<(String, u64)> {
        let trials = plan(&lab, request).unwrap().trials;
        let observed = trials.into_iter().filter(|trial| trial.probe.is_some());
        observed.map(|trial| (trial.id[4..].to_owned(), trial.measure_ms)).collect()
    };
    let own = ("both-execsnoop".to_owned(), 3_000);
    let named = ("both-runqlat".to_owned(), 3_000);
    assert_eq!(observed(&request()), [own.clone(), named.clone()], "for as long as it takes");

    let typed = Request { probes: vec!["runqlat".into()], ..request() };
    let worth = ("live-runqlat".to_owned(), 4_000);
    assert_eq!(observed(&typed), [worth, own.clone(), named.clone()]);
    let both = Request { variants: vec!["both".into()], ..typed.clone() };
    let once = [named.clone(), own.clone()];
    assert_eq!(observed(&both), once, "what is typed is not observed twice");
    assert_eq!(wanted_probes(&lab, &both), ["execsnoop", "runqlat"]);

    let without_probes = [("execsnoop".to_owned(), "no rights".to_owned())].into();
    assert_eq!(observed(&Request { without_probes, ..request() }), [named]);
    assert_eq!(observed(&Request { own_probes: false, ..request() }), []);
    let simulated = Request { mode: Mode::Simulated, ..request() };
    assert_eq!(observed(&simulated), []);
    assert_eq!(wanted_probes(&lab, &simulated), [""; 0]);
}

fn refused(request: &Request) -> String {
    let error = plan(&lab(), request).unwrap_err();
    assert_eq!(Code::of(&error), Code::Usage, "{error:#}");
    error.to_string()
}

#[test]
fn variants_are_interleaved_then_profiled_then_simulated() {
    let twice = Request { trials: Some(2), ..request() };
    assert_eq!(
        ids(&twice),
        [
            "001-both",
            "002-live",
            "003-both",
            "004-live",
            "005-live-profiled",
            "006-both@simulated",
            "007-simulated",
        ]
    );
}

#[test]
fn a_simulated_run_leaves_out_what_only_runs_live_and_says_so() {
    let simulated = Request { mode: Mode::Simulated, trials: Some(3), ..request() };
    let Planned { trials, notes } = plan(&lab(), &simulated).unwrap();
    let labels: Vec<&str> = trials.iter().map(|trial| trial.label.as_str()).collect();
    assert_eq!(labels, ["both", "simulated"], "one each: a second would be the same");
    assert_eq!(notes, ["variant `live` does not run in simulated time: left out"]);
    let asked = Request { variants: vec!["live".into()], ..simulated };
    assert_eq!(refused(&asked), "variant `live` does not run in simulated time");
}

#[test]
fn a_companion_has_a_label_of_its_own() {
    let Planned { trials, .. } = plan(&lab(), &request()).unwrap();
    let labels: Vec<&str> = trials.iter().map(|trial| trial.label.as_str()).collect();
    assert_eq!(labels, ["both", "live", "live", "both@simulated", "simulated"]);
    assert!(trials.iter().all(|trial| !trial.variant.contains('@')));
}

#[test]
fn a_round_shares_its_seed_and_no_other_does() {
    let rounds = Request { trials: Some(50), profiler: None, ..request() };
    let Planned { trials, .. } = plan(&lab(), &rounds).unwrap();
    let mut seeds: Vec<u64> = trials.iter().take(100).map(|trial| trial.seed).collect();
    assert!(seeds.chunks(2).all(|round| round[0] == round[1]));
    seeds.dedup();
    assert_eq!(seeds.len(), 50);
    assert!(seeds.iter().all(|seed| *seed < 1 << 53));
    assert_eq!(trials[0].seed, trials[100].seed, "the companion repeats the first round");
    let other = plan(&lab(), &Request { seed: 2, ..rounds }).unwrap();
    assert!(!seeds.contains(&other.trials[0].seed));
}

#[test]
fn knobs_come_from_the_lab_then_the_variant_then_the_user() {
    let rate = |request: &Request| -> Vec<KnobValue> {
        let Planned { trials, .. } = plan(&lab(), request).unwrap();
        trials.iter().take(2).map(|trial| trial.knobs["rate"].clone()).collect()
    };
    assert_eq!(rate(&request()), [KnobValue::Int(20), KnobValue::Int(10)]);
    let set = vec![("rate".into(), "7".into()), ("rate".into(), "30".into())];
    assert_eq!(rate(&Request { set, ..request() }), [KnobValue::Int(30), KnobValue::Int(30)]);
}

#[test]
fn an_unknown_variant_or_knob_is_refused_with_the_nearest() {
    let asked = Request { variants: vec!["simulted".into()], ..request() };
    assert_eq!(refused(&asked), "no variant `simulted`: did you mean `simulated`?");
    let asked = Request { set: vec![("rat".into(), "1".into())], ..request() };
    assert_eq!(refused(&asked), "no knob `rat`: did you mean `rate`?");
    let asked = Request { set: vec![("rate".into(), "0".into())], ..request() };
    assert_eq!(refused(&asked), "knob `rate` takes a whole number from 1 to 1000, not `0`");
}

#[test]
fn a_lab_that_breaks_its_own_bounds_is_not_the_users_fault() {
    let mut broken = lab();
    broken.variants[0].set.insert("rate".into(), KnobValue::Int(0));
    let error = plan(&broken, &request()).unwrap_err();
    assert_eq!(Code::of(&error), Code::Failure);
    let mut unknown = lab();
    unknown.variants[0].set.insert("colour".into(), KnobValue::Int(0));
    assert!(plan(&unknown, &request()).unwrap_err().to_string().contains("colour"));
}

#[test]
fn a_profile_lasts_long_enough_unless_the_user_says_otherwise() {
    let spans = |request: &Request| -> Vec<(u64, u64)> {
        let Planned { trials, .. } = plan(&lab(), request).unwrap();
        let profiled = trials.iter().filter(|trial| trial.profile.is_some());
        profiled.map(|trial| (trial.measure_ms, trial.warmup_ms)).collect()
    };
    assert_eq!(spans(&request()), [(4_000, 500)]);
    assert_eq!(spans(&Request { depth: Depth::Quick, ..request() }), [(2_000, 150)]);
    assert_eq!(spans(&Request { depth: Depth::Full, ..request() }), [(20_000, 500)]);
    let short = Duration::from_millis(300);
    assert_eq!(spans(&Request { duration: Some(short), ..request() }), [(300, 500)]);
    assert!(spans(&Request { profiler: None, ..request() }).is_empty());
}

#[test]
fn waits_are_profiled_without_a_rate_where_a_typed_probe_would_observe() {
    let waits =
        Request { profile: ProfileKind::OffCpu, profiler: Some(Backend::PerfEvent), ..request() };
    let whom = |request: &Request| -> Vec<(String, Option<u32>)> {
        let trials = plan(&lab(), request).unwrap().trials.into_iter();
        let profiled = trials.filter_map(|trial| Some((trial.variant, trial.profile?)));
        let kinds = profiled.inspect(|(_, profile)| assert_eq!(profile.kind, request.profile));
        kinds.map(|(variant, profile)| (variant, profile.hz)).collect()
    };
    let usual: Vec<(String, Option<u32>)> = whom(&request());
    assert!(!usual.is_empty() && usual.iter().all(|(_, hz)| *hz == Some(99)));
    let rateless = usual.into_iter().map(|(variant, _)| (variant, None)).collect::<Vec<_>>();
    assert_eq!(whom(&waits), rateless, "those that the lab wants profiled");
    // If named, even a variant that the lab does not want profiled.
    let unprofiled = lab().variants.into_iter().find(|v| v.live.is_some() && !v.profiled).unwrap();
    let named = Request { variants: vec![unprofiled.name.clone()], ..waits };
    assert!(wants_profile(&lab(), &named));
    assert_eq!(whom(&named), [(unprofiled.name, None)]);
}

#[test]
fn deadlines_leave_time_to_set_up_and_drain() {
    let Planned { trials, .. } = plan(&lab(), &request()).unwrap();
    assert_eq!(trials[0].deadline_ms, 500 + 3_000 + 30_000);
    assert_eq!(trials.last().unwrap().deadline_ms, 120_000);
    let hurried = Request { deadline: Some(Duration::from_secs(1)), ..request() };
    let Planned { trials, .. } = plan(&lab(), &hurried).unwrap();
    assert!(trials.iter().all(|trial| trial.deadline_ms == 1_000));
}

#[test]
fn a_probe_is_built_only_for_a_variant_that_will_be_profiled() {
    assert!(wants_profile(&lab(), &request()));
    let only = |name: &str| Request { variants: vec![name.into()], ..request() };
    assert!(!wants_profile(&lab(), &only("both")));
    assert!(!wants_profile(&lab(), &Request { mode: Mode::Simulated, ..request() }));
}

#[test]
fn a_span_is_cut_as_finely_as_fifty_milliseconds_allow() {
    for (asked_ms, cut) in [
        (10_000, (10_000, 100)),
        (3_000, (3_000, 50)),
        (700, (700, 70)),
        (250, (250, 25)),
        (1_003, (1_010, 101)),
        (0, (10, 1)),
    ] {
        assert_eq!(intervals(asked_ms, 100), cut, "{asked_ms} ms");
    }
}

proptest! {
    #[test]
    fn intervals_divide_the_span_into_tens(asked_ms in 0_u64..10_000_000) {
        let (measure_ms, interval_ms) = intervals(asked_ms, 100);
        prop_assert!(measure_ms >= asked_ms && measure_ms < asked_ms.max(1) + 10);
        prop_assert_eq!(measure_ms % interval_ms, 0);
        let count = measure_ms / interval_ms;
        prop_assert!(count % 10 == 0 && (10..=100).contains(&count));
        prop_assert!(interval_ms >= 50 || count == 10);
    }

    /// For any request: every chosen variant runs in each of its modes as often as it should,
    /// live trials stand before simulated ones, and no two trials share a directory.
    #[test]
    fn every_requested_option_reaches_the_plan(
        modes in proptest::collection::vec((any::<bool>(), any::<bool>(), any::<bool>()), 1..6),
        trials in 1_u32..5,
        simulated in any::<bool>(),
    ) {
        let mut lab = lab();
        lab.variants = modes.iter().enumerate().map(|(i, (live, simulated, profiled))| {
            variant(&format!("v{i}"), *live, *simulated, *profiled)
        }).collect();
        let mode = if simulated { Mode::Simulated } else { Mode::Live };
        let request = Request { mode, trials: Some(trials), ..request() };
        let Ok(Planned { trials: planned, notes }) = plan(&lab, &request) else {
            let runs = |v: &VariantSpec| v.simulated.is_some() || (!simulated && v.live.is_some());
            prop_assert!(!lab.variants.iter().any(runs));
            return Ok(());
        };
        for v in &lab.variants {
            let of = |mode: Mode, profiled: bool| planned.iter().filter(|trial| {
                trial.variant == v.name && trial.mode == mode && trial.profile.is_some() == profiled
            }).count();
            let live = !simulated && v.live.is_some();
            prop_assert_eq!(of(Mode::Live, false), if live { trials as usize } else { 0 });
            prop_assert_eq!(of(Mode::Live, true), usize::from(live && v.profiled));
            prop_assert_eq!(of(Mode::Simulated, false), usize::from(v.simulated.is_some()));
            let left_out = !live && v.simulated.is_none();
            prop_assert_eq!(notes.iter().any(|note| note.contains(&v.name)), left_out);
        }
        prop_assert!(planned.is_sorted_by_key(|trial| trial.mode));
        let ids: BTreeSet<&String> = planned.iter().map(|trial| &trial.id).collect();
        prop_assert_eq!(ids.len(), planned.len());
    }
}

#[test]
fn a_profile_of_memory_is_taken_by_the_lab_itself_and_has_no_rate() {
    let (profile, profiler) = (ProfileKind::Memory, Some(Backend::Allocator));
    let trials = plan(&lab(), &Request { profile, profiler, ..request() }).unwrap().trials;
    let taken: Vec<_> = trials.iter().filter_map(|trial| trial.profile.as_ref()).collect();
    let expected = Profile { kind: profile, backend: Backend::Allocator, hz: None };
    assert_eq!(taken, [&expected]);
}
