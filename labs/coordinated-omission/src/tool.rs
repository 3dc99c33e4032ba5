//! The load generators that wait for their replies: when each asks next, and what it reports.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use lab_kit::load::frame::{self, Answer};
use lab_kit::{Clock, tighten_timer, wait_until};

use crate::setup::Setup;
use crate::target::Target;

/// A tool with serial connections: each sends, and waits for the reply before it sends again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Thinks for a while after each reply: wrk, and the loop that anyone would write.
    ClosedLoop,
    /// The same, and its histogram adds the samples that it must have missed (HdrHistogram).
    RecordCorrect,
    /// Asks on the ticks of a clock; those that pass while it waits are gone.
    TickSkipping,
    /// Takes a token for each request from a bucket that holds one and spills the rest.
    TokenBucket,
    /// Gives nothing up: asks late what it could not ask in time, and times it from when it should
    /// have been asked (wrk2).
    CatchingUp,
}

/// A request that a tool's own schedule called for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Request {
    pub(crate) intended: Duration,
    pub(crate) end: End,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum End {
    /// Never sent: the tool was waiting, and gave it up.
    Skipped,
    /// Given up at the client's timeout.
    Unanswered {
        sent: Duration,
        until: Duration,
    },
    Answered {
        sent: Duration,
        at: Duration,
        correct: bool,
    },
}

impl Tool {
    /// When a connection asks next, after a request meant for `intended` was answered.
    fn next(self, setup: &Setup, intended: Duration, answered: Duration) -> Duration {
        let period = setup.period();
        match self {
            Self::ClosedLoop | Self::RecordCorrect => {
                answered + period.saturating_sub(setup.service)
            }
            Self::TickSkipping => {
                let ticks = (answered - intended).as_nanos().div_ceil(period.as_nanos());
                intended + period * ticks.max(1) as u32
            }
            Self::TokenBucket => answered.max(intended + period),
            Self::CatchingUp => intended + period,
        }
    }

    /// The ticks or tokens between a request and the next. A closed loop has none.
    fn given_up(
        self,
        setup: &Setup,
        intended: Duration,
        next: Duration,
    ) -> impl Iterator<Item = Request> {
        let periods = (next - intended).as_nanos() / setup.period().as_nanos();
        let skips = matches!(self, Self::TickSkipping | Self::TokenBucket);
        let count = if skips { periods.saturating_sub(1) as u32 } else { 0 };
        let (period, end) = (setup.period(), setup.timeline.span());
        (1..=count)
            .map(move |i| Request { intended: intended + period * i, end: End::Skipped })
            .take_while(move |request| request.intended < end)
    }
}

/// All requests of a tool, asked of the server that [`Setup::answered`] describes.
pub(crate) fn ask_simulated(tool: Tool, setup: &Setup) -> anyhow::Result<Vec<Request>> {
    let mut requests = Vec::new();
    for connection in 0..setup.connections {
        let mut free = Duration::ZERO;
        requests.extend(converse(tool, setup, connection, |intended| {
            let sent = intended.max(free);
            free = setup.answered(sent);
            Ok(End::Answered { sent, at: free, correct: true })
        })?);
    }
    Ok(requests)
}

/// All requests of a tool, asked of a real server, one thread for each connection.
pub(crate) fn ask_live(tool: Tool, setup: &Setup, stall_by: &str) -> anyhow::Result<Vec<Request>> {
    let clock = Clock::live();
    let target = Target::start(setup, stall_by, clock)?;
    let streams = target.connect(setup)?;
    thread::scope(|scope| {
        let client = |(connection, mut stream): (u32, TcpStream)| {
            scope.spawn(move || {
                tighten_timer();
                stream.set_read_timeout(Some(setup.timeout()))?;
                converse(tool, setup, connection, |intended| {
                    wait_until(clock, intended);
                    ask(&mut stream, connection, setup.service, clock).context("ask the server")
                })
            })
        };
        let clients: Vec<_> = (0..).zip(streams).map(client).collect();
        let mut requests = Vec::new();
        for client in clients {
            requests.extend(client.join().expect("a client does not panic")?);
        }
        Ok(requests)
    })
}

/// One connection, from its first request to the end of the span. `ask` waits for the intended
/// start, sends, and waits for the reply. The connections begin one after another, so that together
/// they ask at equal gaps.
fn converse(
    tool: Tool,
    setup: &Setup,
    connection: u32,
    mut ask: impl FnMut(Duration) -> anyhow::Result<End>,
) -> anyhow::Result<Vec<Request>> {
    let end = setup.timeline.span();
    let most = end.as_nanos() / setup.period().as_nanos() + 2;
    let mut requests = Vec::with_capacity(most as usize);
    let mut intended = setup.period() * connection / setup.connections;
    while intended < end {
        let end = ask(intended)?;
        requests.push(Request { intended, end });
        let End::Answered { at, .. } = end else { break };
        let next = tool.next(setup, intended, at);
        requests.extend(tool.given_up(setup, intended, next));
        intended = next;
    }
    Ok(requests)
}

fn ask(
    stream: &mut TcpStream,
    connection: u32,
    service: Duration,
    clock: Clock,
) -> anyhow::Result<End> {
    let sent = clock.now();
    // Serial connections need no number; the time makes every question another.
    let number = sent.as_nanos() as u64 ^ u64::from(connection);
    stream.write_all(&frame::request(number, service))?;
    let mut reply = [0; frame::FRAME];
    match stream.read_exact(&mut reply) {
        Ok(()) => {
            let correct = frame::read(&reply) == (number, Answer::Correct);
            Ok(End::Answered { sent, at: clock.now(), correct })
        }
        Err(error) if is_timeout(&error) => Ok(End::Unanswered { sent, until: clock.now() }),
        Err(error) => bail!(error),
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use lab_kit::Timeline;
    use lab_kit::load::Pause;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// One connection that asks every 10 ms for 100 ms; the server stands still from 25 to 65 ms.
    const SETUP: Setup = Setup {
        rate: 100.0,
        connections: 1,
        service: MS,
        stall: Pause { from: Duration::from_millis(25), length: Duration::from_millis(40) },
        timeline: Timeline {
            warmup: Duration::ZERO,
            measure: Duration::from_millis(100),
            interval: Duration::from_millis(10),
        },
    };

    /// When it asked, and which of its intended starts it skipped, in milliseconds.
    fn asked_and_skipped(tool: Tool) -> [Vec<u128>; 2] {
        let mut all = [Vec::new(), Vec::new()];
        for Request { intended, end } in ask_simulated(tool, &SETUP).unwrap() {
            match end {
                End::Answered { sent, .. } => all[0].push(sent.as_millis()),
                End::Skipped | End::Unanswered { .. } => all[1].push(intended.as_millis()),
            }
        }
        all
    }

    #[test]
    fn each_tool_resumes_by_its_own_rule_after_a_stall() {
        // The request of 30 ms is answered at 66 ms.
        let [asked, skipped] = asked_and_skipped(Tool::ClosedLoop);
        assert_eq!(asked, [0, 10, 20, 30, 75, 85, 95], "9 ms after each answer");
        assert!(skipped.is_empty(), "it knows of none");
        let [asked, skipped] = asked_and_skipped(Tool::TickSkipping);
        assert_eq!((asked, skipped), (vec![0, 10, 20, 30, 70, 80, 90], vec![40, 50, 60]));
        let [asked, skipped] = asked_and_skipped(Tool::TokenBucket);
        // The token of 40 ms was kept, and taken at 66.
        assert_eq!((asked, skipped), (vec![0, 10, 20, 30, 66, 76, 86, 96], vec![40, 50]));
        let [asked, skipped] = asked_and_skipped(Tool::CatchingUp);
        assert_eq!(asked, [0, 10, 20, 30, 66, 67, 68, 70, 80, 90]);
        assert!(skipped.is_empty());
    }

    #[test]
    fn connections_share_the_rate_at_equal_gaps() {
        let setup = Setup { connections: 4, ..SETUP };
        let mut starts: Vec<Duration> = ask_simulated(Tool::CatchingUp, &setup)
            .unwrap()
            .iter()
            .map(|request| request.intended)
            .collect();
        starts.sort();
        assert_eq!(starts, (0..10).map(|i| 10 * MS * i).collect::<Vec<_>>());
    }
}
