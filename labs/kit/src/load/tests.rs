use std::time::Duration;

use lab_record::{Accounting, End, How, Mode, Run};

use super::*;
use crate::thread::Usage;
use crate::{
    Arrivals, Clock, Ctx, Evidence, Lab, Ledger, Rehearsal, Schedule, Timeline, Variant, rehearse,
    seed,
};

const MS: Duration = Duration::from_millis(1);

const SERVER: Server = Server {
    threads: Threads::EventLoop,
    discipline: Discipline::Fifo,
    admission: Admission::All,
    work: Work::Wait,
    pause: Pause { from: Duration::ZERO, length: Duration::ZERO },
};

const CLIENT: Client = Client {
    connections: 4,
    at_most_in_flight: 10_000,
    timeout: Duration::from_secs(20),
    retries: Retries::NONE,
    tick: Duration::ZERO,
};

fn timeline(measure: Duration) -> Timeline {
    Timeline { warmup: Duration::ZERO, measure, interval: measure / 10 }
}

/// Asks `server` for `work` each time, and returns how the requests ended and what the server did.
fn asked(
    server: Server,
    client: Client,
    arrivals: Arrivals,
    [span, work, until]: [Duration; 3],
) -> (Accounting, Served) {
    let clock = Clock::live();
    let schedule = arrivals.plan(span, &mut seed::rng(1, &[]));
    let ledger = Ledger::new(&schedule, timeline(span));
    let running = server.start(clock).unwrap();
    client.ask(running.address(), &schedule, |_| work, (clock, until), &ledger).unwrap();
    let sum = ledger.sums(Duration::MAX);
    assert!(sum.adds_up(), "{sum:?}");
    (sum, running.stop())
}

#[test]
fn a_program_gets_the_number_of_a_request_and_fails_those_without_an_answer() {
    let clock = Clock::live();
    let schedule = Arrivals::Constant { rate: 200.0 }.plan(500 * MS, &mut seed::rng(1, &[]));
    let ledger = Ledger::new(&schedule, timeline(500 * MS));
    let server = Server { threads: Threads::Pool(1), work: Work::Cpu, ..SERVER };
    let even = |number: usize, work| work == MS && number.is_multiple_of(2);
    let running = server.start_with(clock, even).unwrap();
    let until = (clock, 20_000 * MS);
    CLIENT.ask(running.address(), &schedule, |_| MS, until, &ledger).unwrap();
    let sum = ledger.sums(Duration::MAX);
    assert_eq!((sum.offered, sum.completed, sum.failed), (99, 50, 49), "{sum:?}");
    let waits = Server { work: Work::Wait, ..server }.start_with(clock, even).unwrap_err();
    assert!(waits.to_string().contains("does not Wait"), "{waits}");
}

/// As `asked`, in simulated time.
fn simulated(
    server: Server,
    client: Client,
    arrivals: Arrivals,
    [span, work, until]: [Duration; 3],
) -> (Accounting, Served) {
    let schedule = arrivals.plan(span, &mut seed::rng(1, &[]));
    let ledger = Ledger::new(&schedule, timeline(span));
    let ends = [until, Duration::ZERO];
    let done = client.simulate(server, &schedule, |_| work, ends, &ledger).unwrap();
    let sum = ledger.sums(Duration::MAX);
    assert!(sum.adds_up(), "{sum:?}");
    (sum, done.served)
}

#[test]
fn every_kind_of_server_answers_every_request_once() {
    let all = [Threads::PerConnection, Threads::PerRequest, Threads::Pool(3), Threads::EventLoop];
    for threads in all {
        for work in [Work::Cpu, Work::Wait, Work::ExactWait] {
            let server = Server { threads, work, ..SERVER };
            let arrivals = Arrivals::Constant { rate: 200.0 };
            let (sum, served) = asked(server, CLIENT, arrivals, [500 * MS, MS, 20_000 * MS]);
            assert_eq!((sum.offered, sum.completed, sum.attempts), (99, 99, 99), "{threads:?}");
            assert_eq!((served.answered, served.refused), (99, 0), "{threads:?} {work:?}");
        }
    }
}

#[test]
fn starts_that_are_close_and_their_replies_wake_a_client_less_than_once_each() {
    let arrivals = Arrivals::Constant { rate: 20_000.0 };
    let before = Usage::here().voluntary;
    let (sum, served) = asked(SERVER, CLIENT, arrivals, [500 * MS, MS / 10, 20_000 * MS]);
    assert_eq!((sum.offered, sum.completed, served.answered), (9_999, 9_999, 9_999), "{sum:?}");
    let switches = Usage::here().voluntary - before;
    assert!(switches < 10_000, "for 9,999 requests and as many replies: {switches}");
}

#[test]
fn a_server_at_three_times_its_capacity_leaves_no_request_unaccounted_for() {
    // Two workers of 20 ms a request serve 100 a second.
    let server = Server { threads: Threads::Pool(2), ..SERVER };
    let arrivals = Arrivals::Constant { rate: 300.0 };
    let (sum, served) = asked(server, CLIENT, arrivals, [1_000 * MS, 20 * MS, 1_000 * MS]);
    assert_eq!(sum.offered, 299);
    assert!(sum.completed > 20 && sum.in_flight > 100, "{sum:?}");
    assert!(served.longest_queue > 100, "{served:?}");
}

#[test]
fn a_full_line_refuses_what_it_cannot_serve() {
    let server = Server { threads: Threads::Pool(2), admission: Admission::UpTo(4), ..SERVER };
    let arrivals = Arrivals::Constant { rate: 200.0 };
    let (sum, served) = asked(server, CLIENT, arrivals, [1_000 * MS, 20 * MS, 20_000 * MS]);
    assert_eq!(sum.completed + sum.refused, 199, "{sum:?}");
    assert!(sum.completed > 20 && sum.refused > 40, "about half: {sum:?}");
    assert_eq!((served.answered, served.refused), (sum.completed, sum.refused));
    assert!(served.longest_queue <= 4, "{served:?}");
}

#[test]
fn a_request_that_waits_too_long_is_refused_at_its_turn() {
    let admission = Admission::Within(30 * MS);
    let server = Server { threads: Threads::Pool(1), admission, ..SERVER };
    let arrivals = Arrivals::Constant { rate: 200.0 };
    let (sum, _) = asked(server, CLIENT, arrivals, [500 * MS, 20 * MS, 20_000 * MS]);
    assert_eq!(sum.completed + sum.refused, 99, "{sum:?}");
    assert!(sum.completed > 5 && sum.refused > 30, "{sum:?}");
}

#[test]
fn a_thread_for_each_request_serves_all_of_them_at_once() {
    let server = Server { threads: Threads::PerRequest, ..SERVER };
    let schedule = Schedule::Open((0..50).collect());
    let (clock, ledger) = (Clock::live(), Ledger::new(&schedule, timeline(MS)));
    let running = server.start(clock).unwrap();
    let until = (clock, 20_000 * MS);
    CLIENT.ask(running.address(), &schedule, |_| 200 * MS, until, &ledger).unwrap();
    assert_eq!(running.stop().answered, 50);
    let last = (0..50).filter_map(|number| ledger.ended_at(number)).max().unwrap();
    assert!(last < 50 * 200 * MS / 4, "one after another takes 10 s: {last:?}");
}

#[test]
fn a_server_that_is_stopped_ends_the_work_of_its_requests() {
    for threads in [Threads::PerRequest, Threads::Pool(2)] {
        let server = Server { threads, work: Work::Cpu, ..SERVER };
        let schedule = Schedule::Open((0..20).collect());
        let (clock, ledger) = (Clock::live(), Ledger::new(&schedule, timeline(MS)));
        let running = server.start(clock).unwrap();
        let hour = Duration::from_secs(3_600);
        CLIENT.ask(running.address(), &schedule, |_| hour, (clock, 50 * MS), &ledger).unwrap();
        drop(running);
        assert_eq!(ledger.sums(Duration::MAX).in_flight, 20, "{threads:?}");
    }
}

#[test]
fn a_length_that_is_controlled_refuses_what_would_wait_too_long() {
    let admission = Admission::Holding(100 * MS);
    let server = Server { threads: Threads::Pool(1), admission, ..SERVER };
    let arrivals = Arrivals::Constant { rate: 400.0 };
    let (sum, served) = asked(server, CLIENT, arrivals, [2_000 * MS, 10 * MS, 20_000 * MS]);
    assert_eq!(sum.completed + sum.refused, 799, "{sum:?}");
    assert!(sum.completed > 50 && sum.refused > 300, "a quarter can be served: {sum:?}");
    assert!((2..40).contains(&served.longest_queue), "ten are 100 ms: {served:?}");
}

#[test]
fn answers_that_no_client_waits_for_are_throughput_and_no_goodput() {
    let server = Server { threads: Threads::Pool(1), ..SERVER };
    let client = Client { timeout: 30 * MS, ..CLIENT };
    // All come at once and take 20 ms each, so that the first alone is in time.
    let schedule = Schedule::Open((0..8).chain([900_000_000]).collect());
    let (clock, ledger) = (Clock::live(), Ledger::new(&schedule, timeline(1_000 * MS)));
    let running = server.start(clock).unwrap();
    let until = (clock, 5_000 * MS);
    client.ask(running.address(), &schedule, |_| 20 * MS, until, &ledger).unwrap();
    let [in_time, answered] = ledger.answered_rates(30 * MS);
    assert!(in_time <= 3.0 && answered >= 8.0, "{in_time} and {answered} of 9 in a second");
    assert_eq!(ledger.sums(30 * MS).offered, 9);
}

#[test]
fn a_refused_request_is_tried_again_as_often_as_is_allowed() {
    let server = Server { admission: Admission::UpTo(0), ..SERVER };
    let retries = Retries { at_most: 2, after: MS, ..Retries::NONE };
    let arrivals = Arrivals::Constant { rate: 100.0 };
    let client = Client { retries, ..CLIENT };
    let (sum, served) = asked(server, client, arrivals, [300 * MS, MS, 20_000 * MS]);
    assert_eq!((sum.offered, sum.refused, sum.attempts), (29, 29, 87));
    assert_eq!(served.refused, 87);
    let server = Server { threads: Threads::Pool(1), ..server };
    let times = [300 * MS, MS, 20_000 * MS];
    assert_eq!(simulated(server, client, arrivals, times), (sum, served), "in simulated time");
}

#[test]
fn a_request_times_out_at_the_clients_timeout_and_is_tried_again() {
    let server = Server { threads: Threads::Pool(1), ..SERVER };
    let retries = Retries { at_most: 1, ..Retries::NONE };
    let client = Client { timeout: 20 * MS, retries, ..CLIENT };
    let arrivals = Arrivals::Constant { rate: 10.0 };
    let (sum, _) = asked(server, client, arrivals, [350 * MS, 5_000 * MS, 20_000 * MS]);
    assert_eq!((sum.offered, sum.timed_out, sum.attempts), (3, 3, 6), "{sum:?}");
    let (same, _) = simulated(server, client, arrivals, [350 * MS, 5_000 * MS, 20_000 * MS]);
    assert_eq!(same, sum, "in simulated time");
}

#[test]
fn a_refused_request_does_not_time_out_in_the_pause_before_its_retry() {
    let server = Server { threads: Threads::Pool(1), admission: Admission::UpTo(0), ..SERVER };
    // The budget pays for one retry: a timeout that counted as a second failure would need another.
    let budget = Budget::Tokens { per_success: 0.0, most: 1.0 };
    let retries = Retries { at_most: 9, after: 50 * MS, budget, ..Retries::NONE };
    let client = Client { connections: 1, timeout: 20 * MS, retries, ..CLIENT };
    let (arrivals, times) = (Arrivals::Constant { rate: 10.0 }, [150 * MS, MS, 1_000 * MS]);
    for (sum, served) in
        [asked(server, client, arrivals, times), simulated(server, client, arrivals, times)]
    {
        assert_eq!((sum.offered, sum.refused, sum.attempts), (1, 1, 2), "{sum:?}");
        assert_eq!(served.refused, 2);
    }
}

#[test]
fn a_simulated_server_answers_in_order_and_after_its_pause() {
    let server = Server { threads: Threads::Pool(1), ..SERVER };
    // 99 requests, 10 ms apart, of 5 ms each.
    let arrivals = Arrivals::Constant { rate: 100.0 };
    let times = [1_000 * MS, 5 * MS, 5_000 * MS];
    let client = Client { timeout: 50 * MS, ..CLIENT };
    let (sum, _) = simulated(server, client, arrivals, times);
    assert_eq!((sum.offered, sum.completed), (99, 99));
    // 20 come in the pause. The n-th waits for the rest of it, and for those before it.
    let pause = Pause { from: 405 * MS, length: 200 * MS };
    let (sum, served) = simulated(Server { pause, ..server }, client, arrivals, times);
    assert_eq!((served.answered, served.longest_queue), (99, 20), "{sum:?}");
    assert!(sum.timed_out > 20 && sum.completed > 50, "{sum:?}");
}

#[test]
fn a_server_of_a_kind_that_is_not_simulated_is_refused() {
    let schedule = Arrivals::Constant { rate: 100.0 }.plan(100 * MS, &mut seed::rng(1, &[]));
    let ledger = Ledger::new(&schedule, timeline(100 * MS));
    let ends = [100 * MS, Duration::ZERO];
    let error = CLIENT.simulate(SERVER, &schedule, |_| MS, ends, &ledger).unwrap_err();
    assert!(error.to_string().starts_with("EventLoop with Wait"), "{error}");
}

#[test]
fn a_closed_loop_has_as_many_requests_at_a_time_as_clients() {
    let server = Server { threads: Threads::Pool(8), ..SERVER };
    let arrivals = Arrivals::Closed { clients: 3, think: Duration::ZERO };
    let (sum, served) = asked(server, CLIENT, arrivals, [500 * MS, 50 * MS, 20_000 * MS]);
    assert_eq!(sum.completed, sum.offered);
    assert!((3..=33).contains(&sum.offered), "3 clients of 50 ms in 500 ms: {sum:?}");
    assert!(served.longest_queue <= 3, "{served:?}");
    let times = [500 * MS, 50 * MS, 20_000 * MS];
    let (sum, _) = simulated(Server { work: Work::Wait, ..server }, CLIENT, arrivals, times);
    assert_eq!((sum.offered, sum.completed), (30, 30), "each client asks at 0, 50 … 450 ms");
}

#[test]
fn requests_on_a_connection_that_breaks_are_abandoned() {
    // The server accepts the connection, reads a request, and closes it.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let rude = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Read::read_exact(&mut stream, &mut [0; frame::FRAME]).unwrap();
    });
    let schedule = Schedule::Open(vec![0, 1, 2]);
    let ledger = Ledger::new(&schedule, timeline(MS));
    let client = Client { connections: 1, ..CLIENT };
    let clock = (Clock::live(), 20_000 * MS);
    client.ask(address, &schedule, |_| MS, clock, &ledger).unwrap();
    rude.join().unwrap();
    let sum = ledger.sums(Duration::MAX);
    assert_eq!((sum.offered, sum.abandoned), (3, 3), "{sum:?}");
}

#[test]
fn requests_above_the_in_flight_bound_are_dropped_and_counted() {
    let server = Server { threads: Threads::Pool(1), ..SERVER };
    let client = Client { at_most_in_flight: 5, ..CLIENT };
    let arrivals = Arrivals::Constant { rate: 1_000.0 };
    let (sum, _) = asked(server, client, arrivals, [100 * MS, 100 * MS, 100 * MS]);
    assert!(sum.dropped > 80 && sum.attempts < 20, "{sum:?}");
}

#[test]
fn a_client_with_coarse_timers_sends_on_ticks_only() {
    let schedule = Schedule::Open((1..10).map(|i| i * 7_000_000).collect());
    let (clock, ledger) = (Clock::live(), Ledger::new(&schedule, timeline(MS)));
    let running = SERVER.start(clock).unwrap();
    let client = Client { tick: 50 * MS, ..CLIENT };
    client.ask(running.address(), &schedule, |_| MS, (clock, 20_000 * MS), &ledger).unwrap();
    let sent: Vec<_> = ledger.sent_at().map(|(_, sent)| sent).collect();
    assert!(sent[..7].iter().all(|at| *at >= 50 * MS), "{sent:?}");
    assert!(sent[7..].iter().all(|at| *at >= 100 * MS), "{sent:?}");
}

#[test]
fn last_come_first_served_serves_the_newest_first() {
    let run = |discipline| {
        let server = Server { threads: Threads::Pool(1), discipline, ..SERVER };
        let schedule = Schedule::Open((0..6).collect());
        let (clock, ledger) = (Clock::live(), Ledger::new(&schedule, timeline(MS)));
        let running = server.start(clock).unwrap();
        let until = (clock, 20_000 * MS);
        CLIENT.ask(running.address(), &schedule, |_| 30 * MS, until, &ledger).unwrap();
        let ends: Vec<_> = (0..6).filter_map(|number| ledger.ended_at(number)).collect();
        assert_eq!(ends.len(), 6);
        ends
    };
    let fifo = run(Discipline::Fifo);
    assert!(fifo[5] > fifo[1], "{fifo:?}");
    let lifo = run(Discipline::Lifo);
    assert!(lifo[5] < lifo[1], "{lifo:?}");
}

#[test]
fn a_paused_server_answers_nothing_until_the_pause_is_over() {
    let pause = Pause { from: 100 * MS, length: 200 * MS };
    for threads in [Threads::EventLoop, Threads::Pool(4), Threads::PerConnection] {
        let server = Server { threads, pause, ..SERVER };
        // Sent before the pause and due in it; sent in it.
        let schedule = Schedule::Open(vec![90_000_000, 150_000_000]);
        let (clock, ledger) = (Clock::live(), Ledger::new(&schedule, timeline(MS)));
        let running = server.start(clock).unwrap();
        let until = (clock, 20_000 * MS);
        CLIENT.ask(running.address(), &schedule, |_| 20 * MS, until, &ledger).unwrap();
        let ends = [0, 1].map(|number| ledger.ended_at(number).unwrap());
        assert!(ends[0] >= 300 * MS && ends[1] >= 320 * MS, "{threads:?}: {ends:?}");
    }
}

#[test]
fn policies_that_contradict_each_other_are_refused() {
    let refused = |server: Server| format!("{:#}", server.start(Clock::live()).unwrap_err());
    let lifo = Server { threads: Threads::PerConnection, discipline: Discipline::Lifo, ..SERVER };
    assert!(refused(lifo).contains("has no queue: Lifo"), "{}", refused(lifo));
    let apart = Server { threads: Threads::PerRequest, admission: Admission::UpTo(9), ..SERVER };
    assert!(refused(apart).contains("PerRequest has no queue"), "{}", refused(apart));
    let nobody = Server { threads: Threads::Pool(0), ..SERVER };
    assert!(refused(nobody).contains("serves no request"));
}

/// Two workers that take 100 ms for each request, loaded at `times` their capacity of 20 a second.
fn overload(ctx: &mut Ctx, admission: Admission, times: f64) -> anyhow::Result<()> {
    let (span, timeout) = (ctx.timeline().span(), Duration::from_secs(1));
    let clock = Clock::live();
    let schedule = Arrivals::Constant { rate: 20.0 * times }.plan(span, &mut ctx.rng(&[]));
    let ledger = Ledger::new(&schedule, ctx.timeline());
    let running = Server { threads: Threads::Pool(2), admission, ..SERVER }.start(clock)?;
    let client = Client { timeout, ..CLIENT };
    let until = (clock, span + 2 * timeout);
    client.ask(running.address(), &schedule, |_| 100 * MS, until, &ledger)?.file(ctx);
    ledger.settle(ctx, timeout)
}

const OVERLOADED: Lab = Lab {
    name: "overloaded",
    question: "What becomes of what cannot be served?",
    sources: &[],
    knobs: &[],
    variants: &[
        Variant::new("waiting", "", |ctx| overload(ctx, Admission::All, 3.0))
            .live([1_500; 3])
            .responds()
            .expects(&[End::TimedOut]),
        Variant::new("refusing", "", |ctx| overload(ctx, Admission::UpTo(1), 2.0))
            .live([1_500; 3])
            .responds()
            .expects(&[End::Refused]),
    ],
    claims: &[],
    charts: &[],
    lessons: &[],
    verbs: &[],
    story: crate::story::NONE,
};

#[test]
fn unserved_requests_are_valid_where_the_experiment_expects_them() {
    let variants = &["waiting", "refusing"];
    let what = Rehearsal { mode: Mode::Live, variants, set: &[], measure: None };
    let mut reasons = Vec::new();
    // On a busy machine the generator may be late, which makes the trial invalid for another
    // reason.
    for _ in 0..3 {
        let dir = tempfile::tempdir().unwrap();
        rehearse(&OVERLOADED, dir.path(), what).unwrap();
        let run = Run::load(dir.path()).unwrap();
        let found = [0, 1].map(|trial: usize| run.finished[trial].metrics.clone());
        let sums = [0, 1].map(|trial: usize| found[trial].accounting);
        assert!(sums.iter().all(|sum| sum.adds_up() && sum.offered >= 59), "{sums:?}");
        let (waiting, refusing) = (sums[0], sums[1]);
        assert!(waiting.timed_out > waiting.completed, "{waiting:?}");
        assert!(refusing.refused > 10 && refusing.completed > 10, "{refusing:?}");
        assert_eq!(refusing.answered(), refusing.offered, "a refusal is an answer");
        let facts = found[0].series["response"];
        assert_eq!((facts.count, facts.censored), (waiting.offered, waiting.timed_out));
        assert_eq!(found[0].gauges["goodput"].unit, "req/s");
        reasons = found.into_iter().flat_map(|metrics| metrics.invalid_reasons).collect();
        if reasons.is_empty() {
            let evidence = Evidence::of(&run, How::Live, &["waiting", "refusing"]);
            let p50 = |variant| evidence.quantile(variant, "response", 0.5);
            let unknown = format!("{:?}", p50("waiting").unwrap_err());
            assert!(unknown.contains("only a bound is known"), "{unknown}");
            assert!(p50("refusing").is_ok());
            return;
        }
    }
    panic!("{reasons:?}");
}
