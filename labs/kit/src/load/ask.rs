//! Asking a server in an open or closed loop, on one thread.

use std::net::SocketAddr;
use std::time::Duration;

use super::client::Client;
use super::frame;
use super::peers::Peers;
use super::requests::{Attempt, Requests};
use crate::arrivals::Schedule;
use crate::clock::Clock;
use crate::ctx::Ctx;
use crate::ledger::Ledger;
use crate::pace::Waking;
use crate::thread::cpu_time;

impl Client {
    /// Asks the server at `address` as `schedule` says, on this thread, and waits for answers until
    /// the trial is `until` old. `work` gives the work of each request, by its number.
    ///
    /// # Errors
    /// The server cannot be reached. A connection that breaks later is no error: its requests are
    /// abandoned and counted.
    pub fn ask(
        &self,
        address: SocketAddr,
        schedule: &Schedule,
        work: impl Fn(usize) -> Duration,
        (clock, until): (Clock, Duration),
        ledger: &Ledger,
    ) -> anyhow::Result<Asked> {
        let room = self.at_most_in_flight as usize;
        let mut peers = Peers::connect(address, self.connections, room)?;
        let mut requests = Requests::new(*self, schedule, ledger);
        let waking = Waking::prepare(schedule.mean_gap());
        let before = cpu_time();
        loop {
            requests.expire(clock.now());
            while let Some(attempt) = requests.next_to_send(clock.now()) {
                let frame = frame::request(attempt.id(), work(attempt.number));
                if !peers.queue(attempt.number % peers.count(), &frame) {
                    requests.abandon(attempt.number, clock.now());
                }
            }
            peers.flush();
            peers.broken().for_each(|connection| requests.break_off(connection, clock.now()));
            let (now, next) = (clock.now(), requests.next_event());
            if now >= until || (next.is_none() && ledger.in_flight() == 0) {
                break;
            }
            peers.wait(waking.rest(), waking.sleep(now, next.unwrap_or(until).min(until)));
            peers.read(clock, |id, says, came| requests.take(Attempt::of_id(id), says, came));
            peers.broken().for_each(|connection| requests.break_off(connection, clock.now()));
        }
        peers.close();
        ledger.heard_until(clock.now());
        Ok(Asked { cpu: cpu_time() - before, attempts: requests.sent() })
    }
}

/// What the client did and cost.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// CPU time of the client's thread.
    pub cpu: Duration,
    /// Attempts sent.
    pub attempts: u64,
}

impl Asked {
    /// Records these figures in a live trial.
    pub fn file(&self, ctx: &mut Ctx) {
        let each = self.cpu.as_nanos() as f64 / self.attempts.max(1) as f64;
        ctx.metric("client_cpu_per_attempt", each, "ns");
    }
}
