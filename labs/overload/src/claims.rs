//! The claims of the sources, and the checks that could refute each.
//!
//! Rates are shares of the capacity: the whole answers that the server's CPU can give if it does
//! nothing else. A live check is invalid if other programs used the CPUs.

use lab_kit::cpus::undisturbed;
use lab_kit::{
    Claim, Evidence, Figure, Gap, Judged, ShownBy, closed_form, live, simulated, statements,
};

use crate::charts::{ANSWERED, CONTROLLER, FAIRNESS, IN_TIME, RESPONSE_SHARE};
use crate::clients::{FIRST_RETRANSMISSION, RETRANSMISSIONS, jain_index};
use crate::sources::{BREWER_2001, JAIN_1984, MAURER_2015, SEDA, WELSH_2003};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim {
        id: "SEDA-1",
        says: "A well-conditioned server's throughput saturates at its capacity and does not fall; \
               its response time grows with its queue.",
        source: &SEDA,
        checks: &[
            simulated(FEW, saturates).without(ALL_WAIT),
            simulated(FEW, response_is_the_queue).without(ALL_WAIT),
            live(FEW, saturates).without(ALL_WAIT),
            live(FEW, response_is_the_queue).without(ALL_WAIT),
        ],
        shown_by: &[
            ShownBy::Chart(&IN_TIME, FEW),
            ShownBy::Chart(&ANSWERED, &["queue-few", "queue-all"]),
        ],
    },
    Claim {
        id: "OVL-1",
        says: "A server that queues everybody is as busy as before, and all its answers come too \
               late.",
        source: &WELSH_2003,
        checks: &[
            simulated(&["queue-all"], busy_for_nothing).without(NO_OVERLOAD),
            live(&["queue-all"], busy_for_nothing).without(NO_OVERLOAD),
        ],
        shown_by: &[
            ShownBy::Chart(&IN_TIME, &["queue-all"]),
            ShownBy::Chart(&ANSWERED, &["queue-all"]),
        ],
    },
    Claim {
        id: "OVL-2",
        says: "A thread for each request makes all of them late: less than half of the capacity is \
               answered in time.",
        source: &SEDA,
        checks: &[
            simulated(&["thread-each"], |e| goodput(e, "thread-each")?.at_most(0.5))
                .without(NO_OVERLOAD),
            live(&["thread-each"], |e| goodput(e, "thread-each")?.at_most(0.5))
                .without(NO_OVERLOAD),
        ],
        shown_by: &[ShownBy::Chart(&IN_TIME, &["thread-each", "queue-few"])],
    },
    Claim {
        id: "OVL-3",
        says: "Last in, first out, the same unbounded queue answers in time whom it answers, and \
               lets the others wait for ever.",
        source: &MAURER_2015,
        checks: &[
            simulated(LAST, last_come_are_in_time).without(&[("order", "fifo")]),
            live(LAST, last_come_are_in_time).without(&[("order", "fifo")]),
        ],
        shown_by: &[ShownBy::Chart(&RESPONSE_SHARE, &["last-first", "queue-all", "queue-few"])],
    },
    Claim {
        id: "SEDA-2",
        says: "A server of processes answers some clients fast and makes others wait for 93 s; one \
               that lets everybody in makes all wait alike, 3.8 s at most.",
        source: &SEDA,
        checks: &[
            closed_form(retransmissions).without(&[("processes", "100000")]),
            simulated(&["processes", "stages"], waits_differ).without(EVERYBODY_IN),
        ],
        shown_by: &[ShownBy::Chart(&FAIRNESS, &["processes", "stages"])],
    },
    Claim {
        id: "SEDA-4",
        says: "Jain's index is 1 where all get the same and k/n where k of n get all of it.",
        source: &JAIN_1984,
        checks: &[
            closed_form(index_of_some).without(&[("lost", "0")]),
            simulated(&["processes", "stages"], answers_are_uneven).without(EVERYBODY_IN),
        ],
        shown_by: &[ShownBy::Chart(&FAIRNESS, &["processes", "stages"])],
    },
    Claim {
        id: "SEDA-5",
        says: "Many events at a time give throughput and cost response time, and a controller has \
               both; another starts threads until a stage keeps up.",
        source: &SEDA,
        checks: &[
            simulated(&["batching"], batches_trade).without(&[("overhead", "0s")]),
            simulated(&["blocked-threads"], threads_keep_up)
                .without(&[("thread-controller", "off")]),
        ],
        shown_by: &[ShownBy::Chart(&CONTROLLER, &["blocked-threads"])],
    },
    Claim {
        id: "SEDA-6",
        says: "Admission that adapts to what requests take holds their p90 at a target, without \
               knowing the capacity.",
        source: &WELSH_2003,
        checks: &[
            simulated(ADAPTIVE, holds_the_target).without(ALL_WAIT),
            live(ADAPTIVE, holds_the_target).without(ALL_WAIT),
        ],
        shown_by: &[ShownBy::Chart(&RESPONSE_SHARE, ADAPTIVE)],
    },
    Claim {
        id: "DQ-1",
        says: "Of n nodes that were busy, those that are left when k are lost are asked for \
               n/(n-k) of what they can: two of five make 5/3.",
        source: &BREWER_2001,
        checks: &[
            closed_form(|e| redirected(e).near(5.0 / 3.0, 1e-9)).without(NONE_LOST),
            simulated(&["replicas"], load_of_one_that_is_left).without(NONE_LOST),
        ],
        shown_by: &[],
    },
    Claim {
        id: "DQ-2",
        says: "Data per query times queries per second is constant: with a third of the data, \
               three times as many are answered.",
        source: &BREWER_2001,
        checks: &[
            simulated(BOTH_SIZES, data_times_queries).without(LITTLE_DATA),
            live(BOTH_SIZES, data_times_queries).without(LITTLE_DATA),
        ],
        shown_by: &[ShownBy::Chart(&IN_TIME, BOTH_SIZES)],
    },
    Claim {
        id: "DQ-3",
        says: "In overload a service chooses what it gives up: a part of each answer (harvest), or \
               a part of the answers (yield).",
        source: &BREWER_2001,
        checks: &[
            simulated(BOTH_SIZES, harvest_buys_yield).without(LITTLE_DATA),
            live(BOTH_SIZES, harvest_buys_yield).without(LITTLE_DATA),
        ],
        shown_by: &[ShownBy::Chart(&IN_TIME, BOTH_SIZES)],
    },
    Claim {
        id: "DQ-4",
        says: "Replicas that lose nodes lose yield, partitions harvest; the product is what is \
               left of the nodes.",
        source: &BREWER_2001,
        checks: &[simulated(&["replicas", "partitions"], nodes_lost).without(NONE_LOST)],
        shown_by: &[],
    },
];

const FEW: &[&str] = &["queue-few"];
const LAST: &[&str] = &["last-first"];
const ADAPTIVE: &[&str] = &["adaptive"];
const BOTH_SIZES: &[&str] = &["queue-few", "smaller-answers"];
const ALL_WAIT: &[(&str, &str)] = &[("admit", "all")];
/// Answers are so small that the server can give them all.
const LITTLE_DATA: &[(&str, &str)] = &[("harvest", "0.1")];
const NO_OVERLOAD: &[(&str, &str)] = &[("load", "0.9")];
const EVERYBODY_IN: &[(&str, &str)] = &[("processes", "100000")];
const NONE_LOST: &[(&str, &str)] = &[("lost", "0")];

/// The largest share of the CPUs of server and client that other programs may use: half of the
/// tenth that a good policy may lose.
const MOST_OTHERS: f64 = 0.05;
/// The share of capacity, or of the peak, that a good policy reaches.
const WELL: f64 = 0.9;

/// A rate at the highest load, as a share of the capacity.
fn rate(e: &Evidence, variant: &str, name: &str) -> Result<Figure, Gap> {
    undisturbed(variant, e.metric(variant, "others")?.value, MOST_OTHERS)?;
    e.metric(variant, name)
}

pub(crate) fn goodput(e: &Evidence, variant: &str) -> Result<Figure, Gap> {
    rate(e, variant, "goodput")
}

fn saturates(e: &Evidence) -> Judged {
    let of = "queue-few";
    let peak = rate(e, of, "peak_throughput")?;
    goodput(e, of)?.at_least(WELL)?.because("answered in time, of the capacity")?.and(
        rate(e, of, "throughput")?.over(&peak).at_least(WELL)?.because("answered, of the peak"),
    )
}

/// A quantile of the response time is within a fifth of `ns`. If requests at the quantile were
/// never answered, only a bound is known: then the check fails, since too few were answered in that
/// time.
fn within_a_fifth(e: &Evidence, of: &str, quantile: f64, ns: f64) -> Judged {
    undisturbed(of, e.metric(of, "others")?.value, MOST_OTHERS)?;
    let by_then = e.share_up_to(of, "response", (1.2 * ns) as u64)?;
    if by_then.value < quantile {
        let words = format!("answered within {:.0} ms", 1.2 * ns / 1e6);
        return by_then.at_least(quantile)?.because(&words);
    }
    e.quantile(of, "response", quantile)?.near_relative(ns, 0.2)
}

/// An admitted request finds the queue full: 20 before it, and its own work.
fn response_is_the_queue(e: &Evidence) -> Judged {
    let work = e.settings_of("queue-few").duration("work").as_nanos() as f64;
    within_a_fifth(e, "queue-few", 0.5, 21.0 * work)
}

fn busy_for_nothing(e: &Evidence) -> Judged {
    let busy = rate(e, "queue-all", "throughput")?.at_least(WELL)?.because("answered at all");
    goodput(e, "queue-all")?.at_most(0.5)?.because("answered in time")?.and(busy)
}

fn last_come_are_in_time(e: &Evidence) -> Judged {
    let in_time = goodput(e, "last-first")?.at_least(WELL)?.because("answered in time")?;
    in_time.and(e.metric("last-first", "unlucky")?.at_least(0.5)?.because("never answered"))
}

/// The time that a client waits if all its connection requests are dropped.
fn retransmissions(e: &Evidence) -> Judged {
    let knobs = e.settings_of("processes");
    let room = knobs.int("processes") + knobs.int("backlog");
    let dropped = if knobs.int("clients") > room { RETRANSMISSIONS } else { 0 };
    let waited: f64 =
        (0..dropped).map(|i| FIRST_RETRANSMISSION.as_secs_f64() * f64::from(1 << i)).sum();
    Figure::exact(waited, "s").near(93.0, 0.0)
}

fn waits_differ(e: &Evidence) -> Judged {
    let uneven =
        |of: &str| Ok::<_, Gap>(e.metric(of, "longest")?.over(&e.quantile(of, "request", 0.5)?));
    uneven("processes")?
        .over(&uneven("stages")?)
        .at_least(10.0)?
        .because("longest over median wait, processes over stages")
}

/// The fairness index if only some of the nodes do all the work.
fn index_of_some(e: &Evidence) -> Judged {
    let knobs = e.settings_of("replicas");
    let (nodes, lost) = (knobs.int("nodes"), knobs.int("lost"));
    let shares: Vec<f64> = (0..nodes).map(|node| f64::from(u8::from(node >= lost))).collect();
    Figure::exact(jain_index(&shares), "ratio").near(0.6, 1e-12)
}

fn answers_are_uneven(e: &Evidence) -> Judged {
    let index = |of| e.metric(of, "jain_index");
    index("processes")?
        .at_most(0.9)?
        .because("processes")?
        .and(index("stages")?.at_least(0.99)?.because("stages"))
}

fn batches_trade(e: &Evidence) -> Judged {
    let value = |name: &str| Ok::<_, Gap>(e.metric("batching", name)?.value);
    let [one, full, both] =
        [value("response_one")?, value("response_full")?, value("response_controlled")?];
    let [slow, fast, controlled] =
        [value("throughput_one")?, value("throughput_full")?, value("throughput_controlled")?];
    statements(&[
        ("a full batch gives more throughput", fast > 1.3 * slow),
        ("a full batch costs response time", full > 3.0 * one),
        ("the controller has the throughput", controlled > 0.95 * fast),
        ("the controller has the response time", both < 1.1 * one),
    ])
}

fn threads_keep_up(e: &Evidence) -> Judged {
    let of = "blocked-threads";
    e.metric(of, "served")?
        .at_least(0.98)?
        .because("served of what comes")?
        .and(e.metric(of, "threads")?.at_least(5.0)?.because("threads, where 4.5 would do"))
}

fn holds_the_target(e: &Evidence) -> Judged {
    let good = goodput(e, "adaptive")?.at_least(WELL)?.because("answered in time");
    within_a_fifth(e, "adaptive", 0.9, 50e6)?.and(good)
}

fn redirected(e: &Evidence) -> Figure {
    let knobs = e.settings_of("replicas");
    let (nodes, lost) = (knobs.int("nodes") as f64, knobs.int("lost") as f64);
    Figure::exact(nodes / (nodes - lost), "times")
}

/// Within three standard errors of the shortest run, which has 25,000 queries.
fn load_of_one_that_is_left(e: &Evidence) -> Judged {
    e.metric("replicas", "load")?.near(5.0 / 3.0, 5.0 / 25_000_f64.sqrt())
}

fn data_times_queries(e: &Evidence) -> Judged {
    let product = |of: &str| {
        let harvest = e.settings_of(of).float("harvest");
        let rate = goodput(e, of)?;
        Figure { value: harvest * rate.value, ..rate }.near(1.0, 0.1)?.because(of)
    };
    product("smaller-answers")?.and(product("queue-few"))
}

fn harvest_buys_yield(e: &Evidence) -> Judged {
    let answered = |of: &str| {
        let asked = e.settings_of(of).float("load");
        Ok::<_, Gap>(Figure::exact(goodput(e, of)?.value / asked, "ratio"))
    };
    answered("smaller-answers")?
        .at_least(WELL)?
        .because("yield of smaller answers")?
        .and(answered("queue-few")?.near(1.0 / 3.0, 0.04)?.because("of whole ones"))
}

fn nodes_lost(e: &Evidence) -> Judged {
    let near = |of: &str, name: &str, value| {
        e.metric(of, name)?.near(value, 0.03)?.because(&format!("{name} of {of}"))
    };
    near("replicas", "yield", 0.6)?
        .and(near("replicas", "harvest", 1.0))?
        .and(near("partitions", "harvest", 0.6))?
        .and(near("partitions", "yield", 1.0))
}
