//! What can be typed after `cargo xtask lab`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use lab_record::{Mode, ProfileKind, parse_duration};

use lab_verdict::limit::Ask;

use crate::output::Format;
use crate::plan::{Depth, Request};
use crate::profiler::Profiler;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The lab, such as tail-latency
    pub(crate) name: String,
    /// Run only this variant (repeatable); random: one of the lab's black boxes
    #[arg(long, value_name = "NAME")]
    pub(crate) variant: Vec<String>,
    /// Set a knob (repeatable): --set rate=500
    #[arg(long, value_name = "KNOB=VALUE", value_parser = knob_and_value)]
    pub(crate) set: Vec<(String, String)>,
    /// Live trials of each variant [default: 1, with --full 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) trials: Option<u32>,
    /// Measured span of every trial, instead of the lab's own: 500ms, 1.4s, 2m
    #[arg(long, value_parser = at_least_a_moment)]
    pub(crate) duration: Option<Duration>,
    /// Kill a trial that lasts longer [default: its spans plus 30s; simulated 120s]
    #[arg(long, value_name = "DURATION", value_parser = at_least_a_moment)]
    pub(crate) deadline: Option<Duration>,
    /// Seed of all random choices
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write the run into this directory, which must be new or empty
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Short spans: within 20 s
    #[arg(long, conflicts_with = "full")]
    pub(crate) quick: bool,
    /// Long spans and five trials: for figures to publish
    #[arg(long)]
    pub(crate) full: bool,
    /// Run in simulated time only: exact, and the same bytes for the same seed
    #[arg(long, visible_alias = "virtual")]
    pub(crate) simulated: bool,
    /// What to profile, in trials of their own that are not timed
    #[arg(long, value_enum, default_value_t = Profile::Cpu)]
    pub(crate) profile: Profile,
    /// What takes the samples
    #[arg(long, value_enum, default_value_t = Profiler::Auto)]
    pub(crate) profiler: Profiler,
    /// Also observe with these eBPF probes, each in a trial of its own: runqlat,offcputime (cargo
    /// xtask probe lists them); none: use no probe, not even those that the lab names
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) probe: Vec<String>,
    /// Run each check with its cause and without it, as the check itself says how, and print both
    /// outcomes; exits with 7 where a check holds without its cause
    #[arg(long, conflicts_with_all = ["variant", "profile", "probe", "strict"])]
    pub(crate) falsify: bool,
    /// Only the checks of this claim, with --falsify (repeatable)
    #[arg(long, value_name = "ID", requires = "falsify")]
    pub(crate) claim: Vec<String>,
    /// A limit on a figure of a variant (repeatable): 'hedged.p99 < 80ms', 'queue.wait.max <= 1s';
    /// exits with 3 if the whole interval breaks it
    #[arg(long = "assert", value_name = "LIMIT", conflicts_with = "falsify")]
    pub(crate) limits: Vec<Ask>,
    /// Exit with 4 where a limit is undecided
    #[arg(long, requires = "limits")]
    pub(crate) require_decision: bool,
    /// Exit with 7 where a claim is not reproduced
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print everything: every check with its tolerance, percentiles, probes and files
    #[arg(long)]
    pub(crate) all: bool,
    /// How to print the summary; everything else goes to standard error
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// Use this program instead of building the lab
    #[arg(long, value_name = "PATH", hide = true)]
    pub(crate) binary: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// Where CPU time goes
    Cpu,
    /// Where threads wait: needs root, CAP_PERFMON or kernel.perf_event_paranoid at 1 or less
    OffCpu,
    /// Where memory is allocated: needs no rights
    #[value(alias = "alloc")]
    Memory,
    /// Where memory is touched for the first time: page faults, which need no rights
    Faults,
    /// Nothing
    None,
}

impl Args {
    /// The arguments that run this variant of a lab's program, not profiled, and else as by default.
    pub(crate) fn of_program(name: &str, variant: &str, binary: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            variant: vec![variant.to_owned()],
            set: Vec::new(),
            trials: None,
            duration: None,
            deadline: None,
            seed: 1,
            out: None,
            quick: false,
            full: false,
            simulated: false,
            profile: Profile::None,
            profiler: Profiler::Auto,
            probe: Vec::new(),
            falsify: false,
            claim: Vec::new(),
            limits: Vec::new(),
            require_decision: false,
            strict: false,
            all: false,
            format: Format::Human,
            binary: Some(binary),
        }
    }

    /// What is asked of the lab, before it is known who samples its profiles.
    pub(super) fn request(&self) -> Request {
        let depth = match (self.quick, self.full) {
            (true, _) => Depth::Quick,
            (_, true) => Depth::Full,
            _ => Depth::Default,
        };
        Request {
            mode: if self.simulated { Mode::Simulated } else { Mode::Live },
            depth,
            variants: self.variant.clone(),
            set: self.set.clone(),
            trials: self.trials,
            duration: self.duration,
            deadline: self.deadline,
            seed: self.seed,
            profile: match self.profile {
                Profile::OffCpu => ProfileKind::OffCpu,
                Profile::Memory => ProfileKind::Memory,
                Profile::Faults => ProfileKind::Faults,
                Profile::Cpu | Profile::None => ProfileKind::Cpu,
            },
            profiler: None,
            probes: Vec::new(),
            own_probes: true,
            without_probes: BTreeMap::new(),
        }
    }
}

pub(crate) fn knob_and_value(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or("write KNOB=VALUE, such as rate=500")?;
    Ok((pair.0.trim().to_owned(), pair.1.trim().to_owned()))
}

pub(crate) fn at_least_a_moment(text: &str) -> Result<Duration, String> {
    let span = parse_duration(text).map_err(|error| error.to_string())?;
    let sensible = Duration::from_millis(10)..=Duration::from_secs(24 * 3600);
    if sensible.contains(&span) { Ok(span) } else { Err("from 10ms to 24h".into()) }
}
