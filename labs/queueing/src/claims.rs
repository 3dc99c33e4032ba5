//! What is claimed, and what would show it wrong.
//!
//! A formula agrees to the digits that the source prints. A simulated mean agrees within 3 %, three
//! standard errors where the server is busiest; a percentile within 5 %. A real server is held
//! against the same requests simulated: what chance did to them it did to both.

use lab_kit::sim::theory::{MMc, Single, Usl, amdahl, little};
use lab_kit::{Claim, Evidence, Figure, Gap, Judged, ShownBy, closed_form, live, simulated};

use crate::bursts::sampled;
use crate::charts::{
    CLIENTS, HOCKEY_STICK, IN_FLIGHT, NUMBER_THERE, SCALING, SHARE_OF_BOUND, TAIL, WAIT_AND_WORK,
};
use crate::closed::{AT_P99, BUSY, OF_BOUND, THROUGHPUT};
use crate::published::{IOSTAT, bigtable_gain, rows_that_do_not_tell};
use crate::sources::{
    CHANG_2006, DEAN_2013, DENNING_1978, GREGG_2012, GUNTHER_2007, IOSTAT_2014, KLEINROCK_1975,
    LITTLE_1961, MEAN_2017, UTILIZATION_2021,
};
use crate::staircase::{MEAN, P99, P999, SPREAD, STEPS, THERE};

/// The real server does a tenth more than its requests say.
const UNSEEN: &[(&str, &str)] = &[("unseen", "0.1")];
/// Servers so fast that hardly a request waits.
const IDLE: &[(&str, &str)] = &[("speed", "10")];
const ONE: &str = "one-server";
const EQUAL: &str = "equal-work";
const TWO: &str = "two-servers";

pub(crate) const CLAIMS: &[Claim] = &[
    Claim {
        id: "Q-1",
        says: "As many are there as arrive in the time that each stays: L = λW.",
        source: &LITTLE_1961,
        checks: &[
            simulated(&[ONE], |e| as_many_as_arrive(e, 0.01)).without(AT_THE_SERVER),
            live(&[ONE], |e| as_many_as_arrive(e, 0.02)).without(AT_THE_SERVER),
        ],
        shown_by: &[ShownBy::Chart(&NUMBER_THERE, &[ONE])],
    },
    Claim {
        id: "Q-2",
        says: "M/M/1 takes S / (1 - r) over a request, exponentially: p99 is 4.6 times the mean, \
               p99.9 6.9 times.",
        source: &KLEINROCK_1975,
        checks: &[
            closed_form(mm1_quantiles).without(IDLE),
            simulated(&[ONE], mm1).without(IDLE),
            live(&[ONE], |e| queues_as_simulated(e, ONE)).without(UNSEEN),
        ],
        shown_by: &[ShownBy::Chart(&HOCKEY_STICK, &[ONE]), ShownBy::Chart(&TAIL, &[ONE])],
    },
    Claim {
        id: "Q-3",
        says: "M/D/1 takes S (2 - r) / 2(1 - r): 1.5 S at 50 %, 3 S at 80 %, 5.5 S at 90 %.",
        source: &GREGG_2012,
        checks: &[
            closed_form(|e| md1_formula(e, &[(0.5, 1.5), (0.8, 3.0), (0.9, 5.5)])).without(IDLE),
            simulated(&[EQUAL], md1).without(IDLE),
            live(&[EQUAL], |e| queues_as_simulated(e, EQUAL)).without(UNSEEN),
        ],
        shown_by: &[ShownBy::Chart(&HOCKEY_STICK, &[EQUAL])],
    },
    Claim {
        id: "Q-4",
        says: "M/D/1 has tripled its response at 80 %; it has doubled at 67 %, not yet at the \
               book's 60 %.",
        source: &GREGG_2012,
        checks: &[
            closed_form(|e| md1_formula(e, &[(0.6, 1.75), (2.0 / 3.0, 2.0), (0.8, 3.0)]))
                .without(IDLE),
            simulated(&[EQUAL], doubles_at_two_thirds).without(IDLE),
        ],
        shown_by: &[ShownBy::Chart(&HOCKEY_STICK, &[EQUAL])],
    },
    Claim {
        id: "Q-5",
        says: "At 80 %, a request to two servers waits with probability 0.711 and takes 2.78 S; to \
               one, 5 S.",
        source: &KLEINROCK_1975,
        checks: &[
            closed_form(erlang_c).without(&[("servers", "1")]),
            simulated(&[TWO], |e| at(e, TWO, MEAN, 0.8)?.near_relative(2.78, 0.03))
                .without(&[("servers", "1")]),
            live(&[TWO], |e| queues_as_simulated(e, TWO)).without(UNSEEN),
        ],
        shown_by: &[ShownBy::Chart(&HOCKEY_STICK, &[TWO, ONE])],
    },
    Claim {
        id: "Q-6",
        says: "One fast server has the lower mean; behind a long request, several slow ones let \
               the short ones pass.",
        source: &KLEINROCK_1975,
        checks: &[simulated(&["fast-or-many"], fast_or_many).without(&[("servers", "1")])],
        shown_by: &[],
    },
    Claim {
        id: "Q-7",
        says: "What only one can do at a time bounds the speed-up: N / (1 + a(N - 1)), never above \
               1/a.",
        source: &GREGG_2012,
        checks: &[
            closed_form(amdahl_bound).without(&[("contention", "0.1")]),
            simulated(&["amdahl"], |e| e.metric("amdahl", "serial")?.near_relative(0.05, 0.2))
                .without(&[("coherency", "0.002")]),
        ],
        shown_by: &[ShownBy::Chart(&SCALING, &["amdahl"])],
    },
    Claim {
        id: "Q-8",
        says: "Where workers must agree, throughput has a peak at sqrt((1 - a) / b) of them: 30.8 \
               for a = 5 % and b = 0.1 %.",
        source: &GUNTHER_2007,
        checks: &[
            closed_form(usl_peak).without(&[("coherency", "0.01")]),
            simulated(&["usl"], |e| fitted(e, 0.05)).without(APART),
            live(&["usl"], |e| fitted(e, 0.2)).without(APART),
        ],
        shown_by: &[ShownBy::Chart(&SCALING, &["usl"])],
    },
    Claim {
        id: "Q-9",
        says: "From 80 to 90 % busy, the number there more than doubles: 4 become 9.",
        source: &KLEINROCK_1975,
        checks: &[
            closed_form(|e| there_formula(e, &[(0.8, 4.0), (0.9, 9.0)])).without(IDLE),
            simulated(&[ONE], |e| there(e, &[(0.8, 4.0), (0.9, 9.0)])).without(IDLE),
        ],
        shown_by: &[ShownBy::Chart(&NUMBER_THERE, &[ONE])],
    },
    Claim {
        id: "Q-10",
        says: "N clients who wait get no more than N / (S + Z) answers a second, and no more than \
               1 / S.",
        source: &DENNING_1978,
        checks: &[
            simulated(&["clients"], |e| within_bounds(e, 0.01)).without(&[("servers", "2")]),
            live(&["clients"], |e| within_bounds(e, 0.02)).without(&[("servers", "2")]),
        ],
        shown_by: &[
            ShownBy::Chart(&CLIENTS, &["clients"]),
            ShownBy::Chart(&SHARE_OF_BOUND, &["clients"]),
        ],
    },
    Claim {
        id: "BRK-3",
        says: "99 % at 1 ms and 1 % at 1 s have a mean of 10.99 ms, and one after another make 91 \
               a second.",
        source: &MEAN_2017,
        checks: &[
            closed_form(mean_and_throughput).without(NO_OUTLIER),
            simulated(&["outliers"], |e| ninety_one(e, 0.005)).without(NO_OUTLIER),
            live(&["outliers"], |e| ninety_one(e, 0.02)).without(NO_OUTLIER),
        ],
        shown_by: &[],
    },
    Claim {
        id: "BRK-4",
        says: "Of a machine that is busy for a second in each minute, samplers say 100 %, 0 % or \
               1.7 %.",
        source: &MEAN_2017,
        checks: &[closed_form(samplers_disagree).without(&[("burst", "1m")])],
        shown_by: &[],
    },
    Claim {
        id: "BRK-5",
        says: "Little's law holds for means alone: arrivals times the p99 of the time is no p99 of \
               the number.",
        source: &MEAN_2017,
        checks: &[simulated(&["clients"], no_law_of_p99).without(&[("work", "constant")])],
        shown_by: &[],
    },
    Claim {
        id: "BRK-6",
        says: "r / (1 - r) requests are there on average: 1 at 50 % busy, 99 at 99 %.",
        source: &UTILIZATION_2021,
        checks: &[
            closed_form(|e| there_formula(e, &[(0.5, 1.0), (0.99, 99.0)])).without(IDLE),
            simulated(&[ONE], |e| there(e, &[(0.5, 1.0), (0.7, 0.7 / 0.3), (0.9, 9.0)]))
                .without(IDLE),
        ],
        shown_by: &[ShownBy::Chart(&NUMBER_THERE, &[ONE])],
    },
    Claim {
        id: "BRK-7",
        says: "Faster code shortens the line first; once the load has grown to the old \
               utilisation, the line is back.",
        source: &UTILIZATION_2021,
        checks: &[simulated(&["efficiency"], the_line_is_back).without(&[("then", "load-stays")])],
        shown_by: &[],
    },
    Claim {
        id: "BRK-22",
        says: "A device with 16 channels is 100 % utilised by one request at a time and by \
               sixteen; svctm is its inverse throughput.",
        source: &IOSTAT_2014,
        checks: &[
            closed_form(iostat_by_little).without(&[("reads", "serial")]),
            simulated(&["device"], |e| utilised_by_one(e, 0.99, 15.0)).without(&[("servers", "1")]),
            live(&["device"], |e| utilised_by_one(e, 0.9, 10.0)).without(&[("servers", "1")]),
        ],
        shown_by: &[ShownBy::Chart(&IN_FLIGHT, &["device"]), ShownBy::Chart(&CLIENTS, &["device"])],
    },
    Claim {
        id: "TAS-13",
        says: "What varies is the wait in the queue; once a request has begun, it takes far less \
               varied time.",
        source: &DEAN_2013,
        checks: &[simulated(&[ONE], |e| waiting_varies(e, &[0.7, 0.8, 0.9])).without(IDLE)],
        shown_by: &[ShownBy::Chart(&WAIT_AND_WORK, &[ONE])],
    },
    Claim {
        id: "BT-1",
        says: "500 tablet servers do almost 300 times the in-memory reads of one, and 100 times \
               the others.",
        source: &CHANG_2006,
        checks: &[closed_form(bigtable_gains).without(&[("tablet-servers", "250")])],
        shown_by: &[],
    },
    Claim {
        id: "BT-2",
        says: "Four points do not tell the law: in no row of Bigtable's table is its coherency \
               apart from 0.",
        source: &CHANG_2006,
        checks: &[closed_form(four_points_do_not_tell).without(&[("rows", "made")])],
        shown_by: &[],
    },
];

const AT_THE_SERVER: &[(&str, &str)] = &[("clock", "server")];
const APART: &[(&str, &str)] = &[("rounds", "apart")];
const NO_OUTLIER: &[(&str, &str)] = &[("slow-share", "0")];

/// A curve of the staircase at one of its steps, which load and speed may have moved.
pub(crate) fn at(e: &Evidence, variant: &str, curve: &str, step: f64) -> Result<Figure, Gap> {
    let x = utilisation(e, variant, step);
    let found = e.curve(variant, curve)?.into_iter().find(|(at, _)| (at - x).abs() < 1e-9);
    found
        .map(|(_, figure)| figure)
        .ok_or_else(|| Gap::Unavailable(format!("{variant}: too few requests for {curve} at {x}")))
}

fn utilisation(e: &Evidence, variant: &str, step: f64) -> f64 {
    let knobs = e.settings_of(variant);
    step * knobs.float("load") / knobs.float("speed")
}

/// All of these: what is found, what is claimed of it, and how far off it may be as a share.
fn all(figures: impl IntoIterator<Item = (Figure, f64)>, within: f64) -> Judged {
    let mut judged =
        figures.into_iter().map(|(figure, claimed)| figure.near_relative(claimed, within));
    let first = judged.next().expect("a figure at least")?;
    judged.try_fold(first, |all, next| all.and(next))
}

fn formula(value: f64) -> Figure {
    Figure::exact(value, "")
}

fn as_many_as_arrive(e: &Evidence, within: f64) -> Judged {
    let ratio = e.metric(ONE, "seen_over_stayed")?;
    ratio.near(1.0, within)?.because("the number seen, over arrivals times their mean time")
}

fn mm1_quantiles(e: &Evidence) -> Judged {
    let queue = MMc { arrivals: utilisation(e, ONE, 0.8), service: 1.0, servers: 1 };
    let quantile = |q| formula(queue.response_quantile(q));
    all(
        [(formula(queue.response()), 5.0), (quantile(0.99), 23.026), (quantile(0.999), 34.539)],
        1e-4,
    )?
    .because("mean, p99 and p99.9 at 80 %, in service times")
}

fn mm1(e: &Evidence) -> Judged {
    let of = |curve| at(e, ONE, curve, 0.8);
    let mut tail = vec![(of(P99)?, 23.026)];
    // A quick run has too few requests for p99.9.
    tail.extend(of(P999).ok().map(|p999| (p999, 34.539)));
    all([(of(MEAN)?, 5.0), (at(e, ONE, MEAN, 0.9)?, 10.0)], 0.03)?
        .and(all(tail, 0.05))?
        .because("mean at 80 and 90 %, p99 and p99.9 at 80 %, in service times")
}

/// The mean over all requests, against that of the same requests simulated.
fn queues_as_simulated(e: &Evidence, variant: &str) -> Judged {
    let ratio = e.metric(variant, "response_over_simulated")?;
    ratio.near(1.0, 0.15)?.because("mean response, over that of the same requests simulated")
}

fn md1_formula(e: &Evidence, claimed: &[(f64, f64)]) -> Judged {
    let response = |(step, claimed): &(f64, f64)| {
        let arrivals = utilisation(e, EQUAL, *step);
        (formula(Single { arrivals, service: 1.0, second_moment: 1.0 }.response()), *claimed)
    };
    all(claimed.iter().map(response), 1e-9)?.because("in service times")
}

fn md1(e: &Evidence) -> Judged {
    let of = |step| at(e, EQUAL, MEAN, step);
    all([(of(0.5)?, 1.5), (of(0.8)?, 3.0), (of(0.9)?, 5.5)], 0.03)?
        .because("at 50, 80 and 90 %, in service times")
}

fn doubles_at_two_thirds(e: &Evidence) -> Judged {
    let of = |step| at(e, EQUAL, MEAN, step);
    all([(of(STEPS[3])?, 1.75), (of(STEPS[4])?, 2.0)], 0.03)?
        .because("at 60 and 67 %, in service times")
}

fn erlang_c(e: &Evidence) -> Judged {
    let servers = e.settings_of(TWO).int("servers") as u32;
    let queue = MMc { arrivals: 0.8 * f64::from(servers), service: 1.0, servers };
    all([(formula(queue.waits()), 0.711), (formula(queue.response()), 2.78)], 1e-3)?
        .because("who waits, and the mean in service times")
}

fn fast_or_many(e: &Evidence) -> Judged {
    let metric = |name| e.metric("fast-or-many", name);
    metric("mean_of_slow_over_fast")?
        .at_least(1.2)?
        .and(metric("p99_of_short_fast_over_slow")?.at_least(1.2))?
        .because("mean of the slow over the fast; p99 of short requests, fast over slow")
}

fn amdahl_bound(e: &Evidence) -> Judged {
    let parallel = 1.0 - e.settings_of("amdahl").float("contention");
    let speedup = |n| formula(amdahl(parallel, n));
    all([(speedup(1e9), 20.0), (speedup(20.0), 10.256)], 1e-3)?
        .because("of any number of workers, and of 20")
}

fn usl_peak(e: &Evidence) -> Judged {
    let knobs = e.settings_of("usl");
    let usl = Usl { contention: knobs.float("contention"), coherency: knobs.float("coherency") };
    formula(usl.peak()).near(30.8, 0.05)
}

/// The fit finds the parameters that were set, and its interval of coherency is not below 0.
fn fitted(e: &Evidence, within: f64) -> Judged {
    let fit = |name| e.metric("usl", name);
    all([(fit("contention")?, 0.05), (fit("coherency")?, 0.001)], within)?
        .and(fit("coherency_low")?.at_least(0.0))?
        .because("contention and coherency; the lower end of its interval")
}

fn there_formula(e: &Evidence, claimed: &[(f64, f64)]) -> Judged {
    let there = |(step, claimed): &(f64, f64)| {
        let arrivals = utilisation(e, ONE, *step);
        let response = MMc { arrivals, service: 1.0, servers: 1 }.response();
        (formula(little(arrivals, response)), *claimed)
    };
    all(claimed.iter().map(there), 1e-9)?.because("requests there")
}

fn there(e: &Evidence, claimed: &[(f64, f64)]) -> Judged {
    let there = |(step, claimed): &(f64, f64)| Ok((at(e, ONE, THERE, *step)?, *claimed));
    let found = claimed.iter().map(there).collect::<Result<Vec<_>, Gap>>()?;
    all(found, 0.03)?.because("requests there")
}

/// Nowhere above the bound, and close to it with one client and with many.
fn within_bounds(e: &Evidence, within: f64) -> Judged {
    let of_bound: Vec<f64> = e.curve("clients", OF_BOUND)?.iter().map(|(_, y)| y.value).collect();
    let most = of_bound.iter().copied().fold(0.0, f64::max);
    let ends = of_bound[0].min(of_bound[of_bound.len() - 1]);
    Figure::exact(most, "ratio")
        .at_most(1.0 + within)?
        .and(Figure::exact(ends, "ratio").at_least(0.9))?
        .because("throughput over the bound: at most, and the less of one client and of all")
}

fn mean_and_throughput(e: &Evidence) -> Judged {
    let knobs = e.settings_of("outliers");
    let [usual, slow] =
        ["service-time", "slow-time"].map(|knob| knobs.duration(knob).as_secs_f64());
    let share = knobs.float("slow-share");
    let mean = (1.0 - share) * usual + share * slow;
    all([(formula(1e3 * mean), 10.99), (formula(1.0 / mean), 90.99)], 1e-3)?
        .because("mean in ms, and a second")
}

fn ninety_one(e: &Evidence, within: f64) -> Judged {
    e.metric("outliers", "throughput")?.near_relative(1e3 / 10.99, within)
}

fn samplers_disagree(e: &Evidence) -> Judged {
    let sampled = sampled(e.settings().duration("burst"));
    all([(formula(sampled.mean), 1.0 / 60.0), (formula(sampled.on_the_minute), 1.0)], 1e-9)?
        .and(all([(formula(sampled.p99), 1.0)], 1e-9))?
        .and(formula(sampled.between + sampled.median).near(0.0, 0.0))?
        .because(
            "each second: mean; each minute on the minute; p99 of seconds; between, and the median",
        )
}

/// With clients who wait, no more are there than clients.
fn no_law_of_p99(e: &Evidence) -> Judged {
    let curve = e.curve("clients", AT_P99)?;
    let Some((_, all)) = curve.last() else {
        return Err(Gap::Unavailable("clients: too few requests for p99".into()));
    };
    all.clone().at_least(1.2)?.because("arrivals times p99, over how many can be there")
}

fn the_line_is_back(e: &Evidence) -> Judged {
    let there = |when| e.metric("efficiency", &format!("there_{when}"));
    let p99 = |when| e.metric("efficiency", &format!("p99_{when}"));
    let gain = e.settings_of("efficiency").float("gain");
    let in_service = p99("grown")?.over(&p99("before")?).value * gain;
    there("faster")?
        .over(&there("before")?)
        .at_most(0.5)?
        .and(there("grown")?.over(&there("before")?).near(1.0, 0.05))?
        .and(Figure::exact(in_service, "times").near(1.0, 0.05))?
        .because("requests there, faster over before and grown over before; p99 in service times")
}

/// How many are in flight by Little's law, where the device serves in parallel; one at most where
/// not.
fn iostat_by_little(e: &Evidence) -> Judged {
    let serial = e.settings().text("reads") == "serial";
    let in_flight = |(reads, wait, printed): (f64, f64, f64)| {
        let there = little(reads, wait);
        (formula(if serial { there.min(1.0) } else { there }), printed)
    };
    all(IOSTAT.map(in_flight), 0.1)?.because("reads a second times their wait, as printed")
}

fn utilised_by_one(e: &Evidence, busy: f64, more: f64) -> Judged {
    let ends = |curve| -> Result<[Figure; 2], Gap> {
        let points = e.curve("device", curve)?;
        Ok([points[0].1.clone(), points[points.len() - 1].1.clone()])
    };
    let [one, all] = ends(THROUGHPUT)?;
    let [with_one, _] = ends(BUSY)?;
    with_one
        .at_least(busy)?
        .and(all.over(&one).at_least(more))?
        .because("utilised by one client; throughput of sixteen over one")
}

fn waiting_varies(e: &Evidence, steps: &[f64]) -> Judged {
    let spread = |step: &f64| at(e, ONE, SPREAD, *step);
    let spreads = steps.iter().map(spread).collect::<Result<Vec<_>, Gap>>()?;
    let least = spreads.iter().map(|figure| figure.value).fold(f64::INFINITY, f64::min);
    Figure::exact(least, "times")
        .at_least(2.0)?
        .because("variance of the wait over that of the work")
}

fn bigtable_gains(e: &Evidence) -> Judged {
    let servers = e.settings().int("tablet-servers");
    let gain = |row| {
        bigtable_gain(row, servers)
            .map(formula)
            .ok_or_else(|| Gap::Unavailable(format!("the table has no {servers} tablet servers")))
    };
    gain("random reads (mem)")?
        .between(285.0, 300.0, Some(300.0))?
        .and(gain("random reads")?.near(100.0, 1.0))?
        .because("in memory, and from disk")
}

fn four_points_do_not_tell(e: &Evidence) -> Judged {
    let rows = rows_that_do_not_tell(e.settings().text("rows") == "printed");
    let rows = rows.map_err(|why| Gap::Unavailable(format!("{why:#}")))?;
    Figure::exact(rows as f64, "rows").near(6.0, 0.0)
}
