//! The line of requests that wait in a server, and who may join it.

use std::collections::VecDeque;
use std::time::Duration;

/// Which of those that wait is served next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discipline {
    /// First in, first out.
    Fifo,
    /// Last in, first out: some wait for ever, the others hardly.
    Lifo,
}

/// Which requests are served at all; the others are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// All, however many wait.
    All,
    /// Those that find fewer than this waiting when they come.
    UpTo(usize),
    /// Those that have waited for no longer than this when their turn comes.
    Within(Duration),
}

/// Requests that wait.
#[derive(Debug)]
pub(super) struct Queue<T> {
    discipline: Discipline,
    admission: Admission,
    waiting: VecDeque<(Duration, T)>,
    /// The most that ever waited.
    pub(super) longest: usize,
}

impl<T> Queue<T> {
    pub(super) fn new(discipline: Discipline, admission: Admission) -> Self {
        Self { discipline, admission, waiting: VecDeque::new(), longest: 0 }
    }

    /// A request comes.
    ///
    /// # Errors
    /// It is refused.
    pub(super) fn join(&mut self, now: Duration, request: T) -> Result<(), T> {
        if let Admission::UpTo(most) = self.admission
            && self.waiting.len() >= most
        {
            return Err(request);
        }
        self.waiting.push_back((now, request));
        self.longest = self.longest.max(self.waiting.len());
        Ok(())
    }

    /// The next to be served; an error where its turn comes too late, and it is refused.
    pub(super) fn next(&mut self, now: Duration) -> Option<Result<T, T>> {
        let (came, request) = match self.discipline {
            Discipline::Fifo => self.waiting.pop_front()?,
            Discipline::Lifo => self.waiting.pop_back()?,
        };
        Some(match self.admission {
            Admission::Within(longest) if now.saturating_sub(came) > longest => Err(request),
            _ => Ok(request),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
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
    }
}
