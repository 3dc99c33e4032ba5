//! A file that is built again and again, and the proxies that load it.
//!
//! All of them have a new file within seconds, so one stands for all.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lab_kit::sim::{Nanos, Profile, Spacing};
use lab_kit::stats::mean_interval;
use lab_kit::{Clock, Ctx, CurveKind, Settings, Timeline, seed, spin};

use crate::charts::{AFTER_PUSH, BAD_FILES, IN_UPGRADE};
use crate::live;
use crate::loader::{Proxy, file};
use crate::tally::{Tally, begin, too_many};

/// Clusters in which the same upgrade is tried.
pub(crate) const CLUSTERS: u64 = 2_000;
/// Points of an error rate over time.
const POINTS: u32 = 50;
/// What random numbers are drawn for.
const ARRIVALS: u64 = 0;
const BUILDERS: u64 = 1;

/// When a file is built, and whether it is a bad one.
type Build = (Nanos, bool);

/// The proxies, the files that come, and how requests end.
struct Fleet {
    proxy: Proxy,
    files: [String; 2],
    builds: std::iter::Peekable<std::vec::IntoIter<Build>>,
    tally: Tally,
    /// From when on only bad files come.
    all_bad: Nanos,
    /// Requests, those that failed, and those that scored 0: before the first bad file can come,
    /// while both kinds come, and from `all_bad` on.
    ended: [[u64; 3]; 3],
    begin: Nanos,
}

impl Fleet {
    /// None, with the reason in the trial, if a good file is above the cap.
    fn of(ctx: &mut Ctx, builds: Vec<Build>, [interval, all_bad]: [Duration; 2]) -> Option<Self> {
        let [rows, copies, cap] = ["rows", "copies", "cap"].map(|knob| ctx.int(knob));
        if rows > cap {
            ctx.invalid(format!("a good file has {rows} features, and proxies load {cap}"));
            return None;
        }
        Some(Self {
            proxy: Proxy::of(ctx.settings()),
            files: [file(rows, 1), file(rows, copies)],
            builds: builds.into_iter().peekable(),
            tally: Tally::new(ctx.timeline(), interval),
            all_bad: all_bad.as_nanos() as Nanos,
            ended: [[0; 3]; 3],
            begin: begin(ctx.timeline()).as_nanos() as Nanos,
        })
    }

    /// Loads the files that have come, and returns whether the request is answered.
    fn answer(&mut self, at: Nanos, request: usize) -> bool {
        while let Some((_, bad)) = self.builds.next_if(|(built, _)| *built <= at) {
            self.proxy.reload(&self.files[usize::from(bad)]);
        }
        let score = self.proxy.score(request);
        self.tally.count(at, score.is_none());
        let phase = usize::from(at >= self.begin) + usize::from(at >= self.all_bad);
        let [all, failed, zero] = &mut self.ended[phase];
        *all += 1;
        *failed += u64::from(score.is_none());
        *zero += u64::from(score == Some(0));
        score.is_some()
    }

    /// Answers the simulated requests of a trial.
    fn answer_all(&mut self, ctx: &mut Ctx, rate: f64, gauge: &str) -> anyhow::Result<()> {
        let span = ctx.timeline().span();
        let profile = Profile::new().hold(rate, span)?;
        let starts = profile.starts(span, Spacing::Poisson, ctx.rng(&[ARRIVALS]))?;
        for (request, at) in (0..).zip(starts) {
            self.answer(at, request);
        }
        self.settle(ctx, gauge);
        Ok(())
    }

    fn settle(&self, ctx: &mut Ctx, gauge: &str) {
        self.tally.file(ctx, gauge);
        let [before, _, after] = self.ended;
        ctx.proportion("failed_before", before[1], before[0]);
        ctx.proportion("failed_after", after[1], after[0]);
        ctx.proportion("zero_after", after[2], after[0]);
    }
}

/// A good file, and at `begin` a bad one.
pub(crate) fn push(ctx: &mut Ctx) -> anyhow::Result<()> {
    let timeline = ctx.timeline();
    let at = begin(timeline);
    let builds = vec![(0, false), (at.as_nanos() as Nanos, true)];
    let Some(mut fleet) = Fleet::of(ctx, builds, [timeline.measure / POINTS, at]) else {
        return Ok(());
    };
    if ctx.is_live() {
        let fleet = Arc::new(Mutex::new(fleet));
        let (serving, clock) = (fleet.clone(), Clock::live());
        live::ask(ctx, clock, move |request, work| {
            spin::cpu(work);
            let mut fleet = serving.lock().unwrap_or_else(PoisonError::into_inner);
            fleet.answer(clock.now().as_nanos() as Nanos, request)
        })?;
        fleet.lock().unwrap_or_else(PoisonError::into_inner).settle(ctx, AFTER_PUSH);
        return Ok(());
    }
    let rate = live::rate(ctx.settings());
    fleet.answer_all(ctx, rate, AFTER_PUSH)
}

/// A cluster whose databases are upgraded one by one. Any of them builds the next file, and an
/// upgraded one builds a bad one.
struct Cluster {
    databases: u64,
    every: Duration,
    begin: Duration,
}

impl Cluster {
    fn of(knobs: &Settings, timeline: Timeline) -> Self {
        let (databases, every) = (knobs.int("databases"), knobs.duration("upgrade-every"));
        Self { databases, every, begin: begin(timeline) }
    }

    /// When the last one is upgraded.
    fn done(&self) -> Duration {
        self.begin + self.every.saturating_mul(self.databases as u32 - 1)
    }

    fn upgraded(&self, at: Duration) -> u64 {
        let Some(since) = at.checked_sub(self.begin) else { return 0 };
        let others = since.as_nanos().checked_div(self.every.as_nanos());
        others.map_or(self.databases, |others| self.databases.min(1 + others as u64))
    }
}

/// The expected number of times that files turn bad.
fn expected_outages(knobs: &Settings, timeline: Timeline) -> f64 {
    let cluster = Cluster::of(knobs, timeline);
    let bad = |at: &Duration| cluster.upgraded(*at) as f64 / cluster.databases as f64;
    let shares: Vec<f64> = times(knobs, timeline).iter().map(bad).collect();
    shares.windows(2).map(|two| (1.0 - two[0]) * two[1]).sum()
}

/// When files are built.
fn times(knobs: &Settings, timeline: Timeline) -> Vec<Duration> {
    let (every, span) = (knobs.duration("rebuild"), timeline.span());
    (0..).map(|n| every * n).take_while(|at| *at < span).collect()
}

pub(crate) fn upgrade(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (timeline, rebuild) = (ctx.timeline(), ctx.duration("rebuild"));
    let cluster = Cluster::of(ctx.settings(), timeline);
    // The next file is one of the last database to be upgraded, or a later one.
    let all_bad = cluster.done() + rebuild;
    if all_bad + rebuild > timeline.span() || rebuild > cluster.begin {
        ctx.invalid(format!(
            "a file comes every {rebuild:?}, and upgrades end after {:?}: too late for {:?}",
            cluster.done(),
            timeline.span()
        ));
        return Ok(());
    }
    let rate = ctx.float("traffic");
    if too_many(ctx, rate) {
        return Ok(());
    }
    let times = times(ctx.settings(), timeline);
    let mut files = vec![[0_u64; 2]; cluster.databases as usize + 1];
    let mut outages = Vec::new();
    let mut builds = Vec::new();
    for tried in (0..CLUSTERS).rev() {
        builds = Vec::with_capacity(times.len());
        for (file, at) in (0..).zip(&times) {
            let upgraded = cluster.upgraded(*at);
            let draw = seed::uniform(ctx.seed(), &[BUILDERS, tried, file]);
            // Those upgraded first have the lowest numbers.
            let builder = (draw * cluster.databases as f64) as u64;
            let bad = builder < upgraded;
            files[upgraded as usize][0] += u64::from(bad);
            files[upgraded as usize][1] += 1;
            builds.push((at.as_nanos() as Nanos, bad));
        }
        outages.push(builds.windows(2).filter(|two| !two[0].1 && two[1].1).count() as f64);
    }
    let Some(mut fleet) = Fleet::of(ctx, builds, [rebuild, all_bad]) else { return Ok(()) };
    fleet.answer_all(ctx, rate, IN_UPGRADE)?;
    let (mean, interval) = mean_interval(&outages);
    ctx.metric("outages", mean, "count");
    ctx.metric("outages_expected", expected_outages(ctx.settings(), timeline), "count");
    ctx.metric("outages_error", interval.map_or(0.0, |(low, _)| (mean - low) / 1.96), "count");
    let share = |n: usize| n as f64 / cluster.databases as f64;
    let measured = files.iter().enumerate().filter(|(_, [_, all])| *all > 0);
    let measured: Vec<_> =
        measured.map(|(n, [bad, all])| (share(n), *bad as f64 / *all as f64)).collect();
    let theory = measured.iter().map(|(share, _)| (*share, *share)).collect();
    ctx.curve(BAD_FILES, CurveKind::Measured, ["ratio", "ratio"], measured);
    ctx.curve(BAD_FILES, CurveKind::Theory, ["ratio", "ratio"], theory);
    Ok(())
}
