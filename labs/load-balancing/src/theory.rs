//! What theory has for many servers of exponential work, times in mean works.

/// The mean response where each request joins the shortest of `choices` queues drawn at random, of
/// infinitely many servers that are busy for a share `load`: `Σ load^((d^i − d)/(d − 1))`
/// (Mitzenmacher 2001).
pub(crate) fn best_of(load: f64, choices: u64) -> f64 {
    if choices == 1 {
        return 1.0 / (1.0 - load);
    }
    (1..).map(|i| at_least(load, choices, i) / load).take_while(|term| *term > 1e-12).sum()
}

/// The share of these servers that have at least `length` requests, with the one that is served:
/// `load^((d^i − 1)/(d − 1))`.
pub(crate) fn at_least(load: f64, choices: u64, length: u32) -> f64 {
    (0..length).fold(1.0, |share, _| load * libm::pow(share, choices as f64))
}

/// The mean response where `servers` take turns at Poisson arrivals: what comes to each is apart by as
/// many exponential gaps (G/M/1, Kleinrock 1975).
pub(crate) fn in_turn(load: f64, servers: u64) -> f64 {
    let gaps = servers as f64;
    // Who comes finds the server busy with this probability: the least root, approached from below.
    let next = |busy: f64| libm::pow(1.0 + (1.0 - busy) / (gaps * load), -gaps);
    1.0 / (1.0 - (0..10_000).fold(0.0, |busy, _| next(busy)))
}

/// The largest of `servers` arcs between random points on a ring, over their mean:
/// `1 + 1/2 + … + 1/n`.
pub(crate) fn largest_arc(servers: u64) -> f64 {
    (1..=servers).map(|i| 1.0 / i as f64).sum()
}
