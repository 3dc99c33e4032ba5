//! A page and the time that it takes: connections that start slowly share one link.
//!
//! A browser asks for the document first, and then for all that the document names: over a few
//! connections, with one request at a time on each. A server sends as many segments as its window
//! has room for; each acknowledgement adds a segment to the window (slow start, RFC 5681). Nothing
//! is lost, so nothing ends slow start. Requests and acknowledgements take no bandwidth.

use anyhow::Context as _;
use lab_kit::sim::{Agenda, Distribution, Link, Nanos};
use lab_kit::{Settings, seed};

/// The bytes of a resource that a segment carries at most, and those of its headers.
const PAYLOAD: u64 = 1_460;
const HEADERS: u64 = 40;
/// Round trips to look up a name, and to open a TCP connection.
const DNS: u64 = 1;
const TCP: u64 = 1;
/// What random numbers are drawn for.
const SIZES: u64 = 0;

/// A browser, its link, and what it knows of the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Browser {
    /// In one direction.
    pub(crate) delay: Nanos,
    /// From server to browser.
    pub(crate) bytes_per_second: f64,
    pub(crate) connections: usize,
    pub(crate) first_window: u64,
    pub(crate) tls_trips: u64,
}

/// When a page was there, from the first look-up of a name; in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub(crate) first_byte: Nanos,
    pub(crate) all: Nanos,
}

enum Event {
    /// The connection may ask for something.
    Ready(usize),
    /// The server has the connection's request for this many bytes.
    Asked(usize, u64),
    /// The browser has a segment; whether it ends its resource.
    Came(usize, bool),
    /// The server knows that a segment came.
    Acknowledged(usize),
}

/// What the server knows of a connection.
#[derive(Debug, Clone, Copy)]
struct Connection {
    /// In segments.
    window: u64,
    in_flight: u64,
    /// Bytes of the resource that are still to be sent.
    left: u64,
}

impl Browser {
    pub(crate) fn of(knobs: &Settings) -> Self {
        Self {
            delay: knobs.duration("rtt").as_nanos() as Nanos / 2,
            bytes_per_second: knobs.float("bandwidth") * 1e6 / 8.0,
            connections: knobs.int("connections") as usize,
            first_window: knobs.int("first-window"),
            tls_trips: knobs.int("tls-trips"),
        }
    }

    /// Round trips before a new connection can be asked for something.
    pub(crate) fn opening_trips(&self) -> u64 {
        TCP + self.tls_trips
    }

    /// Round trips until the first byte of a page: the last one is the request's.
    pub(crate) fn trips(&self) -> u64 {
        DNS + self.opening_trips() + 1
    }

    /// Loads a page of resources of these bytes: its document, and the rest.
    ///
    /// # Errors
    /// The link has no bandwidth.
    pub(crate) fn load(&self, sizes: &[u64]) -> anyhow::Result<Loaded> {
        let mut link = Link::new(Distribution::constant(self.delay as f64)?)
            .bandwidth(self.bytes_per_second)?;
        // The link's delay is constant, so these numbers change nothing.
        let mut rng = seed::rng(0, &[]);
        let fresh = Connection { window: self.first_window, in_flight: 0, left: 0 };
        let mut connections = vec![fresh; self.connections];
        let (mut wanted, mut missing, mut first_byte) = (sizes.iter(), sizes.len(), None);
        let mut agenda = Agenda::new();
        let trip = 2 * self.delay;
        agenda.at((DNS + self.opening_trips()) * trip, Event::Ready(0));
        while let Some(event) = agenda.step()? {
            let now = agenda.now();
            let sends = match event {
                Event::Ready(c) => {
                    if let Some(size) = wanted.next() {
                        agenda.after(self.delay, Event::Asked(c, *size));
                    }
                    continue;
                }
                Event::Came(c, last) => {
                    let first_byte = *first_byte.get_or_insert(now);
                    agenda.after(self.delay, Event::Acknowledged(c));
                    if last {
                        missing -= 1;
                        agenda.at(now, Event::Ready(c));
                    }
                    if missing == 0 {
                        return Ok(Loaded { first_byte, all: now });
                    }
                    if last && missing + 1 == sizes.len() {
                        let opened = self.opening_trips() * trip;
                        (1..self.connections).for_each(|c| agenda.after(opened, Event::Ready(c)));
                    }
                    continue;
                }
                Event::Asked(c, size) => {
                    connections[c].left = size;
                    c
                }
                Event::Acknowledged(c) => {
                    connections[c].in_flight -= 1;
                    connections[c].window += 1;
                    c
                }
            };
            let connection = &mut connections[sends];
            while connection.in_flight < connection.window && connection.left > 0 {
                let bytes = connection.left.min(PAYLOAD);
                connection.left -= bytes;
                connection.in_flight += 1;
                let at = link.send(now, bytes + HEADERS, &mut rng).context("nothing is lost")?;
                agenda.at(at, Event::Came(sends, connection.left == 0));
            }
        }
        anyhow::bail!("{missing} resources never came")
    }

    /// The mean time of this many pages in nanoseconds: the same pages for the same seed.
    ///
    /// # Errors
    /// As [`Browser::load`].
    pub(crate) fn mean(&self, knobs: &Settings, seed: u64, pages: u64) -> anyhow::Result<f64> {
        let one = |page| Ok(self.load(&sizes(knobs, seed, page))?.all as f64);
        Ok((0..pages).map(one).sum::<anyhow::Result<f64>>()? / pages as f64)
    }
}

/// The bytes of each resource of a page: exponential.
pub(crate) fn sizes(knobs: &Settings, seed: u64, page: u64) -> Vec<u64> {
    let resources = knobs.int("resources");
    let mean = (knobs.int("page-kib") << 10) as f64 / resources as f64;
    let size = |i| seed::unit_exponential(seed::uniform(seed, &[SIZES, page, i])) * mean;
    (0..resources).map(|i| 1 + size(i) as u64).collect()
}
