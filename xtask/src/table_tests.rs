use std::collections::BTreeMap;

use lab_record::{Accounting, How, TrialSummary};

use super::*;
use lab_verdict::render::lines::WIDTH;

fn judgement(id: &str, how: How, outcome: Outcome, measured: Option<f64>) -> Judgement {
    Judgement {
        says: "With a hundred leaves of which one answer in a hundred is slow, 63 % of the \
               answers of the root are slow."
            .into(),
        source: "Dean & Barroso 2013".into(),
        predicted: Some(0.633_97),
        measured,
        low: measured.map(|m| m - 0.015),
        high: measured.map(|m| m + 0.015),
        unit: "ratio".into(),
        reason: "0.634 ± 0.03".into(),
        ..Judgement::bare(id, how, outcome)
    }
}

fn series(count: u64, p50_ns: u64) -> BTreeMap<String, SeriesSummary> {
    let all = SeriesSummary {
        count,
        min_ns: Some(p50_ns / 2),
        mean_ns: Some(p50_ns as f64),
        p50_ns: Some(p50_ns),
        p90_ns: Some(p50_ns * 2),
        p99_ns: Some(p50_ns * 100),
        p99_9_ns: None,
        max_ns: Some(p50_ns * 123),
        ..SeriesSummary::default()
    };
    BTreeMap::from([("lateness".into(), all.clone()), ("response".into(), all)])
}

fn trial(id: &str, variant: &str, mode: Mode, state: State) -> TrialSummary {
    TrialSummary {
        id: id.into(),
        variant: variant.into(),
        mode,
        seed: 1,
        state,
        profiled: false,
        accounting: Default::default(),
    }
}

fn summary() -> Summary {
    let long = "background-synchronized";
    Summary {
        story: Default::default(),
        limits: Vec::new(),
        lab: "tail-latency".into(),
        run: "target/perf-lab/tail-latency/20261122T170347Z-3fa1".into(),
        mode: Mode::Live,
        valid: false,
        invalid_reasons: vec!["001-single: the generator was late: p99 2 ms".into()],
        notes: Vec::new(),
        trials: vec![
            trial("001-single", "single", Mode::Live, State::Finished),
            trial("002-background-synchronized", long, Mode::Live, State::Finished),
            trial("003-fan-out", "fan-out", Mode::Live, State::TimedOut),
            trial("004-single@simulated", "single", Mode::Simulated, State::Finished),
        ],
        requests: BTreeMap::new(),
        series: BTreeMap::from([
            (long.into(), series(1_234_567, 1_050_000)),
            ("single".into(), series(2_000, 98_700)),
            ("single@simulated".into(), series(2_000, 100_000)),
        ]),
        metrics: BTreeMap::new(),
        curves: Vec::new(),
        claims: vec![
            judgement("TAS-2", How::ClosedForm, Outcome::Reproduced, Some(0.634)),
            judgement("TAS-2", How::Simulated, Outcome::NotReproduced, Some(0.012)),
            judgement("TAS-2", How::Live, Outcome::Unavailable, None),
            judgement("TAS-14", How::Live, Outcome::Invalid, Some(0.5)),
            Judgement {
                unit: "standard errors".into(),
                predicted: None,
                low: None,
                ..judgement("TAS-14", How::Simulated, Outcome::Reproduced, Some(1.56))
            },
        ],
        profiles: Vec::new(),
        probes: Vec::new(),
        artifacts: vec!["flame/single.svg".into()],
    }
}

#[test]
fn a_summary_is_printed_as_in_its_snapshot() {
    insta::assert_snapshot!("summary", render(&summary(), Paint::Plain));
}

#[test]
fn every_line_fits_the_terminal() {
    for line in render(&summary(), Paint::Plain).lines() {
        assert!(line.chars().count() <= WIDTH, "{line}");
    }
}

#[test]
fn colours_touch_nothing_but_the_outcomes() {
    let colored = render(&summary(), Paint::Colors);
    assert!(colored.contains("\x1b[32mreproduced\x1b[0m"), "{colored}");
    let mut plain = colored;
    for code in ["\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[0m"] {
        plain = plain.replace(code, "");
    }
    assert_eq!(plain, render(&summary(), Paint::Plain));
}

#[test]
fn rows_with_the_same_reason_print_it_once() {
    let mut alike = summary();
    alike.claims.truncate(1);
    for how in [How::Simulated, How::Live] {
        alike.claims.push(judgement("TAS-2", how, Outcome::Invalid, None));
    }
    let text = render(&alike, Paint::Plain);
    assert_eq!(text.matches("0.634 ± 0.03").count(), 1, "{text}");
    alike.claims[1].reason = "another".into();
    let text = render(&alike, Paint::Plain);
    assert!(text.contains("another") && text.contains("0.634 ± 0.03"), "{text}");
}

#[test]
fn each_series_has_a_table_of_its_own_and_hiccups_have_none() {
    let mut lab = summary();
    let of = |name: &str| {
        let mut all = series(2_000, 98_700);
        let one = all.remove("response").unwrap();
        BTreeMap::from([(name.to_owned(), one.clone()), ("hiccup".to_owned(), one)])
    };
    let of_single = [("single".into(), of("run-queue")), ("single@simulated".into(), of("gap"))];
    lab.series = of_single.into();
    lab.series.insert(
        "background-synchronized".into(),
        BTreeMap::from([of("").remove_entry("hiccup").unwrap()]),
    );
    let text = render(&lab, Paint::Plain);
    let heads = ["run-queue", "gap"].map(|name| text.lines().position(|l| l.starts_with(name)));
    assert!(heads[0].is_some() && heads[0] < heads[1], "{text}");
    assert!(!text.contains("hiccup"), "{text}");
}

#[test]
fn a_bound_is_marked_and_unanswered_requests_are_counted() {
    let mut lab = summary();
    let of_long = lab.series.get_mut("background-synchronized").unwrap();
    let response = of_long.get_mut("response").unwrap();
    (response.censored, response.p99_bound, response.max_bound) = (8, true, true);
    let some = Accounting { offered: 28, completed: 20, timed_out: 8, ..Accounting::default() };
    lab.requests = BTreeMap::from([("single".into(), some.into())]);
    let text = render(&lab, Paint::Plain);
    assert!(text.contains(" 2.10 ms  ≥105 ms        –  ≥129 ms\n"), "{text}");
    assert!(text.contains("20 of 28 requests were answered: 20 completed, 8 timed out."), "{text}");
    let short = |valid| lab_report::answered_in_short(&Summary { valid, ..lab.clone() });
    assert_eq!(
        short(true),
        ["20 of 28 requests were answered; 8 timed out, as some do in this experiment."]
    );
    assert_eq!(short(false), lab_report::answered(&lab), "nothing is left out of an invalid run");
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
}
