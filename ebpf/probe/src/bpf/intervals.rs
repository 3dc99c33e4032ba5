//! Histograms over the whole time and over intervals, which are the differences of a map between
//! readings.

use std::mem;
use std::time::Duration;

use anyhow::Result;
use lab_record::probe::{ProbeHistogram, ProbeInterval};

use super::load::Loaded;
use super::{HistogramMap, maps};

/// The parts so far.
pub(crate) struct Intervals {
    maps: &'static [HistogramMap],
    length: Option<Duration>,
    begun: Duration,
    /// The maps' counts when the current part began.
    before: Vec<Vec<u64>>,
    /// The maps' counts when the part before it began.
    earlier: Vec<Vec<u64>>,
    parts: Vec<ProbeInterval>,
}

impl Intervals {
    /// No parts yet; each will be `length` long.
    pub(crate) fn new(maps: &'static [HistogramMap], length: Option<Duration>) -> Self {
        let before: Vec<_> = maps.iter().map(|_| Vec::new()).collect();
        let earlier = before.clone();
        Self { maps, length, begun: Duration::ZERO, before, earlier, parts: Vec::new() }
    }

    /// Closes the current part if it is over; `now` is the time since the beginning.
    pub(crate) fn tick(&mut self, loaded: &Loaded, now: Duration) -> Result<()> {
        match self.length {
            // By the clock, not from the previous part: if one ends late, the next is shorter.
            Some(length) if now >= self.due(length) => self.close(loaded, now),
            _ => Ok(()),
        }
    }

    /// When the current part should end: at the next whole multiple of the length.
    fn due(&self, length: Duration) -> Duration {
        next_multiple(self.begun, length)
    }

    /// Closes the last part, shorter than the others. A rest shorter than a tenth belongs to the
    /// part before it: it would consist of events that came while the map was read, whose counts
    /// and sum were not read at the same time.
    pub(crate) fn end(&mut self, loaded: &Loaded, now: Duration) -> Result<()> {
        let Some(length) = self.length else { return Ok(()) };
        if now < self.begun + length / 10
            && let Some(last) = self.parts.pop()
        {
            self.begun = Duration::from_secs_f64(last.start_s);
            self.before = mem::take(&mut self.earlier);
        }
        self.close(loaded, now)
    }

    fn close(&mut self, loaded: &Loaded, now: Duration) -> Result<()> {
        self.earlier.clone_from(&self.before);
        let mut histograms = Vec::new();
        for (HistogramMap { map, name, unit }, before) in self.maps.iter().zip(&mut self.before) {
            let all = loaded.slots(map)?;
            let had = |slot: usize| before.get(slot).copied().unwrap_or(0);
            let more = all.iter().enumerate().map(|(slot, n)| (slot as u32, n - had(slot)));
            histograms.push(maps::histogram(name, None, unit, more.collect::<Vec<_>>()));
            *before = all;
        }
        self.parts.push(ProbeInterval {
            start_s: self.begun.as_secs_f64(),
            length_s: (now - self.begun).as_secs_f64(),
            histograms,
        });
        self.begun = now;
        Ok(())
    }

    /// The histograms over the whole time.
    pub(crate) fn whole(&self, loaded: &Loaded) -> Result<Vec<ProbeHistogram>> {
        let whole = |HistogramMap { map, name, unit }: &HistogramMap| {
            let slots = loaded.slots(map)?;
            Ok(maps::histogram(name, None, unit, (0..).zip(slots)))
        };
        self.maps.iter().map(whole).collect()
    }

    /// The parts, in order.
    pub(crate) fn parts(self) -> Vec<ProbeInterval> {
        self.parts
    }
}

/// The first multiple of `length` at least half a length after `begun`, so that no part is too
/// short.
fn next_multiple(begun: Duration, length: Duration) -> Duration {
    let parts = (begun.as_secs_f64() / length.as_secs_f64() + 0.5).floor() + 1.0;
    length.mul_f64(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_end_by_the_clock_however_late_the_one_before_did() {
        let length = Duration::from_millis(100);
        let (mut begun, mut parts) = (Duration::ZERO, 0);
        // Ticks slightly more than 20 ms apart.
        for tick in 1..=500_u64 {
            let now = Duration::from_micros(20_300 * tick);
            if now >= next_multiple(begun, length) {
                (begun, parts) = (now, parts + 1);
            }
        }
        assert_eq!(parts, 101, "in 10.15 s");
    }
}
