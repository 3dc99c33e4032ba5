//! What happens next: events in order of time, and those of equal times in the order in which they
//! were scheduled.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use super::Nanos;

/// The default bound on events that are pending at once, or follow each other at one instant; see
/// [`Agenda::bounded`].
const BOUND: usize = 20_000_000;

/// The events to come, and what time it is.
#[derive(Debug)]
pub struct Agenda<E> {
    now: Nanos,
    until: Nanos,
    scheduled: u64,
    later: BinaryHeap<Entry<E>>,
    /// Events that were scheduled for this instant during it: they follow those that were scheduled
    /// for it before.
    instant: VecDeque<E>,
    bound: usize,
    /// Events since time last advanced.
    at_once: usize,
    overgrown: bool,
}

/// Why a simulation was stopped: it would not have ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Endless {
    /// Events are scheduled faster than they happen.
    #[error("the simulation grows without end: {bound} events are pending at {:?}", nanos(.now))]
    Pending {
        /// The most events that are allowed.
        bound: usize,
        /// The time at which the bound was exceeded.
        now: Nanos,
    },
    /// Events follow each other without time between them.
    #[error("simulated time stands still: {bound} events have happened at {:?}", nanos(.now))]
    Instant {
        /// The most events that are allowed.
        bound: usize,
        /// The instant.
        now: Nanos,
    },
}

fn nanos(now: &Nanos) -> Duration {
    Duration::from_nanos(*now)
}

impl<E> Agenda<E> {
    /// An empty agenda at time 0. Events after `until` do not happen.
    pub fn until(until: Nanos) -> Self {
        Self {
            now: 0,
            until,
            scheduled: 0,
            later: BinaryHeap::new(),
            instant: VecDeque::new(),
            bound: BOUND,
            at_once: 0,
            overgrown: false,
        }
    }

    /// An empty agenda at time 0 that ends when no event is left.
    pub fn new() -> Self {
        Self::until(Nanos::MAX)
    }

    /// Sets the bound on events that are pending at once, or follow each other at one instant.
    pub fn bounded(self, bound: usize) -> Self {
        Self { bound, ..self }
    }

    /// The time of the current event; 0 before the first.
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// Schedules an event; one for a time that has passed happens now.
    pub fn at(&mut self, time: Nanos, event: E) {
        if self.pending() >= self.bound {
            self.overgrown = true;
        } else if time <= self.now && self.scheduled > 0 {
            self.instant.push_back(event);
        } else {
            self.later.push(Entry { time, place: self.scheduled, event });
        }
        self.scheduled += 1;
    }

    /// Schedules an event `delay` after now.
    pub fn after(&mut self, delay: Nanos, event: E) {
        self.at(self.now.saturating_add(delay), event);
    }

    /// The number of pending events.
    pub fn pending(&self) -> usize {
        self.later.len() + self.instant.len()
    }

    /// The time of the next event, even if it is after the end.
    pub fn next_time(&self) -> Option<Nanos> {
        let later = self.later.peek().map(|entry| entry.time);
        if self.instant.is_empty() { later } else { Some(self.now) }
    }

    /// Advances to the next event and returns it; `None` if there is none up to the end.
    ///
    /// # Errors
    /// The bound on events has been reached.
    #[inline]
    pub fn step(&mut self) -> Result<Option<E>, Endless> {
        self.step_until(self.until)
    }

    /// [`Agenda::step`], up to `until` instead of the agenda's own end.
    ///
    /// # Errors
    /// As [`Agenda::step`].
    pub fn step_until(&mut self, until: Nanos) -> Result<Option<E>, Endless> {
        let (bound, now) = (self.bound, self.now);
        if self.overgrown {
            return Err(Endless::Pending { bound, now });
        }
        let next = self.later.peek().map(|entry| entry.time);
        if next.is_none_or(|time| time > now)
            && let Some(event) = self.instant.pop_front()
        {
            self.at_once += 1;
            return self.unless_it_stands_still(event);
        }
        if next.is_none_or(|time| time > until) {
            return Ok(None);
        }
        let Some(entry) = self.later.pop() else { return Ok(None) };
        self.at_once = if entry.time > now { 1 } else { self.at_once + 1 };
        self.now = entry.time;
        self.unless_it_stands_still(entry.event)
    }

    fn unless_it_stands_still(&self, event: E) -> Result<Option<E>, Endless> {
        if self.at_once > self.bound {
            return Err(Endless::Instant { bound: self.bound, now: self.now });
        }
        Ok(Some(event))
    }
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Self::new()
    }
}

/// An event with its time, and its place among the events of that time.
#[derive(Debug)]
struct Entry<E> {
    time: Nanos,
    place: u64,
    event: E,
}

/// The earliest event is the greatest, since `BinaryHeap` pops the greatest first.
impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.time, other.place).cmp(&(self.time, self.place))
    }
}
impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl<E> Eq for Entry<E> {}

/// The next call of a server that says when it next has something to do, and may change its mind.
///
/// After each call, the alarm is [`set`](Alarm::set) to the time that the server says. Call the
/// server again for an event that [`rings`](Alarm::rings), and ignore any other: an earlier one has
/// replaced it.
#[derive(Debug, Clone, Copy)]
pub struct Alarm {
    at: Nanos,
}

/// When no call is due.
const NEVER: Nanos = Nanos::MAX;

impl Alarm {
    /// An alarm that is not set.
    pub fn new() -> Self {
        Self { at: NEVER }
    }

    /// The server has something to do at `at`. An earlier call stays scheduled: it finds nothing to
    /// do, and sets the alarm again.
    pub fn set<E>(&mut self, agenda: &mut Agenda<E>, at: Option<Nanos>, event: impl FnOnce() -> E) {
        if let Some(at) = at.filter(|at| *at < self.at) {
            self.at = at;
            agenda.at(at, event());
        }
    }

    /// Whether the event that happens `now` is the call that the alarm was set to.
    pub fn rings(&mut self, now: Nanos) -> bool {
        let rings = self.at <= now;
        if rings {
            self.at = NEVER;
        }
        rings
    }
}

impl Default for Alarm {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<E>(agenda: &mut Agenda<E>) -> Vec<(Nanos, E)> {
        let mut happened = Vec::new();
        while let Some(event) = agenda.step().unwrap() {
            happened.push((agenda.now(), event));
        }
        happened
    }

    #[test]
    fn events_happen_by_time_and_equal_times_in_the_order_of_scheduling() {
        let mut agenda = Agenda::new();
        let scheduled: Vec<(Nanos, u64)> = (0..500).map(|place| (place * 7 % 5, place)).collect();
        scheduled.iter().for_each(|(time, place)| agenda.at(*time, *place));
        let mut expected = scheduled;
        expected.sort_unstable();
        assert_eq!(all(&mut agenda), expected);
    }

    #[test]
    fn an_event_for_now_comes_after_those_that_were_scheduled_for_now_before() {
        let mut agenda = Agenda::new();
        for event in ["first", "second"] {
            agenda.at(7, event);
        }
        assert_eq!(agenda.step().unwrap(), Some("first"));
        agenda.at(7, "third");
        agenda.at(2, "too late, so fourth");
        agenda.after(1, "last");
        let expected = [(7, "second"), (7, "third"), (7, "too late, so fourth"), (8, "last")];
        assert_eq!(all(&mut agenda), expected);
    }

    #[test]
    fn an_event_after_the_end_does_not_happen() {
        let mut agenda = Agenda::until(10);
        agenda.at(10, "at the end");
        agenda.at(11, "after it");
        assert_eq!(all(&mut agenda), [(10, "at the end")]);
        assert_eq!((agenda.pending(), agenda.next_time()), (1, Some(11)));
    }

    #[test]
    fn an_agenda_that_grows_without_end_stops_at_its_bound_and_says_so() {
        let mut agenda = Agenda::new().bounded(1_000);
        agenda.at(1, ());
        let mut happened = 0;
        let error = loop {
            match agenda.step() {
                Ok(Some(())) => (0..2).for_each(|_| agenda.after(1, ())),
                Ok(None) => panic!("each event schedules two"),
                Err(error) => break error,
            }
            happened += 1;
        };
        assert!(happened <= 1_000, "{happened}");
        assert!(error.to_string().contains("1000 events are pending at 10ns"), "{error}");
        assert_eq!(agenda.step(), Err(error), "it does not go on");
    }

    #[test]
    fn an_endless_instant_is_an_error() {
        let mut agenda = Agenda::new().bounded(1_000);
        agenda.at(1_000_000, ());
        let error = loop {
            match agenda.step() {
                Ok(_) => agenda.after(0, ()),
                Err(error) => break error,
            }
        };
        assert_eq!(error, Endless::Instant { bound: 1_000, now: 1_000_000 });
    }

    #[test]
    fn an_alarm_rings_once_at_the_earliest_time_that_it_was_set_to() {
        let mut agenda = Agenda::new();
        let mut alarm = Alarm::new();
        for at in [Some(5), Some(5), Some(3), Some(9), None] {
            alarm.set(&mut agenda, at, || ());
        }
        let rang: Vec<Nanos> = all(&mut agenda)
            .iter()
            .filter(|(at, ())| alarm.rings(*at))
            .map(|(at, ())| *at)
            .collect();
        assert_eq!(rang, [3]);
        alarm.set(&mut agenda, Some(9), || ());
        assert_eq!(all(&mut agenda), [(9, ())], "and can be set again");
    }
}
