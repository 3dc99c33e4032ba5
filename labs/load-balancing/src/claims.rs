//! The claims of the sources, and the checks that could refute each.
//!
//! Responses are means in units of the mean service time, waiting included. A simulation of a
//! hundred servers must be within 5 % of the formula for infinitely many.

use lab_kit::{Claim, Evidence, Figure, Gap, Judged, ShownBy, closed_form, simulated, statements};

use crate::charts::{
    AGES, AGES_OF_TEN, BY_LOAD, BY_POINTS, BY_PROBE, BY_SERVERS, EVENNESS, GROWTH, HERD, HOTTEST,
    MANY, MEANS, MOVED, OF_A_HUNDRED, OF_TEN, OVER_TIME, PROBES, PUT_ASIDE, RECOVERY, REPLICATION,
    RESPONSE, RING, SHARES, SLOW, SPREAD, UNEVEN, ZIPF,
};
use crate::placement::HOSTS;
use crate::sources::{
    BROOKER_2012, BROOKER_2023, DEAN_2013, KARGER_1997, KLEINROCK_1975, MITZENMACHER_2000,
    MITZENMACHER_2001, NOTION_2021,
};
use crate::theory::{best_of, in_turn, largest_arc};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim {
        id: "P2C-1",
        says: "At 90 % load the shorter of two queues makes a response of 2.61 services, the shortest of \
               three 2.03, any queue 10; at 99 % it is 5.43, 3.86 and 100.",
        source: &MITZENMACHER_2001,
        checks: &[
            closed_form(printed).without(ANY_QUEUE),
            simulated(&["random", "two", "three"], |e| {
                let near = |of, mean| e.metric(of, "mean")?.near_relative(mean, 0.05)?.because(of);
                near("two", 2.614)?.and(near("three", 2.028))?.and(near("random", 10.0))
            })
            .without(ANY_QUEUE),
            simulated(&["two-by-load", "three-by-load"], at_each_load).without(ANY_QUEUE),
        ],
        shown_by: &[
            ShownBy::Chart(&MEANS, &["random-by-load", "two-by-load", "three-by-load"]),
            ShownBy::Chart(&SHARES, &["random", "two", "three"]),
            ShownBy::Chart(&RESPONSE, &["random", "two", "three", "in-turn"]),
        ],
    },
    Claim {
        id: "P2C-2",
        says: "A third choice is worth a constant factor, ln 3 / ln 2 at most, however near the load comes \
               to 1; the second is worth more and more.",
        source: &MITZENMACHER_2001,
        checks: &[closed_form(constant_factor).without(ANY_QUEUE)],
        shown_by: &[ShownBy::Chart(&MEANS, &["two-by-load", "three-by-load"])],
    },
    Claim {
        id: "P2C-3",
        says: "From a hundred servers to a hundred thousand the longest queue grows by less than two \
               requests: as log log n.",
        source: &MITZENMACHER_2001,
        checks: &[simulated(&["many"], |e| {
            let [few, many] = ends(e.curve("many", BY_SERVERS)?)?;
            Figure::exact(many.value - few.value, "requests").at_most(2.0)
        })
        // At half the load, a trial is long enough even for queues chosen without comparing.
        .without(&[("choices", "1"), ("load", "0.5")])],
        shown_by: &[ShownBy::Chart(&MANY, &["many"])],
    },
    Claim {
        id: "RR-1",
        says: "To take turns halves the response of any queue without a look at one, 5.23 services for 10, \
               where one balancer sees all requests.",
        source: &KLEINROCK_1975,
        checks: &[
            closed_form(|e| {
                let knobs = e.settings_of("in-turn");
                let mean = in_turn(knobs.float("load"), knobs.int("servers"));
                Figure::exact(mean, "services").near(5.227, 5e-4)
            })
            .without(&[("servers", "10")]),
            simulated(&["in-turn"], |e| e.metric("in-turn", "mean")?.near_relative(5.227, 0.05))
                .without(&[("balancers", "1000")]),
        ],
        shown_by: &[ShownBy::Chart(&RESPONSE, &["random", "in-turn", "two"])],
    },
    Claim {
        id: "P2C-4",
        says: "With old lengths all go to the queue that was the shortest, which is worse than any queue; \
               the better of two stays good.",
        source: &MITZENMACHER_2000,
        checks: &[simulated(&["old-data"], |e| {
            let [any, two, _, least] = at_part(e, "old-data", OF_A_HUNDRED, 50)?;
            let herds = least.over(&any).at_least(1.5)?.because("least loaded, over any")?;
            herds.and(two.over(&any).at_most(0.8)?.because("better of two, over any"))
        })
        .without(&[("refresh", "1s")])],
        shown_by: &[
            ShownBy::Chart(&AGES, &["old-data"]),
            ShownBy::Chart(&OVER_TIME, &["herd", "two-by-old-data"]),
        ],
    },
    Claim {
        id: "BRK-16",
        says: "Ten servers, a request a second, 8 s for each: the least loaded is best by the lengths of \
               the moment, the better of two by those of 10 to 70 s ago, then any.",
        source: &BROOKER_2012,
        checks: &[simulated(&["post"], best_in_between).without(&[("refresh", "4s")])],
        shown_by: &[
            ShownBy::Chart(&HERD, &["herd"]),
            ShownBy::Chart(&SPREAD, &["two-by-old-data"]),
            ShownBy::Chart(&AGES_OF_TEN, &["post"]),
        ],
    },
    Claim {
        id: "TAS-20",
        says: "To look at queues and then go is worse than to wait in two queues, once a request is on its \
               way for a service.",
        source: &DEAN_2013,
        checks: &[simulated(&["probes"], overtaken).without(ANY_QUEUE)],
        shown_by: &[ShownBy::Chart(&PROBES, &["probes"])],
    },
    Claim {
        id: "TAS-25",
        says: "To send a slow server no requests makes responses shorter, although the others get more; \
               copies of a few requests tell when it is well again.",
        source: &DEAN_2013,
        checks: &[
            simulated(&["probation", "no-probation"], |e| {
                let p99 = |of| e.quantile(of, "response", 0.99);
                p99("probation")?.over(&p99("no-probation")?).at_most(0.5)?.because("p99 over p99")
            })
            .without(&[("probation", "1e9")]),
            simulated(&["probation"], |e| {
                let away =
                    e.metric("probation", "away")?.at_least(0.2)?.because("of requests away")?;
                away.and(e.metric("probation", "back_after")?.at_most(60e9)?.because("back within"))
            })
            .without(&[("shadow", "0")]),
        ],
        shown_by: &[
            ShownBy::Chart(&PUT_ASIDE, &["probation"]),
            ShownBy::Chart(&SLOW, &["no-probation"]),
        ],
    },
    Claim {
        id: "TAS-23",
        says: "With 20 partitions on each machine load moves in steps of 5 %, and a failed machine's data \
               is back in a twentieth of the time.",
        source: &DEAN_2013,
        checks: &[simulated(&["recovery"], |e| {
            let metric = |name| e.metric("recovery", name);
            metric("recovery")?
                .near(0.05, 0.01)?
                .because("time, of one machine's")?
                .and(metric("largest_step")?.near(0.05, 0.01)?.because("largest step"))?
                .and(metric("smallest_step")?.near(0.05, 0.01)?.because("smallest"))
        })
        .without(&[("partitions", "10")])],
        shown_by: &[ShownBy::Chart(&RECOVERY, &["recovery"])],
    },
    Claim {
        id: "TAS-24",
        says: "Copies of a few hot partitions level the load where to move partitions cannot: one of them \
               alone is more than a machine's part.",
        source: &DEAN_2013,
        checks: &[simulated(&["replication"], |e| {
            let metric = |name| e.metric("replication", name);
            let copies = metric("replicated")?.over(&metric("hashed")?).at_most(0.5)?;
            copies
                .because("hottest with copies, over without")?
                .and(metric("moved")?.at_least(2.0)?.because("over the mean, by moving"))
        })
        .without(&[("replicated", "0")])],
        shown_by: &[ShownBy::Chart(&REPLICATION, &["replication"])],
    },
    Claim {
        id: "BRK-21",
        says: "Of 10,000 keys by Zipf in even shards, the hotter of two gets up to nearly 80 %, the hottest \
               of ten over 40 %; of five twice its part in over 15 % of cases.",
        source: &BROOKER_2023,
        checks: &[simulated(&["hot-shards"], |e| {
            let [two, _, ten] = HOTTEST.map(|name| e.metric("hot-shards", name));
            let doubled = e.metric("hot-shards", "doubled")?.at_least(0.15)?;
            two?.between(0.75, 0.85, Some(0.8))?
                .because("of two, at most")?
                .and(ten?.at_least(0.4)?.because("of ten, at most"))?
                .and(doubled.because("cases of twice a fifth"))
        })
        .without(&[("skew", "0")])],
        shown_by: &[ShownBy::Chart(&ZIPF, &["hot-shards"])],
    },
    Claim {
        id: "RING-1",
        says: "On a hash ring the largest of 100 servers has 5.19 times its part, 1 + 1/2 + … + 1/100; with \
               100 points each, less than 1.4 times.",
        source: &KARGER_1997,
        checks: &[
            closed_form(|e| {
                let arc = largest_arc(e.settings_of("ring").int("servers"));
                Figure::exact(arc, "times").near(5.187, 5e-4)
            })
            .without(&[("servers", "10")]),
            simulated(&["ring"], |e| {
                let [one, _] = ends(e.curve("ring", BY_POINTS)?)?;
                one.near_relative(5.187, 0.05)?.because("with one point")
            })
            .without(&[("servers", "10")]),
            simulated(&["ring"], |e| {
                let [_, most] = ends(e.curve("ring", BY_POINTS)?)?;
                most.at_most(1.4)?.because("with the most points")
            })
            .without(&[("points", "1")]),
        ],
        shown_by: &[ShownBy::Chart(&RING, &["ring"])],
    },
    Claim {
        id: "SHD-1",
        says: "480 shards lie evenly on 32, 40, 48, 60, 80 and 96 hosts, and as few move as on a hash ring; \
               512 only where hosts double.",
        source: &NOTION_2021,
        checks: &[
            closed_form(divides).without(TO_THE_POWER),
            simulated(&["growth"], grows_evenly).without(TO_THE_POWER),
        ],
        shown_by: &[ShownBy::Chart(&GROWTH, &["growth"]), ShownBy::Chart(&EVENNESS, &["growth"])],
    },
];

const ANY_QUEUE: &[(&str, &str)] = &[("choices", "1")];
const TO_THE_POWER: &[(&str, &str)] = &[("shards", "512")];

fn nothing() -> Gap {
    Gap::Unavailable("the curve has no point".into())
}

/// The first and the last point of a curve.
fn ends(points: Vec<(f64, Figure)>) -> Result<[Figure; 2], Gap> {
    let ends = points.first().zip(points.last()).ok_or_else(nothing)?;
    Ok([ends.0.1.clone(), ends.1.1.clone()])
}

/// The formula, with the variants' numbers of choices, gives the printed values.
fn printed(e: &Evidence) -> Judged {
    let near = |of: &str, load: f64, printed: f64| {
        let mean = best_of(load, e.settings_of(of).int("choices"));
        Figure::exact(mean, "services").near(printed, 5e-3)?.because(&format!("{of} at {load}"))
    };
    near("two", 0.9, 2.61)?
        .and(near("three", 0.9, 2.03))?
        .and(near("random", 0.9, 10.0))?
        .and(near("two", 0.99, 5.43))?
        .and(near("three", 0.99, 3.86))?
        .and(near("random", 0.99, 100.0))
}

/// The worst point up to a load of 0.95; beyond, a hundred servers are too few for the formula.
fn at_each_load(e: &Evidence) -> Judged {
    let worst = |of, choices| {
        let points = e.curve(of, BY_LOAD)?.into_iter().filter(|(load, _)| *load <= 0.95);
        let over = points.map(|(load, mean)| mean.value / best_of(load, choices));
        let far = |times: &f64| (times - 1.0).abs();
        let worst = over.max_by(|a, b| far(a).total_cmp(&far(b))).ok_or_else(nothing)?;
        Figure::exact(worst, "times").near(1.0, 0.05)?.because(&format!("{of}, over the formula"))
    };
    worst("two-by-load", 2)?.and(worst("three-by-load", 3))
}

fn constant_factor(e: &Evidence) -> Judged {
    let choices = e.settings_of("two").int("choices");
    let (loaded, bound) = (1.0 - 1e-9, 1.5850);
    let third = best_of(loaded, choices) / best_of(loaded, choices + 1);
    let second = best_of(loaded, 1) / best_of(loaded, choices);
    let third = Figure::exact(third, "times").at_most(bound)?.because("by one more choice")?;
    third.and(Figure::exact(second, "times").at_least(1e6)?.because("by the second"))
}

/// The mean response with any server, the best of two, the best of three and the least loaded, at
/// an age of information in percent of the oldest.
pub(crate) fn at_part(
    e: &Evidence,
    of: &str,
    names: [&str; 4],
    percent: u32,
) -> Result<[Figure; 4], Gap> {
    let at = crate::routing::AGES.iter().position(|part| *part == percent).ok_or_else(nothing)?;
    let [any, two, three, least] = names.map(|name| {
        let points = e.curve(of, name)?;
        points.get(at).map(|(_, mean)| mean.clone()).ok_or_else(nothing)
    });
    Ok([any?, two?, three?, least?])
}

/// The age at which two lines first cross, by linear interpolation; the last age if they do not.
fn crossing(first: &[(f64, f64)], second: &[(f64, f64)]) -> Figure {
    let above = |i: usize| first[i].1 - second[i].1;
    let cross = (1..first.len()).find(|i| (above(*i) < 0.0) != (above(*i - 1) < 0.0));
    let age = cross.map_or_else(
        || first.last().map_or(0.0, |point| point.0),
        |i| {
            let part = above(i - 1) / (above(i - 1) - above(i));
            first[i - 1].0 + part * (first[i].0 - first[i - 1].0)
        },
    );
    Figure::exact(age, "s")
}

fn best_in_between(e: &Evidence) -> Judged {
    let line = |name| -> Result<Vec<(f64, f64)>, Gap> {
        Ok(e.curve("post", name)?.into_iter().map(|(age, mean)| (age, mean.value)).collect())
    };
    let [any, two, three, least] = OF_TEN.map(line);
    let (any, two, three, least) = (any?, two?, three?, least?);
    let other = |(three, least): (&(f64, f64), &(f64, f64))| (three.0, three.1.min(least.1));
    let others: Vec<(f64, f64)> = three.iter().zip(&least).map(other).collect();
    let now = [&least, &three, &two, &any].map(|line| line[0].1);
    let by_choices = [("by the lengths of the moment, more choices are better", now.is_sorted())];
    crossing(&two, &others)
        .near(10.0, 5.0)?
        .because("two are best from")?
        .and(crossing(&two, &any).near(70.0, 35.0)?.because("any is better from"))?
        .and(statements(&by_choices))
}

/// The p99 of requests that probe first, over the p99 of requests that wait in two queues: the
/// least ratio for probes of a mean service time or longer.
fn overtaken(e: &Evidence) -> Judged {
    let [two, all, tied] = BY_PROBE.map(|name| e.curve("probes", name));
    let (two, all, tied) = (two?, all?, tied?);
    let probes = two.iter().zip(&all).map(|(two, all)| (two.0, two.1.value.min(all.1.value)));
    let over = probes.zip(&tied).map(|((after, p99), (_, tied))| (after, p99 / tied.value));
    let late = over.filter(|(after, _)| *after >= 1.0).map(|(_, times)| times);
    let least = late.min_by(f64::total_cmp).ok_or_else(nothing)?;
    Figure::exact(least, "times").at_least(1.0)?.because("p99 over p99, from a service on")
}

fn divides(e: &Evidence) -> Judged {
    let shards = e.settings_of("growth").int("shards") as usize;
    let even = HOSTS.iter().filter(|hosts| shards.is_multiple_of(**hosts)).count();
    let divisors = (1..=shards).filter(|hosts| shards.is_multiple_of(*hosts)).count();
    let exactly = |count: usize, of: usize| Figure::exact(count as f64, "").near(of as f64, 0.0);
    exactly(even, HOSTS.len())?
        .because("even steps")?
        .and(exactly(divisors, 24)?.because("divisors"))
}

fn grows_evenly(e: &Evidence) -> Judged {
    let [shards, ring, modulo] = MOVED.map(|name| e.curve("growth", name));
    let (shards, ring, modulo) = (shards?, ring?, modulo?);
    let all = |moved: &[(f64, Figure)]| moved.iter().map(|(_, part)| part.value).sum::<f64>();
    let most = |name| -> Result<Figure, Gap> {
        let values = e.curve("growth", name)?.into_iter().map(|(_, times)| times.value);
        Ok(Figure::exact(values.fold(0.0, f64::max), "times"))
    };
    // The least that must move at each step: the new hosts' share.
    let least: f64 = HOSTS.windows(2).map(|step| 1.0 - step[0] as f64 / step[1] as f64).sum();
    let moved = |moved: &[(f64, Figure)]| Figure::exact(all(moved) / least, "times");
    most(UNEVEN[0])?
        .near(1.0, 1e-9)?
        .because("hottest host over the mean")?
        .and(moved(&shards).near(1.0, 1e-9)?.because("moved, over what must"))?
        .and(moved(&ring).near(1.0, 0.1)?.because("by a ring"))?
        .and(moved(&modulo).at_least(3.0)?.because("by a modulus"))?
        .and(most(UNEVEN[1])?.at_least(1.1)?.because("hottest of a ring"))
}
