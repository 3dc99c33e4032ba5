//! Processor sharing: all jobs are served at once, each more slowly the more there are.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use anyhow::ensure;

use super::{Nanos, TimeWeighted};

/// Servers that all jobs share equally, each job having at most one: the limit of time slices as
/// they become short (Kleinrock, JACM 1967).
///
/// A job that comes or goes changes when the others end. So the station says when the next one
/// does: [`Sharing::next_event`], for an [`Alarm`](super::Alarm).
#[derive(Debug)]
pub struct Sharing<J> {
    servers: u32,
    limit: usize,
    jobs: BinaryHeap<Job<J>>,
    came: u64,
    /// The service that a job present since the station was last empty has received, in
    /// nanoseconds.
    given: f64,
    since: Nanos,
    here: TimeWeighted,
    busy: TimeWeighted,
}

#[derive(Debug)]
struct Job<J> {
    /// The job ends when `given` reaches this.
    ends: f64,
    place: u64,
    job: J,
}

impl<J> Sharing<J> {
    /// Idle servers, and no bound on jobs.
    ///
    /// # Errors
    /// There is no server.
    pub fn new(servers: u32) -> anyhow::Result<Self> {
        ensure!(servers > 0, "a station has {servers} servers, and needs at least one");
        Ok(Self {
            servers,
            limit: usize::MAX,
            jobs: BinaryHeap::new(),
            came: 0,
            given: 0.0,
            since: 0,
            here: TimeWeighted::default(),
            busy: TimeWeighted::default(),
        })
    }

    /// At most `limit` jobs share the servers.
    pub fn bounded(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// A job comes that would take `work` on a server of its own.
    ///
    /// # Errors
    /// The job itself, if it is refused because there are too many.
    pub fn arrive(&mut self, now: Nanos, job: J, work: Nanos) -> Result<(), J> {
        if self.jobs.len() >= self.limit {
            return Err(job);
        }
        self.give(now);
        let ends = self.given + work as f64;
        self.jobs.push(Job { ends, place: self.came, job });
        self.came += 1;
        self.count(now);
        Ok(())
    }

    /// When the next job ends, if no other comes before.
    pub fn next_event(&self) -> Option<Nanos> {
        let left = (self.jobs.peek()?.ends - self.given).max(0.0);
        Some(self.since.saturating_add((left / self.speed()).ceil() as Nanos))
    }

    /// The next job that has ended by `now`; call this until there is none.
    pub fn end(&mut self, now: Nanos) -> Option<J> {
        let at = self.next_event().filter(|at| *at <= now)?;
        self.give(at);
        let Job { ends, job, .. } = self.jobs.pop()?;
        // `given` is computed at whole nanoseconds, `ends` is not.
        self.given = if self.jobs.is_empty() { 0.0 } else { self.given.max(ends) };
        self.count(at);
        Some(job)
    }

    /// Removes a job for which `which` holds before it has ended; takes time linear in the number
    /// of jobs.
    pub fn cancel(&mut self, now: Nanos, which: impl Fn(&J) -> bool) -> Option<J> {
        self.give(now);
        let mut jobs = std::mem::take(&mut self.jobs).into_vec();
        let found = jobs.iter().position(|job| which(&job.job)).map(|i| jobs.swap_remove(i).job);
        self.jobs = jobs.into();
        self.count(now);
        found
    }

    /// The number of jobs in service.
    pub fn serving(&self) -> usize {
        self.jobs.len()
    }

    /// The share of the servers' time up to `now` in which they were busy.
    pub fn utilisation(&self, now: Nanos) -> f64 {
        self.busy.mean(now) / f64::from(self.servers)
    }

    /// The mean number of jobs up to `now`.
    pub fn mean_jobs(&self, now: Nanos) -> f64 {
        self.here.mean(now)
    }

    /// Leaves the time before `now`, a warm-up, out of utilisation and mean.
    pub fn forget(&mut self, now: Nanos) {
        self.here.forget(now);
        self.busy.forget(now);
    }

    /// The share of a server that each job has.
    fn speed(&self) -> f64 {
        (f64::from(self.servers) / self.jobs.len() as f64).min(1.0)
    }

    fn give(&mut self, now: Nanos) {
        if !self.jobs.is_empty() {
            self.given += (now - self.since) as f64 * self.speed();
        }
        self.since = now;
    }

    fn count(&mut self, now: Nanos) {
        let here = self.jobs.len() as u64;
        self.here.set(now, here);
        self.busy.set(now, here.min(u64::from(self.servers)));
    }
}

/// The job that ends first is the greatest; among equals, the one that came first.
impl<J> Ord for Job<J> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.ends.total_cmp(&self.ends).then(other.place.cmp(&self.place))
    }
}
impl<J> PartialOrd for Job<J> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<J> PartialEq for Job<J> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl<J> Eq for Job<J> {}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end and name of each job, from (time, name, work).
    fn ends(mut station: Sharing<char>, jobs: &[(Nanos, char, Nanos)]) -> Vec<(Nanos, char)> {
        let (mut jobs, mut ends) = (jobs.iter().copied().peekable(), Vec::new());
        loop {
            let (comes, due) = (jobs.peek().map(|job| job.0), station.next_event());
            match (comes, due) {
                (None, None) => return ends,
                (Some(comes), due) if due.is_none_or(|due| comes < due) => {
                    let (_, name, work) = jobs.next().unwrap();
                    station.arrive(comes, name, work).unwrap();
                }
                (_, due) => {
                    let due = due.unwrap();
                    ends.extend(std::iter::from_fn(|| station.end(due)).map(|job| (due, job)));
                }
            }
        }
    }

    #[test]
    fn two_jobs_that_share_a_server_take_twice_as_long() {
        let one = || Sharing::new(1).unwrap();
        assert_eq!(ends(one(), &[(0, 'a', 100), (0, 'b', 100)]), [(200, 'a'), (200, 'b')]);
        // a runs alone for 50, then both at half speed; b has 50 left when a ends.
        assert_eq!(ends(one(), &[(0, 'a', 100), (50, 'b', 100)]), [(150, 'a'), (200, 'b')]);
        let two = Sharing::new(2).unwrap();
        assert_eq!(ends(two, &[(0, 'a', 100), (50, 'b', 100)]), [(100, 'a'), (150, 'b')]);
    }

    #[test]
    fn a_job_that_is_cancelled_leaves_its_share_to_the_others() {
        let mut station = Sharing::new(1).unwrap();
        station.arrive(0, 'a', 100).unwrap();
        station.arrive(0, 'b', 100).unwrap();
        assert_eq!(station.cancel(100, |job| *job == 'b'), Some('b'));
        assert_eq!(station.cancel(100, |job| *job == 'b'), None);
        assert_eq!((station.next_event(), station.end(150)), (Some(150), Some('a')));
        assert_eq!((station.utilisation(150), station.mean_jobs(150)), (1.0, 250.0 / 150.0));
    }

    #[test]
    fn zero_servers_and_a_job_above_the_limit_are_refused() {
        let error = Sharing::<()>::new(0).unwrap_err();
        assert!(error.to_string().contains("0 servers"), "{error}");
        let mut station = Sharing::new(1).unwrap().bounded(1);
        assert_eq!((station.arrive(0, 1, 10), station.arrive(0, 2, 10)), (Ok(()), Err(2)));
    }
}
