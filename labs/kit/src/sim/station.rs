//! Servers with one queue before them.

use std::collections::VecDeque;

use anyhow::ensure;

use super::average::Sampled;
use super::{Nanos, TimeWeighted};

/// Which waiting job starts next.
#[derive(Debug, Clone, Copy)]
pub enum Discipline<J> {
    /// First come, first served.
    Fifo,
    /// Last come, first served. A running job is not interrupted.
    Lifo,
    /// Lowest number first; first come, first served within a number. A running job is not
    /// interrupted. The function gives a job's number, which must be less than `numbers`.
    Priority {
        /// The number of priorities.
        numbers: usize,
        /// A job's number.
        of: fn(&J) -> usize,
    },
}

/// Some equal servers, and the jobs that wait for one. A `J` is what the simulation knows of a job.
///
/// A job [`arrive`](Station::arrive)s, a free server [`start`](Station::start)s the next one, and
/// [`end`](Station::end)s it. The caller decides how long it takes, and schedules its end. A
/// round-robin slice is an `end` and an [`again`](Station::again); processor sharing is
/// [`Sharing`](super::Sharing).
#[derive(Debug)]
pub struct Station<J> {
    servers: u32,
    discipline: Discipline<J>,
    /// One queue, or one for each priority.
    queues: Vec<VecDeque<J>>,
    limit: usize,
    /// Free servers that have worked before; those from `fresh` on never have.
    free: Vec<u32>,
    fresh: u32,
    busy: TimeWeighted,
    waiting: TimeWeighted,
    watch: Option<Box<Sampled>>,
}

impl<J> Station<J> {
    /// Idle servers, and an unbounded queue.
    ///
    /// # Errors
    /// There is no server, or no priority.
    pub fn new(servers: u32, discipline: Discipline<J>) -> anyhow::Result<Self> {
        ensure!(servers > 0, "a station has {servers} servers, and needs at least one");
        let queues = match discipline {
            Discipline::Fifo | Discipline::Lifo => 1,
            Discipline::Priority { numbers, .. } => numbers,
        };
        ensure!(queues > 0, "a station has {queues} priorities, and needs at least one");
        Ok(Self {
            servers,
            discipline,
            queues: (0..queues).map(|_| VecDeque::new()).collect(),
            limit: usize::MAX,
            free: Vec::new(),
            fresh: 0,
            busy: TimeWeighted::default(),
            waiting: TimeWeighted::default(),
            watch: None,
        })
    }

    /// Lets at most `limit` jobs wait; with 0, a job that finds no free server is refused.
    pub fn bounded(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// Records the number of jobs once in `every`, up to `until`; see [`Station::lengths`].
    pub fn watched(self, every: Nanos, until: Nanos) -> Self {
        Self { watch: Some(Box::new(Sampled::new(every, until))), ..self }
    }

    /// A job comes and joins the queue, even if a server is free to start it at once.
    ///
    /// # Errors
    /// The job itself, if it is refused because the queue is full.
    #[inline]
    pub fn arrive(&mut self, now: Nanos, job: J) -> Result<(), J> {
        let free = (self.servers - self.serving()) as usize;
        if self.waiting() >= self.limit.saturating_add(free) {
            return Err(job);
        }
        self.again(now, job);
        Ok(())
    }

    /// A job whose time slice has ended before its work waits again, at the end of its queue,
    /// whatever the bound.
    #[inline]
    pub fn again(&mut self, now: Nanos, job: J) {
        let queue = match self.discipline {
            Discipline::Fifo | Discipline::Lifo => 0,
            Discipline::Priority { of, .. } => of(&job),
        };
        self.look(now);
        self.queues[queue].push_back(job);
        self.waiting.add(now, 1);
    }

    /// Starts the next job: returns the server's number and the job; `None` if no job waits or no
    /// server is free. Call this until `None` whenever a job has arrived or ended.
    #[inline]
    pub fn start(&mut self, now: Nanos) -> Option<(u32, J)> {
        if self.serving() == self.servers || self.waiting() == 0 {
            return None;
        }
        let job = match self.discipline {
            Discipline::Lifo => self.queues[0].pop_back(),
            Discipline::Fifo | Discipline::Priority { .. } => {
                self.queues.iter_mut().find_map(VecDeque::pop_front)
            }
        }?;
        let server = self.free.pop().unwrap_or_else(|| {
            self.fresh += 1;
            self.fresh - 1
        });
        self.waiting.add(now, -1);
        self.busy.add(now, 1);
        Some((server, job))
    }

    /// A server has finished its job, or gives it up, and is free.
    #[inline]
    pub fn end(&mut self, now: Nanos, server: u32) {
        debug_assert!(server < self.fresh && self.serving() > 0, "server {server} is not busy");
        self.look(now);
        self.free.push(server);
        self.busy.add(now, -1);
    }

    /// Removes the first waiting job for which `which` holds; searches from the oldest on.
    pub fn cancel(&mut self, now: Nanos, which: impl Fn(&J) -> bool) -> Option<J> {
        let of =
            |queue: &mut VecDeque<J>| queue.iter().position(&which).and_then(|i| queue.remove(i));
        let job = self.queues.iter_mut().find_map(of)?;
        self.look(now);
        self.waiting.add(now, -1);
        Some(job)
    }

    /// The waiting jobs.
    pub fn jobs(&self) -> impl Iterator<Item = &J> {
        self.queues.iter().flatten()
    }

    /// The waiting jobs, to be changed.
    pub fn jobs_mut(&mut self) -> impl Iterator<Item = &mut J> {
        self.queues.iter_mut().flatten()
    }

    /// The number of waiting jobs.
    pub fn waiting(&self) -> usize {
        self.waiting.value() as usize
    }

    /// The number of jobs in service.
    pub fn serving(&self) -> u32 {
        self.busy.value() as u32
    }

    /// The share of the servers' time up to `now` in which they were busy.
    pub fn utilisation(&self, now: Nanos) -> f64 {
        self.busy.mean(now) / f64::from(self.servers)
    }

    /// The mean numbers of waiting jobs and of jobs in service, up to `now`.
    pub fn mean_jobs(&self, now: Nanos) -> [f64; 2] {
        [self.waiting.mean(now), self.busy.mean(now)]
    }

    /// Time in seconds and the number of jobs, waiting or in service, up to `now`: a gauge's
    /// points. Empty for a station that is not [`watched`](Station::watched).
    pub fn lengths(&mut self, now: Nanos) -> Vec<(f64, f64)> {
        self.look(now.saturating_add(1));
        self.watch.take().map_or_else(Vec::new, |watch| watch.points)
    }

    /// Records the number of jobs; to be called before it changes.
    fn look(&mut self, now: Nanos) {
        let jobs = self.waiting.value() + self.busy.value();
        if let Some(watch) = &mut self.watch {
            watch.until(now, jobs as f64);
        }
    }

    /// Leaves the time before `now`, a warm-up, out of utilisation and means.
    pub fn forget(&mut self, now: Nanos) {
        self.busy.forget(now);
        self.waiting.forget(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started<J>(station: &mut Station<J>) -> Vec<J> {
        std::iter::from_fn(|| station.start(0)).map(|(_, job)| job).collect()
    }

    /// The order in which one server takes jobs that came as 1, 2, 3, 4 while it was busy.
    fn order(discipline: Discipline<u32>) -> Vec<u32> {
        let mut station = Station::new(1, discipline).unwrap();
        let mut order = Vec::new();
        for job in [0, 1, 2, 3, 4] {
            station.arrive(0, job).unwrap();
            order.extend(started(&mut station));
        }
        for _ in 0..4 {
            station.end(0, 0);
            order.extend(started(&mut station));
        }
        order
    }

    #[test]
    fn each_discipline_has_its_order() {
        assert_eq!(order(Discipline::Fifo), [0, 1, 2, 3, 4]);
        assert_eq!(order(Discipline::Lifo), [0, 4, 3, 2, 1]);
        let odd_first = |job: &u32| usize::from(job.is_multiple_of(2));
        assert_eq!(order(Discipline::Priority { numbers: 2, of: odd_first }), [0, 1, 3, 2, 4]);
    }

    #[test]
    fn a_full_queue_refuses_and_a_free_server_does_not() {
        let mut station = Station::new(2, Discipline::Fifo).unwrap().bounded(1);
        let outcomes: Vec<_> = (0..5).map(|job| station.arrive(0, job)).collect();
        // No job has started: two are for the servers, and one waits.
        assert_eq!(outcomes, [Ok(()), Ok(()), Ok(()), Err(3), Err(4)]);
        assert_eq!(started(&mut station), [0, 1]);
        assert_eq!(station.arrive(0, 5), Err(5));
        station.end(0, 0);
        assert_eq!(started(&mut station), [2]);
        assert_eq!(station.arrive(0, 6), Ok(()));
        let mut lossy = Station::new(1, Discipline::Fifo).unwrap().bounded(0);
        assert_eq!((lossy.arrive(0, 1), lossy.arrive(0, 2)), (Ok(()), Err(2)));
    }

    #[test]
    fn a_slice_that_ends_sends_its_job_to_the_end_of_the_queue() {
        let mut station = Station::new(1, Discipline::Fifo).unwrap().bounded(2);
        (0..3).for_each(|job| station.arrive(0, job).unwrap());
        let mut order = Vec::new();
        for _ in 0..5 {
            let (server, job) = station.start(0).unwrap();
            order.push(job);
            station.end(0, server);
            station.again(0, job);
        }
        assert_eq!(order, [0, 1, 2, 0, 1]);
    }

    #[test]
    fn a_cancelled_job_never_starts() {
        let mut station = Station::new(1, Discipline::Fifo).unwrap();
        (0..3).for_each(|job| station.arrive(0, job).unwrap());
        assert_eq!(station.cancel(0, |job| *job == 1), Some(1));
        assert_eq!(station.cancel(0, |job| *job == 1), None);
        assert_eq!((started(&mut station), station.waiting()), (vec![0], 1));
    }

    #[test]
    fn busy_time_and_queue_are_weighted_by_time() {
        let mut station = Station::new(2, Discipline::Fifo).unwrap();
        station.arrive(10, 'a').unwrap();
        assert_eq!(station.start(10), Some((0, 'a')));
        station.arrive(20, 'b').unwrap();
        assert_eq!(station.start(20), Some((1, 'b')));
        station.arrive(20, 'c').unwrap(); // waits for 10
        station.end(30, 0);
        assert_eq!(station.start(30), Some((0, 'c')));
        station.end(40, 0);
        station.end(40, 1);
        // One server is busy for 10, then two for 20.
        assert_eq!(station.utilisation(100), 50.0 / 200.0);
        assert_eq!(station.mean_jobs(100), [0.1, 0.5]);
        station.forget(100);
        assert_eq!(station.utilisation(200), 0.0);
    }

    #[test]
    fn a_watched_station_records_its_queue_length() {
        let mut station = Station::new(1, Discipline::Fifo).unwrap().watched(10, 50);
        for (at, job) in [(5, 'a'), (15, 'b'), (20, 'c')] {
            station.arrive(at, job).unwrap();
            station.start(at);
        }
        station.end(25, 0);
        station.start(25);
        let jobs = station.lengths(45).iter().map(|(_, jobs)| *jobs).collect::<Vec<_>>();
        assert_eq!(jobs, [0.0, 1.0, 3.0, 2.0, 2.0]);
    }

    #[test]
    fn a_station_without_a_server_is_refused() {
        let error = Station::<()>::new(0, Discipline::Fifo).unwrap_err();
        assert!(error.to_string().contains("0 servers"), "{error}");
    }
}
