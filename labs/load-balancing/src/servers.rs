//! Servers with a queue each, first come, first served.

use std::collections::VecDeque;

use lab_kit::sim::Nanos;

/// A request ends when all before it have ended and its own work is done (Lindley 1952). So nothing
/// has to be scheduled, and millions of requests can be simulated in a second. Calls must not go
/// back in time.
#[derive(Debug)]
pub(crate) struct Servers {
    /// For each server, when the requests that have joined end.
    ends: Vec<VecDeque<Nanos>>,
}

impl Servers {
    /// Idle servers.
    pub(crate) fn new(count: u64) -> Self {
        Self { ends: vec![VecDeque::new(); count as usize] }
    }

    pub(crate) fn count(&self) -> usize {
        self.ends.len()
    }

    /// The number of requests that wait at a server or are served.
    pub(crate) fn length(&mut self, now: Nanos, server: usize) -> usize {
        let ends = &mut self.ends[server];
        while ends.front().is_some_and(|end| *end <= now) {
            ends.pop_front();
        }
        ends.len()
    }

    /// The number of requests at each server.
    pub(crate) fn lengths(&mut self, now: Nanos) -> Vec<usize> {
        (0..self.count()).map(|server| self.length(now, server)).collect()
    }

    /// When a server has done the work of all requests that have joined.
    pub(crate) fn free_at(&self, now: Nanos, server: usize) -> Nanos {
        self.ends[server].back().map_or(now, |end| now.max(*end))
    }

    /// A request joins; returns when it ends.
    pub(crate) fn join(&mut self, now: Nanos, server: usize, work: Nanos) -> Nanos {
        self.length(now, server);
        let end = self.free_at(now, server) + work;
        self.ends[server].push_back(end);
        end
    }
}

#[cfg(test)]
mod tests {
    use lab_kit::seed;
    use rand::Rng as _;

    use super::*;

    #[test]
    fn a_request_waits_for_those_before_it_and_leaves_when_its_work_is_done() {
        let mut servers = Servers::new(2);
        assert_eq!([servers.join(5, 0, 10), servers.join(7, 0, 10)], [15, 25]);
        assert_eq!(servers.join(8, 1, 1), 9);
        assert_eq!([servers.length(8, 0), servers.length(15, 0), servers.length(25, 0)], [2, 1, 0]);
        assert_eq!([servers.free_at(30, 0), servers.join(30, 0, 3)], [30, 33]);
    }

    /// Copies of a request wait in two queues, and the first that starts cancels the other: it
    /// starts where less work is left, which is what `tied` computes.
    #[test]
    fn of_two_copies_the_one_before_which_less_work_is_left_starts() {
        let mut rng = seed::rng(1, &[]);
        // Long times, so that no two are equal.
        let mut draw = |below: u64| rng.next_u64() % (below << 30);
        let mut servers = Servers::new(4);
        let mut queues: Vec<VecDeque<usize>> = vec![VecDeque::new(); 4];
        let (mut busy_until, mut works, mut started) = ([0; 4], Vec::new(), Vec::new());
        let mut expected = Vec::new();
        // In order of time, a queue starts its next request that has not started elsewhere.
        let mut run = |until: Nanos,
                       queues: &mut Vec<VecDeque<usize>>,
                       works: &[(Nanos, Nanos)],
                       started: &mut Vec<Option<Nanos>>| {
            loop {
                for queue in queues.iter_mut() {
                    while queue.front().is_some_and(|job| started[*job].is_some()) {
                        queue.pop_front();
                    }
                }
                let next = (0..4)
                    .filter_map(|s| Some((busy_until[s].max(works[*queues[s].front()?].0), s)))
                    .min();
                let Some((at, server)) = next.filter(|(at, _)| *at <= until) else { return };
                let job = queues[server].pop_front().expect("it has a front");
                started[job] = Some(at);
                busy_until[server] = at + works[job].1;
            }
        };
        let mut now = 0;
        for job in 0..5_000 {
            now += draw(30);
            let [a, b] = [draw(4), draw(4)].map(|drawn| (drawn >> 30) as usize);
            let work = 1 + draw(90);
            run(now, &mut queues, &works, &mut started);
            works.push((now, work));
            started.push(None);
            queues[a].push_back(job);
            queues[b].push_back(job);
            let chosen = [a, b].into_iter().min_by_key(|s| (servers.free_at(now, *s), *s));
            expected.push(servers.join(now, chosen.expect("one of two"), work) - work);
        }
        run(Nanos::MAX, &mut queues, &works, &mut started);
        let starts: Vec<Nanos> = started.into_iter().flatten().collect();
        assert_eq!(starts, expected);
    }
}
