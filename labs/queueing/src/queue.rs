//! One queue: the same requests for simulated servers and for real ones.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::ensure;
use lab_kit::load::{self, Admission, Client, Pause, Retries, Server, Threads};
use lab_kit::sim::{self, Discipline, Distribution, Load, Nanos, Profile, Spacing, Station, Visit};
use lab_kit::{Clock, Ctx, Ledger, Schedule, seed};

use crate::served::Served;

/// What random numbers are drawn for.
const WORK: u64 = 0;
const ARRIVALS: u64 = 1;
/// The client timeout: no client gives up.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(600);

/// Equal servers with one line before them, first come, first served.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    pub(crate) servers: u32,
    /// How long a server works for a request.
    pub(crate) work: Distribution,
    /// Of two kinds of work, the share of the second, which is spread evenly; else chance decides.
    pub(crate) spread: Option<f64>,
    /// What a real server does beyond that, as a share of it.
    pub(crate) unseen: f64,
    pub(crate) seed: u64,
}

impl Queue {
    /// The queue that the knobs say.
    ///
    /// # Errors
    /// They contradict each other.
    pub(crate) fn of(ctx: &Ctx) -> anyhow::Result<Self> {
        let mean = ctx.duration("service-time").as_nanos() as f64 / ctx.float("speed");
        let work = match ctx.text("work") {
            "exponential" => Distribution::exponential(mean)?,
            _ => Distribution::constant(mean)?,
        };
        let servers = ctx.int("servers") as u32;
        Ok(Self { unseen: ctx.float("unseen"), ..Self::new(ctx, servers, work) })
    }

    /// Servers and work, as they are.
    pub(crate) fn new(ctx: &Ctx, servers: u32, work: Distribution) -> Self {
        Self { servers, work, spread: None, unseen: 0.0, seed: ctx.seed() }
    }

    /// The work of request `number`: the same in real and in simulated time.
    pub(crate) fn work_of(&self, number: u64) -> Nanos {
        let uniform = match self.spread {
            Some(share) => ((number as f64 + 0.5) * share).fract(),
            None => seed::uniform(self.seed, &[WORK, number]),
        };
        (self.work.at(uniform) + 0.5) as Nanos
    }

    /// Serves all of `load` in simulated time, and counts every `look` how many requests are there.
    ///
    /// # Errors
    /// The line grows without end.
    pub(crate) fn simulate(&self, load: Load<'_>, look: Nanos) -> anyhow::Result<Served> {
        let mut station = Station::new(self.servers, Discipline::Fifo)?.watched(look, Nanos::MAX);
        let mut visits = Vec::new();
        let work = |number| self.work_of(number);
        let ended = sim::serve(&mut station, load, work, |visit| {
            visits.push(visit.expect("the line has no bound"));
        })?;
        Ok(Served { visits, looks: station.lengths(ended) })
    }

    /// Has a real server on loopback serve `schedule`. Its work is a wait: more servers than this
    /// machine has CPUs do not get in each other's way.
    ///
    /// # Errors
    /// No port, connection or thread is available.
    pub(crate) fn serve(
        &self,
        schedule: &Schedule,
        ledger: &Ledger,
        clock: Clock,
    ) -> anyhow::Result<Served> {
        let server = Server {
            threads: Threads::Pool(self.servers as usize),
            discipline: load::Discipline::Fifo,
            admission: Admission::All,
            work: load::Work::ExactWait,
            pause: Pause::default(),
        };
        let client = Client {
            connections: 4,
            at_most_in_flight: 100_000,
            timeout: TIMEOUT,
            retries: Retries::default(),
            tick: Duration::ZERO,
        };
        let work = |number: usize| {
            Duration::from_nanos(self.work_of(number as u64)).mul_f64(1.0 + self.unseen)
        };
        let server = server.start(clock)?;
        let over = AtomicBool::new(false);
        let looks = thread::scope(|scope| {
            let looking = scope.spawn(|| look(ledger, clock, &over));
            let asked = client.ask(server.address(), schedule, work, (clock, TIMEOUT), ledger);
            over.store(true, Relaxed);
            asked.map(|_| looking.join().expect("looking does not panic"))
        })?;
        let visit = |(number, (came, _)): (usize, (Duration, Duration))| {
            let ended = ledger.ended_at(number)?.as_nanos() as u64;
            let (came, work) = (came.as_nanos() as u64, self.work_of(number as u64));
            let started = ended.saturating_sub(work).max(came);
            Some(Visit { number: number as u64, came, work, started, ended })
        };
        Ok(Served { visits: ledger.sent_at().enumerate().filter_map(visit).collect(), looks })
    }
}

/// Whether this machine has the memory and the time for this many requests.
///
/// # Errors
/// It has not.
pub(crate) fn affordable(ctx: &Ctx, requests: f64) -> anyhow::Result<()> {
    let most = if ctx.is_live() { 2e6 } else { 3e7 };
    ensure!(
        requests <= most,
        "{:.0} million requests are too many: measure for less time, or take a longer service-time",
        requests / 1e6
    );
    Ok(())
}

/// Arrivals at `rate` a second.
///
/// # Errors
/// The rate is not finite, or the requests are too many.
pub(crate) fn arrivals(ctx: &Ctx, rate: f64, span: Duration) -> anyhow::Result<Load<'static>> {
    Ok(Load::open(starts(ctx, &Profile::new().hold(rate, span)?)?))
}

/// The arrivals of a profile, spaced as the knob says.
///
/// # Errors
/// They are too many.
pub(crate) fn starts(
    ctx: &Ctx,
    profile: &Profile,
) -> anyhow::Result<impl Iterator<Item = Nanos> + use<>> {
    let spacing = match ctx.text("arrivals") {
        "poisson" => Spacing::Poisson,
        _ => Spacing::Even,
    };
    affordable(ctx, profile.expected())?;
    profile.starts(profile.lasts(), spacing, ctx.rng(&[ARRIVALS]))
}

/// Until it is `over`, the time and the number of requests in flight, some thousand times a second.
fn look(ledger: &Ledger, clock: Clock, over: &AtomicBool) -> Vec<(f64, f64)> {
    lab_kit::tighten_timer();
    let mut looks = Vec::new();
    while !over.load(Relaxed) {
        looks.push((clock.now().as_secs_f64(), ledger.in_flight() as f64));
        thread::sleep(Duration::from_millis(1));
    }
    looks
}
