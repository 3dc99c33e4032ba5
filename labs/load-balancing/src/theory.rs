//! Theory of many servers with exponential work; times are in units of the mean work.

/// The mean response if each request joins the shortest of `choices` random queues, of infinitely
/// many servers with utilisation `load`: `Σ load^((d^i − d)/(d − 1))` (Mitzenmacher 2001).
pub(crate) fn best_of(load: f64, choices: u64) -> f64 {
    if choices == 1 {
        return 1.0 / (1.0 - load);
    }
    (1..).map(|i| at_least(load, choices, i) / load).take_while(|term| *term > 1e-12).sum()
}

/// The share of these servers that have at least `length` requests, including the one in service:
/// `load^((d^i − 1)/(d − 1))`.
pub(crate) fn at_least(load: f64, choices: u64, length: u32) -> f64 {
    (0..length).fold(1.0, |share, _| load * libm::pow(share, choices as f64))
}

/// The mean response if `servers` take Poisson arrivals in turn: the gap between two arrivals at
/// one server is the sum of as many exponential gaps (G/M/1, Kleinrock 1975).
pub(crate) fn in_turn(load: f64, servers: u64) -> f64 {
    let gaps = servers as f64;
    // An arrival finds the server busy with this probability: the least root, approached from
    // below.
    let next = |busy: f64| libm::pow(1.0 + (1.0 - busy) / (gaps * load), -gaps);
    1.0 / (1.0 - (0..10_000).fold(0.0, |busy, _| next(busy)))
}

/// The largest of `servers` arcs between random points on a ring, over their mean:
/// `1 + 1/2 + … + 1/n`.
pub(crate) fn largest_arc(servers: u64) -> f64 {
    (1..=servers).map(|i| 1.0 / i as f64).sum()
}
