use lab_record::{Accounting, Inject};

use super::settle::Settled;
use super::*;
use crate::series::Series;

const MS: Duration = Duration::from_millis(1);

fn timeline() -> Timeline {
    Timeline { warmup: 10 * MS, measure: 100 * MS, interval: 10 * MS }
}

fn ledger(starts_ms: &[u64]) -> Arc<Ledger> {
    let starts = starts_ms.iter().map(|ms| ms * 1_000_000).collect();
    Ledger::new(&Schedule::Open(starts), timeline())
}

fn max_ms(series: &Series) -> u64 {
    series.facts().max_ns / 1_000_000
}

#[test]
fn every_offered_request_has_one_end() {
    let ledger = ledger(&[5, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    for number in 0..8 {
        ledger.sent(number, MS * (6 + 10 * number as u32));
    }
    ledger.dropped(8); // and 9 was never reached
    ledger.completed(1, 25 * MS);
    ledger.completed(1, 99 * MS); // a second answer changes nothing
    ledger.completed(2, 90 * MS);
    ledger.failed(3, 41 * MS);
    ledger.refused(4, 51 * MS);
    ledger.abandoned(5, 65 * MS);
    ledger.timed_out(6, 99 * MS);
    ledger.completed(1_000, 25 * MS); // nor does one to an unknown request
    assert_eq!(ledger.in_flight(), 2);
    let Settled { accounting, .. } = ledger.sort(50 * MS);
    let expected = Accounting {
        offered: 9,
        completed: 1,
        failed: 1,
        refused: 1,
        timed_out: 2,
        abandoned: 1,
        in_flight: 1,
        dropped: 2,
        attempts: 7,
    };
    assert_eq!(accounting, expected);
    assert!(accounting.adds_up());
}

#[test]
fn a_request_without_an_answer_is_in_the_tail_with_the_time_it_has_waited() {
    let ledger = ledger(&[20, 20, 20, 20, 20, 20]);
    (0..5).for_each(|number| ledger.sent(number, 22 * MS));
    ledger.completed(0, 25 * MS);
    ledger.abandoned(1, 30 * MS);
    ledger.timed_out(2, 40 * MS);
    ledger.refused(3, 24 * MS);
    // 4 is still waiting, and 5 was never sent.
    ledger.heard_until(120 * MS);
    let Settled { accounting, response, service, .. } = ledger.sort(1_000 * MS);
    let facts = response.facts();
    assert_eq!((facts.count, facts.censored), (5, 4), "all but the refused one");
    assert_eq!(facts.censored_from_ns, Some(10_000_000), "the one that was abandoned");
    assert_eq!(max_ms(&response), 100, "from the intended start to the end of listening");
    assert_eq!((service.facts().count, max_ms(&service)), (4, 98));
    assert_eq!(accounting.in_flight, 1);
}

#[test]
fn an_unanswered_request_has_timed_out_once_it_has_waited_for_the_timeout() {
    let ledger = ledger(&[20, 90]);
    (0..2).for_each(|number| ledger.sent(number, 90 * MS));
    ledger.heard_until(100 * MS);
    let Settled { accounting, response, .. } = ledger.sort(50 * MS);
    assert_eq!((accounting.timed_out, accounting.in_flight), (1, 1));
    assert_eq!((response.facts().censored, max_ms(&response)), (2, 80));
    // Without `heard_until`, the last event counts as the end of listening.
    let ledger = self::ledger(&[20, 90]);
    (0..2).for_each(|number| ledger.sent(number, 90 * MS));
    assert_eq!(max_ms(&ledger.sort(50 * MS).response), 70);
}

#[test]
fn a_late_answer_counts_as_timed_out_and_its_time_is_exact() {
    let ledger = ledger(&[20]);
    ledger.sent(0, 20 * MS);
    ledger.completed(0, 90 * MS);
    let Settled { accounting, response, .. } = ledger.sort(50 * MS);
    assert_eq!(accounting.timed_out, 1);
    assert_eq!((response.facts().censored, max_ms(&response)), (0, 70));
}

#[test]
fn a_share_of_slow_requests_counts_those_that_have_waited_long_enough() {
    let ledger = ledger(&[20, 20, 20, 100]);
    (0..4).for_each(|number| ledger.sent(number, 20 * MS));
    ledger.completed(0, 21 * MS);
    ledger.completed(1, 80 * MS);
    ledger.heard_until(110 * MS);
    // 2 has waited for 90 ms; of 3, which has waited for 10, nothing is known.
    assert_eq!(ledger.at_least(50 * MS), (2, 3));
}

#[test]
fn rates_count_what_was_offered_sent_and_completed_in_each_interval() {
    let ledger = ledger(&[5, 10, 11, 29]);
    (0..4).for_each(|number| ledger.sent(number, 29 * MS));
    ledger.sent_again(1, 31 * MS);
    ledger.sent_again(1, 120 * MS); // after the measured span
    ledger.completed(1, 35 * MS);
    ledger.refused(2, 35 * MS);
    ledger.completed(3, 95 * MS); // after the timeout, as are two unwanted answers:
    ledger.answered_unwanted(36 * MS);
    ledger.answered_unwanted(130 * MS); // after the measured span
    let Settled { rates, accounting, .. } = ledger.sort(50 * MS);
    let [offered, attempts, goodput, throughput] = rates;
    assert_eq!(offered[..4], [2, 1, 0, 0]);
    assert_eq!(attempts[..4], [0, 4, 1, 0]);
    assert_eq!(goodput[..4], [0, 0, 1, 0]);
    assert_eq!(throughput, [0, 0, 2, 0, 0, 0, 0, 0, 1, 0]);
    assert_eq!(ledger.answered_rates(50 * MS), [10.0, 30.0], "per second, over 100 ms");
    assert_eq!(accounting.attempts, 5, "three requests of the span, one of them sent three times");
    assert_eq!(timeline().rates(&offered)[0], (0.005, 200.0), "2 in 10 ms");
}

#[test]
fn an_injected_slowness_moves_what_it_names_by_exactly_its_ratio() {
    let responses = |inject: Inject| {
        let ledger = ledger(&[20; 10]);
        for number in 0..9 {
            ledger.sent(number, 20 * MS);
            ledger.completed(number, MS * (21 + number as u32)); // 1 to 9 ms
        }
        ledger.sent(9, 20 * MS);
        ledger.failed(9, 21 * MS);
        ledger.stretch(inject);
        let took = |line: &Line| match line.read()?.ended? {
            (End::Completed, at_ns) => Some(at_ns / 1_000 - 20_000),
            _ => None,
        };
        ledger.lines.iter().filter_map(took).collect::<Vec<_>>()
    };
    assert_eq!(
        responses(Inject { from_quantile: 0.0, ratio: 0.1 }),
        [1_100, 2_200, 3_300, 4_400, 5_500, 6_600, 7_700, 8_800, 9_900]
    );
    assert_eq!(
        responses(Inject { from_quantile: 0.8, ratio: 0.1 }),
        [1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_800, 9_900]
    );
}

#[test]
fn response_runs_from_the_intended_start_and_service_from_the_send() {
    let ledger = ledger(&[20]);
    ledger.sent(0, 50 * MS);
    ledger.completed(0, 51 * MS);
    let settled = ledger.sort(Duration::MAX);
    let found = [&settled.response, &settled.service, &settled.lateness].map(max_ms);
    assert_eq!(found, [31, 1, 30]);
}
