//! The vocabulary on disk, shared by the labs that write it and the runner that reads it.
//!
//! # The run directory
//!
//! ```text
//! target/perf-lab/<lab>/<utc-time>-<short-id>/
//!   plan.json          what was asked: the lab's description, mode, seed, every trial   [Plan]
//!   environment.json   the machine, and its readings before and after                  [Environment]
//!   trials/<id>/
//!     trial.json       everything the trial needs; written before it starts             [Trial]
//!     stdout stderr    what it printed
//!     <series>.hlog    one interval log for each series                                 [hlog]
//!     cpu.folded       folded stacks of a profiled trial, and cpu.json beside it        [ProfileQuality]
//!     off-cpu.folded   the same in microseconds, where waits were profiled
//!     memory.folded    the same in bytes, where allocations were; memory-live.folded has those
//!                      bytes that were not freed by the end
//!     cpu.times        `ns line` of each sample, CLOCK_MONOTONIC and line of cpu.folded from 0,
//!                      if the profiler records it; metrics.json says when the trial began
//!     probe/<name>.json  what an eBPF probe saw, and its stacks and histograms beside it [probe]
//!     metrics.json     what it found; written last and renamed into place               [Metrics]
//!     exit.json        how its process ended, by the runner                             [Exit]
//!   claims.json        every claim, judged by the lab from the trials                   [Judgement]
//!   summary.json       the above in one page, for people and programs                   [Summary]
//!   flame/*.svg        drawn from the folded stacks
//!   report.html        all of it for people, in one file; report.md for a pull request
//! ```
//!
//! Histograms and folded stacks are the truth; everything below `claims.json` can be made again
//! from what stands above it. A trial replays by hand: `tail-latency run trials/<id>`.
//!
//! A histogram holds requests that were never answered, too, with the time that they had waited.
//! `series.<name>.censored` in `metrics.json` counts them and `censored_from_ns` is the smallest: a
//! percentile below it is exact, and one at or above it a lower bound (`p99_bound` in
//! `summary.json`).
//!
//! Every file carries a schema such as `perf-lab.run/1`; [`read_json`] refuses another major.

mod claim;
mod description;
mod environment;
mod knob;
mod label;
mod lesson;
mod limit;
mod look;
mod metrics;
mod name;
mod next;
pub mod probe;
mod profile;
#[cfg(test)]
mod renamed;
mod reply;
mod run;
mod schema;
pub mod shell;
mod summary;
pub mod table;
mod trial;

pub use lab_hlog as hlog;

pub use claim::{
    Claims, Falsification, Falsified, How, Judgement, LessonFigures, Outcome, Told, Verdict,
};
pub use description::{
    Bar, ChartSpec, CheckSpec, ClaimSpec, Description, ShownBy, Source, Spans, StorySpec,
    VariantSpec,
};
pub use environment::{Environment, Pressure, Reading};
pub use knob::{Kind, KnobSpec, KnobValue, Knobs, as_typed, parse_duration};
pub use label::{SIMULATED, simulated_label, variant_of};
pub use lesson::{Answer, Answered, Answers, Choice, LessonSpec};
pub use limit::{Limit, Standing};
pub use look::{Figure, Look, Resource, StandsOut};
pub use metrics::{
    Accounting, Curve, CurveKind, End, Gauge, Grid, LATE_GENERATOR, Metric, Metrics, SeriesFacts,
    Unavailable,
};
pub use name::{check_name, check_path};
pub use next::Next;
pub use profile::{Backend, Profile, ProfileKind, ProfileQuality};
pub use reply::{Part, RESOURCES, Reply};
pub use run::{FinishedTrial, Plan, Run};
pub use schema::{Schema, SchemaError, parse_json, read_json, to_json, write_json};
pub use summary::{
    CurveSummary, ProbeSummary, ProfileSummary, Requests, SeriesSummary, Summary, TrialSummary,
};
pub use trial::{Exit, Inject, Mode, Reads, State, Trial};
