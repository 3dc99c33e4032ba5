//! One station under a load, from the first request to the last answer.

use super::{Agenda, Load, Nanos, Station};

/// A request at a station; times in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    /// The request's number in order of arrival, from 0.
    pub number: u64,
    /// When it came.
    pub came: Nanos,
    /// How long a server works on it.
    pub work: Nanos,
    /// When a server began to work on it; 0 while it waits.
    pub started: Nanos,
    /// When it left, served or refused; 0 before that.
    pub ended: Nanos,
}

enum Event {
    Arrival,
    End { server: u32, visit: Visit },
}

/// Serves all of `load`. `work` gives the work of the request with a number; `each` gets every
/// request as it leaves, as `Err` if it was refused. Returns the time of the last event.
///
/// `work` is called in order of arrival, so that every discipline gets the same requests.
///
/// # Errors
/// The queue grows beyond any bound.
pub fn serve(
    station: &mut Station<Visit>,
    mut load: Load<'_>,
    mut work: impl FnMut(u64) -> Nanos,
    mut each: impl FnMut(Result<Visit, Visit>),
) -> anyhow::Result<Nanos> {
    let mut agenda = Agenda::new();
    let mut number = 0;
    load.first().into_iter().for_each(|at| agenda.at(at, Event::Arrival));
    while let Some(event) = agenda.step()? {
        let now = agenda.now();
        let left = match event {
            Event::Arrival => {
                let visit = Visit { number, came: now, work: work(number), started: 0, ended: 0 };
                number += 1;
                if let Some(next) = load.next_after_arrival() {
                    agenda.at(next, Event::Arrival);
                }
                station.arrive(now, visit).err().map(Err)
            }
            Event::End { server, visit } => {
                station.end(now, server);
                Some(Ok(visit))
            }
        };
        if let Some(left) = left {
            let ended = |visit| Visit { ended: now, ..visit };
            each(left.map(ended).map_err(ended));
            if let Some(next) = load.next_after_answer(now) {
                agenda.at(next, Event::Arrival);
            }
        }
        while let Some((server, visit)) = station.start(now) {
            let visit = Visit { started: now, ..visit };
            agenda.after(visit.work, Event::End { server, visit });
        }
    }
    Ok(agenda.now())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Discipline, Distribution};

    fn visits(mut station: Station<Visit>, load: Load<'_>) -> Vec<Result<Visit, Visit>> {
        let mut visits = Vec::new();
        serve(&mut station, load, |_| 10, |visit| visits.push(visit)).unwrap();
        visits
    }

    #[test]
    fn requests_wait_for_those_before_them_and_a_full_queue_refuses() {
        let station = Station::new(1, Discipline::Fifo).unwrap().bounded(1);
        let ends = visits(station, Load::open([5, 7, 9, 40]));
        let told: Vec<_> = ends
            .iter()
            .map(|end| end.map(|v| (v.number, v.started, v.ended)).map_err(|v| (v.number, v.ended)))
            .collect();
        assert_eq!(told, [Err((2, 9)), Ok((0, 5, 15)), Ok((1, 15, 25)), Ok((3, 40, 50))]);
    }

    #[test]
    fn a_closed_world_has_no_more_requests_out_than_clients() {
        let station = Station::new(1, Discipline::Fifo).unwrap();
        let think = Distribution::constant(5.0).unwrap();
        let rng = crate::seed::rng(1, &[]);
        let ends = visits(station, Load::Closed { clients: 2, think, rng, until: 60 });
        let came: Vec<_> = ends.iter().map(|end| end.unwrap().came).collect();
        // The first two are served from 5 to 15 and from 15 to 25; from then on, each client thinks
        // while the other is served.
        assert_eq!(came, [5, 5, 20, 30, 40, 50]);
    }
}
