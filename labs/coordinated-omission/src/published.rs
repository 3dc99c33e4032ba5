//! The sources' own experiments, with the sources' own numbers for knobs.

use std::time::Duration;

use lab_kit::{Ctx, Series, Timeline};

use crate::filing::file;
use crate::setup::Setup;
use crate::tool::{Tool, ask_simulated};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Tene: a request every 10 ms for 100 s, each answered in a millisecond; then the system stands
/// still for 100 s.
pub(crate) const TENE: &[(&str, &str)] =
    &[("rate", "100"), ("connections", "1"), ("stall", "100s"), ("stall-at", "100s")];

/// The second example of wrk2's README: 2,000 requests a second over 100 connections, the server
/// frozen for 1.4 s. It recorded 39,500 requests, hence the span, and the median of what it saw
/// once a request was sent, which stands for the service time, was 2.68 ms on the quiet run.
pub(crate) const WRK2: &[(&str, &str)] =
    &[("rate", "2000"), ("connections", "100"), ("service-time", "2680us"), ("stall-at", "9s")];
/// The measured spans in milliseconds, at every depth.
pub(crate) const TENE_SPANS: [u64; 3] = [200_000; 3];
pub(crate) const WRK2_SPANS: [u64; 3] = [19_750; 3];

/// Asks as `tool` does; its series are `corrected` and `uncorrected`.
pub(crate) fn run(ctx: &mut Ctx, tool: Tool) -> anyhow::Result<()> {
    let setup = Setup::of(ctx);
    file(ctx, &setup, tool, &ask_simulated(tool, &setup)?, ["corrected", "uncorrected"])
}

/// Of the thought experiment.
pub(crate) const THOUGHT_EXPERIMENT: Timeline = Timeline {
    warmup: Duration::ZERO,
    measure: Duration::from_millis(TENE_SPANS[0]),
    interval: SECOND,
};

/// The thought experiment's samples as they are counted in the talk: what a monitor records, and
/// the same corrected.
pub(crate) fn thought_experiment(stall: Duration) -> [Series; 2] {
    let mut series = [(); 2].map(|()| Series::new(THOUGHT_EXPERIMENT));
    let [raw, corrected] = &mut series;
    for i in 0..10_000 {
        raw.record(10 * MS * i, MS);
        corrected.record_correct(10 * MS * i, MS, 10 * MS);
    }
    raw.record(100 * SECOND, stall);
    corrected.record_correct(100 * SECOND, stall, 10 * MS);
    series
}
