//! What a user may ask of a comparison, and the method that follows.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use lab_record::{Inject, Mode};
use lab_verdict::comparable;
use lab_verdict::exact::{self, EXACT_GATES};
use lab_verdict::limit::Ask;
use lab_verdict::method::{Gate, Method};
use lab_verdict::metric::{GATES, GUARDS, Metric};

use super::bench::args::BenchArgs;
use super::command::args::CommandArgs;
use super::limits;

use crate::exit::usage;

/// Profiled trials of each side by default: with five, one deal of them in 126 shows as much as a
/// real change does.
const PROFILED: u32 = 5;

/// Arguments that a resumed comparison takes from its plan.
const PLANNED: [&str; 34] = [
    "sides",
    "lab",
    "variant",
    "variants",
    "simulated",
    "merge_base",
    "set",
    "aa",
    "comparisons",
    "inject",
    "replay",
    "gate",
    "floor",
    "margin",
    "alpha",
    "looks",
    "limits",
    "duration",
    "seed",
    "profiled",
    "allow_diff",
    "out",
    "a",
    "b",
    "shell",
    "build",
    "prepare",
    "check",
    "warmup",
    "metric",
    "higher_is_better",
    "deadline",
    "run",
    "bench",
];

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Two git revisions, or two run directories; `.` is the working tree [default: NEW is `.`]
    #[arg(value_name = "BASE NEW", num_args = 0..=2)]
    pub(super) sides: Vec<String>,
    /// Compare this lab (repeatable) [default: every lab that both sides have]
    #[arg(long, value_name = "NAME")]
    pub(super) lab: Vec<String>,
    /// Compare this variant (repeatable) [default: every variant that runs live]
    #[arg(long, value_name = "NAME")]
    pub(super) variant: Vec<String>,
    /// Compare two variants of one lab; with --replay, two recorded ones
    #[arg(long, value_names = ["BASE", "NEW"], num_args = 2)]
    pub(super) variants: Vec<String>,
    /// Compare in simulated time, exactly: one trial of each side, no noise and no statistics
    #[arg(long, conflicts_with_all = ["aa", "inject", "replay", "looks", "alpha", "margin"])]
    #[arg(conflicts_with_all = ["profiled", "a", "b", "run", "bench"])]
    pub(super) simulated: bool,
    /// Compare with the merge base of BASE and NEW, as for a pull request
    #[arg(long)]
    pub(super) merge_base: bool,
    /// Set a knob on both sides (repeatable): --set rate=500
    #[arg(long, value_name = "KNOB=VALUE", value_parser = crate::lab::args::knob_and_value)]
    pub(super) set: Vec<(String, String)>,
    /// Compare BASE with itself repeatedly: the false alarms and the sensitivity of this machine
    #[arg(long, conflicts_with_all = ["replay", "variants", "inject"])]
    pub(super) aa: bool,
    /// How many comparisons --aa makes
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(super) comparisons: u32,
    /// Make NEW look slower by a known amount, to test that it is found: p50=10%
    #[arg(long, value_name = "METRIC=PERCENT", value_parser = share_of_metric)]
    pub(super) inject: Option<(String, f64)>,
    /// Judge recorded trials from a trials.jsonl
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sides", "lab", "variant", "inject"])]
    pub(super) replay: Option<PathBuf>,
    /// Resume the interrupted comparison in this directory
    #[arg(long, value_name = "DIR", conflicts_with_all = PLANNED)]
    pub(super) resume: Option<PathBuf>,
    /// Metrics that decide the verdict [default: of a lab p50,p99i, or p50,p99 if simulated; of
    /// commands wall,memory, or their own numbers]
    #[arg(long, value_name = "METRIC,…", value_delimiter = ',')]
    pub(super) gate: Vec<String>,
    /// The smallest change worth a verdict (repeatable): p50=3%
    #[arg(long, value_name = "METRIC=PERCENT", value_delimiter = ',', value_parser = share_of_metric)]
    pub(super) floor: Vec<(String, f64)>,
    /// Changes within ± this count as equivalent (repeatable): p50=5%
    #[arg(long, value_name = "METRIC=PERCENT", value_delimiter = ',', value_parser = share_of_metric)]
    pub(super) margin: Vec<(String, f64)>,
    /// Two-sided alpha of one look, shared by metrics and scenarios [default: 0.02]
    #[arg(long)]
    pub(super) alpha: Option<f64>,
    /// Numbers of pairs at which the evidence is judged [default: 8,12,16,24]
    #[arg(long, value_name = "PAIRS,…", value_delimiter = ',')]
    pub(super) looks: Vec<u32>,
    /// Measured span of every trial [default: 2s, or longer where the gated metrics take more
    /// requests: a short trial before the first finds their rate]
    #[arg(long, value_parser = crate::lab::args::at_least_a_moment)]
    pub(super) duration: Option<Duration>,
    /// Seed of the order of trials and of the arrivals
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Profiled trials of each side, not timed, for differential flame graphs: four or more can
    /// tell which frames moved [default: 5, and none with --aa]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=50))]
    pub(super) profiled: Option<u32>,
    /// Skip labs that are built from the same files on both sides
    #[arg(long, conflicts_with_all = ["replay", "variants", "inject", "aa", "resume"])]
    pub(super) skip_unchanged: bool,
    /// A limit on a figure of a side (repeatable): 'hedged.p99 < 80ms', 'b.wall <= 1.2 s', 'a.memory <
    /// 64MB'; exits with 3 if the whole interval breaks it [default side: the new one]
    #[arg(long = "assert", value_name = "LIMIT", conflicts_with = "aa")]
    pub(super) limits: Vec<Ask>,
    /// Exit with 4 when the comparison is inconclusive, or a limit undecided
    #[arg(long)]
    pub(super) require_decision: bool,
    /// Compare although the sides differ in this (repeatable)
    #[arg(long, value_name = "KEY")]
    pub(super) allow_diff: Vec<String>,
    /// How to print the comparison; everything else goes to standard error
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
    /// Write the comparison into this directory, which must be new or empty
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) command: CommandArgs,
    #[command(flatten)]
    pub(super) bench: BenchArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A table
    Human,
    /// comparison.json
    Json,
    /// Markdown, for a job summary
    Md,
    /// JUnit XML
    Junit,
}

impl Args {
    /// Refuses contradictions before anything is built or read.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        for key in &self.allow_diff {
            comparable::check_key(key).map_err(|error| usage(error.to_string()))?;
        }
        let named = self.sides.len();
        if self.merge_base && named == 0 {
            return Err(usage("--merge-base needs a BASE, such as origin/main"));
        }
        if named == 0
            && self.variants.is_empty()
            && self.replay.is_none()
            && self.resume.is_none()
            && !self.aa
            && self.inject.is_none()
            && !self.command.are_asked_for()
            && !self.bench.are_asked_for()
            || named == 0 && self.simulated && self.variants.is_empty()
        {
            return Err(usage(
                "name what to compare: BASE NEW (git revisions or run directories), --a COMMAND \
                 --b COMMAND, --variants A B, --aa, --inject p50=10%, --replay FILE or --resume \
                 DIR",
            ));
        }
        if self.aa && named > 1 {
            return Err(usage(
                "--aa compares one revision with itself: name one, or none for the working tree",
            ));
        }
        self.bench.check(named, self.aa)?;
        self.command.check(named, self.aa, self.merge_base)?;
        if self.bench.are_asked_for() {
            // What they are called is known when they are built.
            return Ok(());
        }
        self.injection()?;
        if self.replay.is_some() {
            // Whether its metrics are those of commands or of labs is known when it is read.
            return Ok(());
        }
        limits::check_metrics(&self.limits, &self.known(self.command.are_asked_for()))?;
        self.method().map(drop)
    }

    /// The method, with the user's own floors, margins, looks and alpha.
    pub(super) fn method(&self) -> anyhow::Result<Method> {
        self.method_of(self.command.are_asked_for())
    }

    /// The time in which labs are compared.
    pub(super) fn mode(&self) -> Mode {
        if self.simulated { Mode::Simulated } else { Mode::Live }
    }

    /// The metrics that a limit may be on, of commands or of labs.
    pub(super) fn known(&self, commands: bool) -> Vec<Metric> {
        match commands {
            true => self.command.known(),
            false if self.simulated => [EXACT_GATES, [Metric::P999, Metric::MEAN]].concat(),
            false => [GATES, GUARDS].concat(),
        }
    }

    /// The same for commands, or for labs.
    pub(super) fn method_of(&self, commands: bool) -> anyhow::Result<Method> {
        let (known, usual) = match commands {
            true => (self.command.known(), self.command.usual()),
            false if self.simulated => (EXACT_GATES.to_vec(), exact::usual()),
            false => (GATES.to_vec(), Method::default()),
        };
        let method = self.method_among(&known, usual)?;
        method.looks(1).map_err(|error| usage(error.to_string()))?;
        let shown = if commands { self.command.shown(&method.gates) } else { Vec::new() };
        Ok(Method { shown, ..method })
    }

    /// A method whose gates are among these metrics; its looks are as they were typed, whether they
    /// can reject or not.
    pub(super) fn method_among(&self, known: &[Metric], usual: Method) -> anyhow::Result<Method> {
        let mut gates: Vec<Gate> = Vec::new();
        for name in &self.gate {
            let metric = Metric::find(name, known).map_err(|error| {
                let guard = if usual.guards.is_empty() {
                    ""
                } else {
                    " (the burst guard on p99 and p99.9 is always on)"
                };
                usage(format!("{error}{guard}"))
            })?;
            if !gates.iter().any(|gate| gate.metric == *metric) {
                gates.push(Gate::of(metric.clone()));
            }
        }
        if gates.is_empty() {
            gates.clone_from(&usual.gates);
        }
        for (option, values) in [("--floor", &self.floor), ("--margin", &self.margin)] {
            for (metric, ratio) in values {
                let (metric, ratio) = (metric.as_str(), *ratio);
                let gate = gates.iter_mut().find(|gate| gate.metric.name() == metric);
                let gate =
                    gate.ok_or_else(|| usage(format!("{option} {metric}: {metric} is not gated")))?;
                if option == "--floor" {
                    gate.floor_ratio = ratio
                } else {
                    gate.margin_ratio = ratio
                }
            }
        }
        if let Some(gate) = gates.iter().find(|gate| gate.margin_ratio < gate.floor_ratio) {
            return Err(usage(format!(
                "{}: a margin of {}% is below the floor of {}%: a change between them could never \
                 be decided",
                gate.metric,
                100.0 * gate.margin_ratio,
                100.0 * gate.floor_ratio
            )));
        }
        let looks = if self.looks.is_empty() { usual.looks } else { self.looks.clone() };
        Ok(Method { gates, looks, alpha: self.alpha.unwrap_or(usual.alpha), ..usual })
    }

    /// The two variants of `--variants`.
    pub(super) fn variant_pair(&self) -> Option<(&str, &str)> {
        match &self.variants[..] {
            [base, new] => Some((base, new)),
            _ => None,
        }
    }

    /// Profiled trials of each side.
    pub(super) fn profiled(&self) -> u32 {
        self.profiled.unwrap_or(if self.aa { 0 } else { PROFILED })
    }

    /// The slowness that NEW is to show.
    ///
    /// # Errors
    /// The metric is no lab's.
    pub(super) fn injection(&self) -> anyhow::Result<Option<Inject>> {
        let Some((name, ratio)) = &self.inject else { return Ok(None) };
        let found = Metric::find(name, &GATES).map(|metric| *metric == Metric::P50);
        let is_median = found.map_err(|error| usage(error.to_string()))?;
        // The slowest tenth carries every p99 and leaves the median alone.
        let from_quantile = if is_median { 0.0 } else { 0.9 };
        Ok(Some(Inject { from_quantile, ratio: *ratio }))
    }
}

/// Reads `p50=3%`.
fn share_of_metric(text: &str) -> Result<(String, f64), String> {
    let (metric, percent) = text.split_once('=').ok_or("write METRIC=PERCENT, such as p50=3%")?;
    let metric = metric.trim().to_owned();
    let number = percent.trim().strip_suffix('%').ok_or("write a per cent sign, such as p50=3%")?;
    let percent: f64 = number.trim().parse().map_err(|_| format!("`{number}` is not a number"))?;
    let sensible = percent.is_finite() && percent > 0.0 && percent <= 1_000.0;
    if sensible { Ok((metric, percent / 100.0)) } else { Err("from above 0% to 1000%".into()) }
}

#[cfg(test)]
pub(super) mod tests {
    use clap::Parser as _;

    use super::*;

    /// As a command line of `compare` is parsed.
    pub(in crate::compare) fn parsed(line: &str) -> Args {
        Cli::try_parse_from(std::iter::once("x").chain(line.split_whitespace())).unwrap().args
    }

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn parse(line: &str) -> Result<Args, String> {
        let words = std::iter::once("compare").chain(line.split_whitespace());
        let args = Cli::try_parse_from(words).map_err(|error| error.to_string())?.args;
        args.check().map_err(|error| error.to_string())?;
        Ok(args)
    }

    #[test]
    fn given_floors_and_margins_replace_the_defaults() {
        let args =
            parse("main HEAD --gate p50 --floor p50=2% --margin p50=4% --looks 10 --alpha 0.05");
        let method = args.unwrap().method().unwrap();
        let gate = Gate { metric: Metric::P50, floor_ratio: 0.02, margin_ratio: 0.04 };
        assert_eq!((method.gates, method.looks, method.alpha), (vec![gate], vec![10], 0.05));
        assert_eq!(parse("main").unwrap().method().unwrap(), Method::default());
    }

    #[test]
    fn commands_are_judged_by_time_and_memory_or_by_their_own_numbers() {
        let names = |line: &str| {
            let method = parse(line).unwrap().method().unwrap();
            let gates: Vec<String> =
                method.gates.iter().map(|gate| gate.metric.name().to_owned()).collect();
            let shown: Vec<String> =
                method.shown.iter().map(|metric| metric.name().to_owned()).collect();
            (gates.join(","), shown.join(","), method.guards.len())
        };
        let of = |gates: &str, shown: &str| (gates.to_owned(), shown.to_owned(), 0);
        assert_eq!(names("--a ls --b ls"), of("wall,memory", "user,sys"));
        assert_eq!(names("--a ls --b ls --gate cpu"), of("cpu", "wall,memory,user,sys"));
        let own = "main HEAD --metric qps=regex:\\d+ --higher-is-better qps -- ./x";
        assert_eq!(names(own), of("qps", "wall,memory,user,sys"));
        let method = parse(own).unwrap().method().unwrap();
        assert!(method.gates[0].metric.higher_is_better());
    }

    #[test]
    fn contradictory_arguments_are_refused_by_name() {
        for (line, said) in [
            ("", "name what to compare"),
            ("main HEAD --gate p75", "no metric `p75`"),
            ("main HEAD --gate p50 --floor p99i=3%", "p99i is not gated"),
            ("main HEAD --floor p50=3", "per cent sign"),
            ("main HEAD --floor p50=-3%", "above 0%"),
            ("main HEAD --margin p50=1%", "below the floor"),
            ("main HEAD --looks 4", "can never reject"),
            ("main HEAD --looks 9", "half"),
            ("main HEAD --allow-diff kernal", "no key `kernal`"),
            ("main HEAD --aa", "--aa compares one revision"),
            ("--merge-base --aa", "--merge-base needs a BASE"),
            ("--replay x --lab y", "cannot be used with"),
            ("--resume x --seed 1", "cannot be used with"),
            ("--resume x main", "cannot be used with"),
            ("--resume x --a ls", "cannot be used with"),
            ("--a ls", "--a needs --b"),
            ("--a ls --b ls --aa", "leave out --b"),
            ("main --a ls --b ls", "not both"),
            ("--a ls --b ls --lab x", "cannot be used with"),
            ("--build make main", "required arguments"),
            ("--aa --b ls", "required arguments"),
            ("--build make -- ./x", "name the revisions"),
            ("--check main HEAD", "are of commands"),
            ("--a ls --b ls --check --warmup 0", "--warmup 1 or more"),
            ("--a ls --b ls --gate p50", "there are wall, memory, cpu, user and sys"),
            ("--a ls --b ls --metric x=json:$.x --metric x=json:$.y", "given twice"),
            ("--a ls --b ls --higher-is-better x", "no --metric has this name"),
            ("--a ls --b ls --metric wall=json:$.x", "is measured anyway"),
            ("--inject p99=10%", "no metric `p99`"),
            ("--bench", "--bench takes revisions"),
            ("main HEAD --bench --lab x", "cannot be used with"),
            ("main HEAD --bench -- ./x", "cannot be used with"),
            ("--a ls --b ls --bench", "cannot be used with"),
            ("--a ls --b ls --assert b.wal<1s", "no metric `wal`: did you mean `wall`?"),
            ("--a ls --b ls --assert b.wall<1", "1 of what?"),
            ("--a ls --b ls --assert b.wall", "write WHAT < NUMBER UNIT"),
            ("main HEAD --assert hedged.p98<1s", "no metric `p98`"),
            ("--simulated", "name what to compare"),
            ("main --simulated --aa", "cannot be used with"),
            ("main --simulated --looks 8", "cannot be used with"),
            ("main --simulated --gate p99i", "there are p50 and p99"),
            ("main --simulated --assert hedged.p98<1s", "no metric `p98`"),
            ("--aa --assert hedged.p99<1s", "cannot be used with"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
    }

    #[test]
    fn an_injection_into_the_tail_leaves_the_median_alone() {
        let args = parse("--inject p50=10%").unwrap();
        assert_eq!(args.injection().unwrap(), Some(Inject { from_quantile: 0.0, ratio: 0.1 }));
        let args = parse("--inject p99i=20%").unwrap();
        assert_eq!(args.injection().unwrap(), Some(Inject { from_quantile: 0.9, ratio: 0.2 }));
    }
}
