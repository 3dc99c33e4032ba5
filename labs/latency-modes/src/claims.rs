//! What the sources claim, and the checks that could refute each.
//!
//! A formula agrees to its printed digits. A simulated share or mean lies within three standard
//! errors of what is expected; of many figures the worst lies within as many as are as rare.

use lab_kit::stats::binomial_error;
use lab_kit::{Claim, Evidence, Figure, Gap, Judged, ShownBy, closed_form, live, simulated};

use crate::catalogue::{DISK, Mixture, Shape, above, of_type};
use crate::charts::{
    BY_LOGARITHM, BY_OFFSET, BY_SECOND, BYTES, CUT_MAP, MET, MVALUE, OF_THREADS, STALLS, STEP,
    THREADS, TRAILS, WHOLE_MAP,
};
use crate::outages::LogNormal;
use crate::sample::VALUE;
use crate::shape::{MULTIMODAL, OUTLYING, max_sigma, rises_and_falls};
use crate::sources::{
    BROOKER_2022, BROOKER_2026, CATALOGUE, LATENCY_2010, MODES, OUTLIERS, TRACE2HEATMAP,
    TRAILS as TRAILS_2013, UTILISATION,
};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim {
        id: "HM-1",
        says: "A latency heat map has a column for each second, 50 rows of latency, and in each \
               cell, of 8 pixels, the number of its events.",
        source: &TRACE2HEATMAP,
        checks: &[simulated(&["map"], |e| {
            e.metric("map", "events_off")?.near(0.0, 0.0)?.because("events not in their cell")
        })
        .without(&[("cell", "mark")])
        .calibrates()],
        shown_by: &[ShownBy::Chart(&WHOLE_MAP, &["map"])],
    },
    Claim {
        id: "HM-2",
        says: "A cell's shade is in proportion to its count: 240 and 220 parts of green and blue \
               for none, no part of either for the highest count.",
        source: &TRACE2HEATMAP,
        checks: &[simulated(&["map"], |e| {
            e.metric("map", "shades_off")?.near(0.0, 0.0)?.because("cells of another shade")
        })
        .without(&[("shade", "logarithmic")])
        .calibrates()],
        shown_by: &[ShownBy::Chart(&WHOLE_MAP, &["map"])],
    },
    Claim {
        id: "HM-3",
        says: "Rows that reach up to the largest value show outliers and squash the bulk into a \
               few; a second map with a maximum shows it.",
        source: &TRACE2HEATMAP,
        checks: &[simulated(&["map"], |e| {
            let rows = |name| e.metric("map", name);
            rows("bulk_whole")?
                .at_most(0.1)?
                .because("of the rows have 96 % of the events")?
                .and(rows("bulk_cut")?.at_least(0.5)?.because("with a maximum"))
        })
        .without(NO_OUTLIERS)],
        shown_by: &[
            ShownBy::Chart(&WHOLE_MAP, &["map"]),
            ShownBy::Chart(&CUT_MAP, &["map"]),
            ShownBy::Chart(&BY_LOGARITHM, &["map"]),
        ],
    },
    Claim {
        id: "HM-4",
        says: "Counted from below, the cells of a column give its percentiles, within a row.",
        source: &TRACE2HEATMAP,
        checks: &[simulated(&["map"], |e| {
            e.metric("map", "off_percentiles")?.at_most(1.0)?.because("p50, p90, p99 of any column")
        })
        .without(&[("cell", "mark")])],
        shown_by: &[ShownBy::Chart(&CUT_MAP, &["map"])],
    },
    Claim {
        id: "HM-5",
        says: "A histogram of 200 ranges for each second has a thousandth of the data of its \
               events, on a system with hundreds of thousands of them.",
        source: &LATENCY_2010,
        checks: &[simulated(&["busy"], |e| {
            let times = |name| {
                e.metric("busy", name)?.between(HALF_A_DECADE[0], HALF_A_DECADE[1], Some(1_000.0))
            };
            times("by_ranges")?
                .because("200 ranges")?
                .and(times("by_log")?.because("an interval log"))
        })
        .without(&[("rate", "1000")])],
        shown_by: &[ShownBy::Chart(&BYTES, &["busy"])],
    },
    Claim {
        id: "HM-6",
        says: "A stall in each second stands out as stripes of a heat map, while the mean of a \
               second moves by less than 5 %.",
        source: &LATENCY_2010,
        checks: &[
            simulated(&["calm", "stalls"], stripes).without(NO_STALL),
            live(&["calm", "stalls"], stripes).without(NO_STALL),
        ],
        shown_by: &[
            ShownBy::Chart(&STALLS, &["stalls"]),
            ShownBy::Chart(&BY_OFFSET, &["stalls"]),
            ShownBy::Chart(&BY_SECOND, &["calm", "stalls"]),
            ShownBy::FlameGraph("long-stalls"),
        ],
    },
    Claim {
        id: "HM-7",
        says: "A heat map of utilisation shows the one thread that is busy all the time behind a \
               mean of 50 %.",
        source: &UTILISATION,
        checks: &[live(&["threads"], |e| {
            let mean = e.metric("threads", "mean")?.near(0.5, 0.05)?.because("mean")?;
            e.metric("threads", "hottest")?.at_least(0.9)?.because("the busiest")?.and(Ok(mean))
        })
        .without(&[("threads", "both-half")])],
        shown_by: &[
            ShownBy::Chart(&THREADS, &["threads"]),
            ShownBy::Chart(&OF_THREADS, &["threads"]),
        ],
    },
    Claim {
        id: "FT-1",
        says: "A sample has outliers if its largest value is 6 standard deviations above its mean \
               or more: (max - mean) / deviation.",
        source: &OUTLIERS,
        checks: &[
            closed_form(one_apart).without(&[("values", "37")]),
            simulated(&["catalogue"], |e| {
                let share = |name| e.metric("catalogue", name)?.near(1.0, 0.0);
                share("labelled_outlying")?
                    .because("types with outliers")?
                    .and(share("others_not_outlying")?.because("types without"))
            })
            .without(NO_OUTLIERS),
        ],
        shown_by: &[ShownBy::Chart(&TRAILS, &["narrow", "outliers"])],
    },
    Claim {
        id: "FT-2",
        says: "Of 35 disks, each with 50,000 times, all had outliers by that test. A normal sample \
               of that size has with a probability of 5 in 100,000.",
        source: &OUTLIERS,
        checks: &[
            closed_form(|e| Figure::exact(normal_outlying(e), "ratio").near(5e-5, 5e-6))
                .without(&[("values", "5000")]),
            simulated(&["narrow", "pareto"], heavy_tails_only).without(&[("tail", "normal")]),
            live(&["reads"], |e| e.metric("reads", "max_sigma")?.at_least(OUTLYING))
                .without(&[("timed", "normal")]),
        ],
        shown_by: &[ShownBy::Chart(&TRAILS, &["narrow", "pareto", "reads"])],
    },
    Claim {
        id: "FT-3",
        says: "Where a disk has modes at 0 to 0.2 ms and 2.2 to 2.4 ms, its mean is a latency that \
               hardly a request has: the density there is below a twentieth of the peak.",
        source: &MODES,
        checks: &[
            closed_form(|e| {
                let disk = turned(e, &DISK);
                let density = |us: f64| disk.share_between(us - 0.5, us + 0.5);
                let peak = (0..5_000).map(f64::from).map(density).fold(0.0, f64::max);
                Figure::exact(density(disk.mean()) / peak, "ratio").at_most(0.05)
            })
            .without(TOGETHER),
            simulated(&["disk"], |e| {
                e.metric("disk", "density_at_mean")?.at_most(0.05)?.because("bins of 0.2 ms")
            })
            .without(TOGETHER),
        ],
        shown_by: &[ShownBy::Chart(&TRAILS, &["disk"])],
    },
    Claim {
        id: "FT-4",
        says: "The mvalue, all rises and falls of a density over its height, is 2 for one mode and \
               4 for two; from 2.4 on there is more than one.",
        source: &MODES,
        checks: &[
            closed_form(two_or_four).without(TOGETHER),
            simulated(&["catalogue"], |e| {
                let share = |name| e.metric("catalogue", name)?.at_least(0.95);
                share("one_mode_below")?
                    .because("one mode: below 2.4")?
                    .and(share("more_modes_above")?.because("more: not below"))
            })
            .without(TOGETHER),
            simulated(&["narrow", "two-modes", "three-modes", "four-modes"], twice_the_modes)
                .without(TOGETHER),
        ],
        shown_by: &[
            ShownBy::Chart(&MVALUE, &["narrow", "two-modes", "three-modes", "four-modes"]),
            ShownBy::Chart(&TRAILS, &["narrow", "two-modes", "three-modes", "four-modes"]),
        ],
    },
    Claim {
        id: "FT-5",
        says: "The synthetic catalogue can be drawn again: types of one to four modes around \
               1,000 µs, with outliers and without, have the published means and deviations.",
        source: &CATALOGUE,
        checks: &[simulated(&["catalogue"], |e| {
            e.metric("catalogue", "worst_moment")?.at_most(WORST)?.because("the worst moment")
        })
        .without(NO_OUTLIERS)],
        shown_by: &[ShownBy::Chart(
            &TRAILS,
            &["narrow", "outliers", "pareto", "two-modes", "three-modes", "four-modes"],
        )],
    },
    Claim {
        id: "FT-6",
        says: "A density that is cut below 1 / (deviation × values) leaves single outliers as \
               grains apart from the trail.",
        source: &TRAILS_2013,
        checks: &[simulated(&["grains"], |e| {
            let [grains, groups] = ["grains", "groups"].map(|name| e.metric("grains", name));
            let over = grains?.over(&groups?).near(1.0, 0.01)?.because("grains over groups")?;
            e.metric("grains", "drawn")?.near(1.0, 0.0)?.because("outliers drawn")?.and(Ok(over))
        })
        .without(&[("cut", "nothing")])],
        shown_by: &[ShownBy::Chart(&TRAILS, &["grains"])],
    },
    Claim {
        id: "BRK-17",
        says: "In the eCDF of a cache that hits 70 % of requests, the hit ratio is the height of a \
               step, and each percentile can be read.",
        source: &BROOKER_2022,
        checks: &[simulated(&["cache"], a_step).without(TOGETHER)],
        shown_by: &[ShownBy::Chart(&STEP, &["cache"])],
    },
    Claim {
        id: "BRK-18",
        says: "Who comes at a random moment meets a longer outage than the mean: E[X²] / E[X], of \
               which half is left.",
        source: &BROOKER_2026,
        checks: &[
            closed_form(|e| {
                let outages = LogNormal::of(&e.settings_of("met"));
                let times = Figure::exact(outages.met() / outages.mean(), "times");
                let expected = libm::exp(outages.sigma() * outages.sigma());
                times.clone().near(expected, 1e-9)?.and(times.at_least(1.5))
            })
            .without(&[("p99", "30ms")]),
            simulated(&["counted", "met"], |e| {
                let outages = LogNormal::of(&e.settings_of("met"));
                within(e, "met", "met", outages.met())?
                    .and(within(e, "met", "left", outages.left())?.because("left of it"))?
                    .and(within(e, "counted", "met", outages.mean())?.because("counted"))
            })
            .without(&[("seen", "each-once")]),
        ],
        shown_by: &[ShownBy::Chart(&MET, &["counted", "met"])],
    },
    Claim {
        id: "BRK-19",
        says: "Of outages with a median of 30 minutes and a p99 of 600, the mean is just over an \
               hour, and customers see 6 hours: the outage that is met. What is left of it, by the \
               formula of the post's program, is 3 hours.",
        source: &BROOKER_2026,
        checks: &[closed_form(|e| {
            let outages = LogNormal::of(&e.settings());
            let [mean, met, left] = [outages.mean(), outages.met(), outages.left()]
                .map(|ns| Figure::exact(ns / 1e6, "min"));
            met.near(361.0, 0.5)?
                .because("met")?
                .and(mean.near(68.7, 0.05)?.because("mean"))?
                .and(left.near(180.0, 0.5)?.because("left"))
        })
        .without(&[("p99", "60ms")])],
        shown_by: &[],
    },
];

pub(crate) const TOGETHER: &[(&str, &str)] = &[("apart", "0")];
const NO_OUTLIERS: &[(&str, &str)] = &[("outliers", "0")];
const NO_STALL: &[(&str, &str)] = &[("stall", "0s")];
/// "About a thousand times": nearer to it than to a hundred or ten thousand.
const HALF_A_DECADE: [f64; 2] = [316.0, 3_160.0];
/// The worst of the catalogue's moments is beyond as rarely as one alone is beyond 3: it has some
/// 66, and 66 × 2 × above(4.1) = 0.0027.
const WORST: f64 = 4.1;

/// A shape as the knobs of the run turn it.
pub(crate) fn turned(e: &Evidence, shape: &Shape) -> Mixture {
    let knobs = e.settings();
    shape.turned(knobs.float("outliers"), knobs.float("apart"))
}

/// How many times as long as without stalls a mean response takes.
pub(crate) fn moved(e: &Evidence) -> Result<Figure, Gap> {
    Ok(e.metric("stalls", "mean")?.over(&e.metric("calm", "mean")?))
}

fn stripes(e: &Evidence) -> Judged {
    e.metric("stalls", "at_the_offset")?
        .at_least(0.9)?
        .because("seconds with their slowest at the stall")?
        .and(e.metric("stalls", "stripe")?.at_least(3.0)?.because("height of a stripe, in means"))?
        .and(moved(e)?.at_most(1.05)?.because("mean, times that without stalls"))
}

/// One value apart from all others, which are the same, is (n - 1) / √n deviations above the mean:
/// of 38 values or more, it is an outlier.
fn one_apart(e: &Evidence) -> Judged {
    let n = e.settings().int("values") as usize;
    let mut values = vec![1_000.0; n];
    values[n - 1] = 9_000.0;
    let sigma = Figure::exact(max_sigma(&values), "deviations");
    let expected = (n as f64 - 1.0) / (n as f64).sqrt();
    sigma.clone().near_relative(expected, 1e-9)?.and(sigma.at_least(OUTLYING))
}

/// The probability that a normal sample has a value 6 deviations above its mean.
fn normal_outlying(e: &Evidence) -> f64 {
    -libm::expm1(e.settings().int("values") as f64 * libm::log1p(-above(OUTLYING)))
}

fn heavy_tails_only(e: &Evidence) -> Judged {
    let (normal, of) = e.proportion("narrow", "outlying")?;
    let most = most_of(of as f64 * normal_outlying(e)) / of as f64;
    let heavy = e.metric("pareto", "outlying")?.near(1.0, 0.0)?.because("samples of a Pareto")?;
    heavy.and(normal.at_most(most)?.because("of a normal"))
}

/// The most events that come about as often as a normal value within three deviations above its
/// mean, where `expected` are rare (Poisson).
fn most_of(expected: f64) -> f64 {
    let (mut most, mut probability) = (0.0, libm::exp(-expected));
    let mut up_to = probability;
    while 1.0 - up_to > above(3.0) {
        most += 1.0;
        probability *= expected / most;
        up_to += probability;
    }
    most
}

/// The mvalue of two modes far apart, and of one, from their exact densities.
fn two_or_four(e: &Evidence) -> Judged {
    let of = |number| {
        let shape = turned(e, of_type(number));
        let bin = |i: u32| shape.share_between(20.0 * f64::from(i), 20.0 * f64::from(i + 1));
        Figure::exact(rises_and_falls(&(0..100).map(bin).collect::<Vec<_>>()), "heights")
    };
    // Between modes 7 deviations apart there is 0.3 % of the peak.
    of(203).near(4.0, 0.02)?.because("two modes")?.and(of(101).near(2.0, 1e-4)?.because("one"))
}

fn twice_the_modes(e: &Evidence) -> Judged {
    let near = |of: &str, modes: f64| {
        e.metric(of, "mvalue")?.near(2.0 * modes, MULTIMODAL - 2.0)?.because(of)
    };
    near("two-modes", 2.0)?
        .and(near("narrow", 1.0))?
        .and(near("three-modes", 3.0))?
        .and(near("four-modes", 4.0))
}

fn a_step(e: &Evidence) -> Judged {
    let (hits, of) = (0.7, e.count("cache", VALUE)?);
    let height = |us: u64| {
        let share = e.share_up_to("cache", VALUE, us * 1_000)?;
        share.near(hits, 3.0 * binomial_error(hits, of))?.because(&format!("up to {us} µs"))
    };
    let at = |quantile| e.independent_quantile("cache", VALUE, quantile);
    height(500)?
        .and(height(1_900))?
        .and(at(0.65)?.at_most(0.2e6)?.because("p65"))?
        .and(at(0.75)?.at_least(2.0e6)?.because("p75"))
}

/// A mean within three of its standard errors.
fn within(e: &Evidence, variant: &str, name: &str, expected: f64) -> Judged {
    let error = e.metric(variant, &format!("{name}_error"))?.value;
    e.metric(variant, name)?.near(expected, 3.0 * error)
}
