//! `cargo xtask load URL`: asks an HTTP service at a given rate.
//!
//! The generator is a program of its own (`xtask/load`), built when it is first asked for: hyper is no
//! part of the runner. It speaks the protocol of a lab, so its run is kept, judged, drawn and shown
//! like any other.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use lab_verdict::limit::Ask;

use crate::build;
use crate::exit::{Code, usage};
use crate::lab;
use crate::lab::args::at_least_a_moment;
use crate::output::Format;
use crate::process::Interrupt;
use crate::workspace::Workspace;

/// The generator's package.
const GENERATOR: &str = "perf-lab-load";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The address to ask: http://127.0.0.1:8080/path or unix:/run/x.sock:/path
    url: String,
    /// Requests a second, started on schedule whatever comes back
    #[arg(long, value_name = "PER_SECOND", default_value_t = 1_000.0)]
    rate: f64,
    /// For the contrast: clients that ask again when they were answered
    #[arg(long, value_name = "CLIENTS", conflicts_with_all = ["rate", "connections", "arrivals"])]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
    closed: Option<u32>,
    /// The measured span
    #[arg(long, default_value = "10s", value_parser = at_least_a_moment)]
    duration: Duration,
    /// Connections to the service
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: u32,
    /// Speak HTTP/2, without asking whether the service does
    #[arg(long)]
    http2: bool,
    /// Gaps between the starts: random, as of many independent users, or equal
    #[arg(long, value_enum, default_value_t = Arrivals::Poisson)]
    arrivals: Arrivals,
    /// How long a client waits for the whole answer, from the intended start
    #[arg(long, default_value = "5s")]
    timeout: String,
    /// The method of the request
    #[arg(long, default_value = "GET")]
    method: String,
    /// A header line of the request (repeatable): 'Accept: text/html'
    #[arg(long, value_name = "LINE")]
    header: Vec<String>,
    /// The body of the request
    #[arg(long, default_value = "")]
    body: String,
    /// The status of a right answer: 2xx, or one such as 404; 429 and 503 are refusals
    #[arg(long, value_name = "STATUS", default_value = "2xx")]
    expect: String,
    /// Ask an address that is neither loopback nor private
    #[arg(long)]
    yes_i_run_this_server: bool,
    /// Trials, each a fresh process with arrivals of its own
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    trials: u32,
    /// Seed of the arrivals
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the run into this directory, which must be new or empty
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A limit on a figure (repeatable): 'p99 < 80ms'; exits with 3 if the whole interval breaks it
    #[arg(long = "assert", value_name = "LIMIT")]
    limits: Vec<Ask>,
    /// Exit with 4 where a limit is undecided
    #[arg(long, requires = "limits")]
    require_decision: bool,
    /// Print everything: percentiles, rates and files
    #[arg(long)]
    all: bool,
    /// How to print the summary; everything else goes to standard error
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Use this program instead of building the generator
    #[arg(long, value_name = "PATH", hide = true)]
    binary: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Arrivals {
    Poisson,
    Constant,
}

/// Asks the service, and says what came back.
pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let workspace = Workspace::with_labs("load")?;
    let binary = match &args.binary {
        Some(binary) => binary.clone(),
        None => {
            let package = workspace.package(GENERATOR);
            let package = package.ok_or_else(|| usage("this checkout has no generator"))?;
            build::build(&workspace, package, &Interrupt::listen()?)?
        }
    };
    lab::run(&args.as_of_a_lab(binary))
}

impl Args {
    /// The same, as arguments of `lab`.
    fn as_of_a_lab(&self, binary: PathBuf) -> lab::Args {
        let yes_or_no = |yes| if yes { "yes" } else { "no" };
        let arrivals = match self.arrivals {
            Arrivals::Poisson => "poisson",
            Arrivals::Constant => "constant",
        };
        let connections = self.closed.unwrap_or(self.connections);
        let set = [
            ("url", self.url.clone()),
            ("loop", if self.closed.is_some() { "closed" } else { "open" }.to_owned()),
            ("rate", self.rate.to_string()),
            ("connections", connections.to_string()),
            ("protocol", if self.http2 { "http2" } else { "http1" }.to_owned()),
            ("arrivals", arrivals.to_owned()),
            ("timeout", self.timeout.clone()),
            ("method", self.method.clone()),
            ("headers", self.header.join("\n")),
            ("body", self.body.clone()),
            ("expect", self.expect.clone()),
            ("anywhere", yes_or_no(self.yes_i_run_this_server).to_owned()),
        ];
        lab::Args {
            set: set.map(|(name, value)| (name.to_owned(), value)).into(),
            trials: Some(self.trials),
            duration: Some(self.duration),
            seed: self.seed,
            out: self.out.clone(),
            limits: self.limits.clone(),
            require_decision: self.require_decision,
            all: self.all,
            format: self.format,
            ..lab::Args::of_program("load", "load", binary)
        }
    }
}
