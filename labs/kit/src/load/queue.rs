//! The queue of requests that wait in a server, and the policy that admits them. Its only clock is
//! the `now` that it is given, so that a simulation uses the same policies as a live server.

use std::collections::VecDeque;
use std::time::Duration;

use super::controller::Controller;

/// Which waiting request is served next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discipline {
    /// First in, first out.
    Fifo,
    /// Last in, first out: a few requests wait very long, the others hardly.
    Lifo,
}

/// Which requests are served at all; the others are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// All requests.
    All,
    /// Requests that find a queue shorter than this when they come.
    UpTo(usize),
    /// Requests that have waited no longer than this when their turn comes.
    Within(Duration),
    /// Requests that find fewer waiting than a [`Controller`] allows, which holds the 90th
    /// percentile of the time in the server at this.
    Holding(Duration),
}

/// Requests that wait.
#[derive(Debug)]
pub struct Queue<T> {
    discipline: Discipline,
    admission: Admission,
    controller: Option<Controller>,
    waiting: VecDeque<(Duration, T)>,
    longest: usize,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub fn new(discipline: Discipline, admission: Admission) -> Self {
        let controller = match admission {
            Admission::Holding(target) => Some(Controller::new(target)),
            Admission::All | Admission::UpTo(_) | Admission::Within(_) => None,
        };
        Self { discipline, admission, controller, waiting: VecDeque::new(), longest: 0 }
    }

    /// A request comes.
    ///
    /// # Errors
    /// It is refused.
    pub fn join(&mut self, now: Duration, request: T) -> Result<(), T> {
        let admitted = match (self.admission, &mut self.controller) {
            (Admission::UpTo(most), _) => self.waiting.len() < most,
            (_, Some(controller)) => controller.admits(self.waiting.len()),
            _ => true,
        };
        if !admitted {
            return Err(request);
        }
        self.waiting.push_back((now, request));
        self.longest = self.longest.max(self.waiting.len());
        Ok(())
    }

    /// The next request to serve: an error if it has waited too long, so that it is refused; `None`
    /// if the queue is empty.
    pub fn next(&mut self, now: Duration) -> Option<Result<T, T>> {
        let (came, request) = match self.discipline {
            Discipline::Fifo => self.waiting.pop_front()?,
            Discipline::Lifo => self.waiting.pop_back()?,
        };
        Some(match self.admission {
            Admission::Within(longest) if now.saturating_sub(came) > longest => Err(request),
            _ => Ok(request),
        })
    }

    /// A request has been served that spent the time `took` in the server.
    pub fn served(&mut self, took: Duration) {
        if let Some(controller) = &mut self.controller {
            controller.served(took);
        }
    }

    /// Whether no request waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The number of waiting requests.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The most requests that ever waited.
    pub fn longest(&self) -> usize {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn served(discipline: Discipline, admission: Admission) -> (Vec<u32>, Vec<u32>) {
        let mut queue = Queue::new(discipline, admission);
        let mut refused = Vec::new();
        for number in 0..4 {
            refused.extend(queue.join(MS * number, number).err());
        }
        let mut served = Vec::new();
        while let Some(next) = queue.next(10 * MS) {
            match next {
                Ok(number) => served.push(number),
                Err(number) => refused.push(number),
            }
        }
        (served, refused)
    }

    #[test]
    fn the_discipline_decides_who_is_next() {
        assert_eq!(served(Discipline::Fifo, Admission::All).0, [0, 1, 2, 3]);
        assert_eq!(served(Discipline::Lifo, Admission::All).0, [3, 2, 1, 0]);
    }

    #[test]
    fn admission_refuses_those_that_come_to_a_full_line_or_wait_too_long() {
        let full = served(Discipline::Fifo, Admission::UpTo(3));
        assert_eq!(full, (vec![0, 1, 2], vec![3]));
        let late = served(Discipline::Fifo, Admission::Within(8 * MS));
        assert_eq!(late, (vec![2, 3], vec![0, 1]), "10 and 9 ms are too long");
        let controlled = served(Discipline::Fifo, Admission::Holding(8 * MS));
        assert_eq!(controlled, (vec![0], vec![1, 2, 3]), "it begins with one");
    }
}
