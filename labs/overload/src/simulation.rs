//! The same server in simulated time: the live server's own queue, and an agenda for its CPU.

use std::sync::Arc;
use std::time::Duration;

use lab_kit::load::{Queue, Threads};
use lab_kit::sim::{Agenda, Alarm, Sharing};
use lab_kit::{Ctx, Ledger, Schedule, Timeline};

use crate::setup::Setup;

/// An event of the simulated server.
enum Event {
    Arrival(usize),
    /// The CPU has served a request (its number, and when it came).
    End(usize, Duration),
    /// Some of the requests that share the CPU may have ended.
    Shared,
}

/// Serves all requests that come up to the end of the measured span, until their clients' timeout.
pub(crate) fn simulate(
    ctx: &Ctx,
    setup: &Setup,
    load: f64,
    timeline: Timeline,
) -> anyhow::Result<Arc<Ledger>> {
    let schedule = setup.schedule(ctx, load, timeline);
    let ledger = Ledger::new(&schedule, timeline);
    let Schedule::Open(starts) = schedule else { anyhow::bail!("this lab's clients never wait") };
    let until = timeline.span() + setup.timeout;
    let mut agenda = Agenda::until(until.as_nanos() as u64);
    let mut starts = (0..).zip(starts);
    let mut next = move |agenda: &mut Agenda<Event>| {
        let next = starts.next();
        next.into_iter().for_each(|(number, at)| agenda.at(at, Event::Arrival(number)));
    };
    next(&mut agenda);
    let mut queue = Queue::new(setup.discipline, setup.admission);
    let (mut shared, mut alarm) = (Sharing::new(1)?, Alarm::new());
    let (service, mut is_busy) = (setup.service(), false);
    while let Some(event) = agenda.step()? {
        let now_ns = agenda.now();
        let now = Duration::from_nanos(now_ns);
        match event {
            Event::Arrival(number) => {
                next(&mut agenda);
                ledger.sent(number, now);
                let joined = match setup.threads {
                    Threads::PerRequest => shared.arrive(now_ns, number, service.as_nanos() as u64),
                    _ => queue.join(now, (number, now)).map_err(|(number, _)| number),
                };
                if let Err(number) = joined {
                    ledger.refused(number, now);
                }
            }
            Event::End(number, came) => {
                ledger.completed(number, now);
                queue.served(now - came);
                is_busy = false;
            }
            Event::Shared if alarm.rings(now_ns) => {
                while let Some(number) = shared.end(now_ns) {
                    ledger.completed(number, now);
                }
            }
            Event::Shared => {}
        }
        alarm.set(&mut agenda, shared.next_event(), || Event::Shared);
        while !is_busy && let Some(next) = queue.next(now) {
            match next {
                Ok((number, came)) => {
                    is_busy = true;
                    agenda.after(service.as_nanos() as u64, Event::End(number, came));
                }
                Err((number, _)) => ledger.refused(number, now),
            }
        }
    }
    ledger.heard_until(until);
    Ok(ledger)
}
