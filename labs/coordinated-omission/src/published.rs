//! The sources' own experiments, with the sources' own numbers: no knob turns them.

use std::time::Duration;

use lab_kit::{Ctx, Series, Timeline};

use crate::filing::file;
use crate::setup::{Setup, Stall};
use crate::tool::{Tool, ask_simulated};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Tene: a request every 10 ms for 100 s, each answered in a millisecond; then the system stands
/// still for 100 s.
pub(crate) const THOUGHT_EXPERIMENT: Setup = Setup {
    rate: 100.0,
    connections: 1,
    service: MS,
    stall: Stall { from: Duration::from_secs(100), length: Duration::from_secs(100) },
    timeline: timeline(200_000),
};

/// The second example of wrk2's README: 2,000 requests a second over 100 connections, the server
/// frozen for 1.4 s. It recorded 39,500 requests, hence the span, and the median of what it saw
/// once a request was sent, which stands for the service time, was 2.68 ms on the quiet run.
pub(crate) const WRK2_FREEZE: Setup = Setup {
    rate: 2_000.0,
    connections: 100,
    service: Duration::from_micros(2_680),
    stall: Stall { from: Duration::from_secs(9), length: Duration::from_millis(1_400) },
    timeline: timeline(19_750),
};

/// The measured span of each in milliseconds, at every depth.
pub(crate) const fn spans(setup: &Setup) -> [u64; 3] {
    [setup.timeline.measure.as_millis() as u64; 3]
}

const fn timeline(measure_ms: u64) -> Timeline {
    Timeline {
        warmup: Duration::ZERO,
        measure: Duration::from_millis(measure_ms),
        interval: SECOND,
    }
}

/// Asks as `tool` does in a published `setup`; its series are `corrected` and `uncorrected`.
pub(crate) fn run(ctx: &mut Ctx, setup: &Setup, tool: Tool) -> anyhow::Result<()> {
    file(ctx, setup, tool, &ask_simulated(tool, setup)?, ["corrected", "uncorrected"])
}

/// The thought experiment's samples as they are counted in the talk: what a monitor records, and
/// the same corrected.
pub(crate) fn thought_experiment(stall: Duration) -> [Series; 2] {
    let mut series = [(); 2].map(|()| Series::new(THOUGHT_EXPERIMENT.timeline));
    let [raw, corrected] = &mut series;
    for i in 0..10_000 {
        raw.record(10 * MS * i, MS);
        corrected.record_correct(10 * MS * i, MS, 10 * MS);
    }
    raw.record(100 * SECOND, stall);
    corrected.record_correct(100 * SECOND, stall, 10 * MS);
    series
}
