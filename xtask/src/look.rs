//! `cargo xtask look`: the first minute on a machine, from /proc and /sys alone.

mod render;

use std::io::{IsTerminal as _, stdout};
use std::num::NonZeroU32;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::ValueEnum;
use lab_look::Watch;
use lab_record::to_json;

use crate::exit::{Code, usage};
use crate::output::{paint, print};
use crate::process::Interrupt;
use crate::progress::spinner;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long to look; 0 shows only the figures that need no span of time
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u32).range(..=86_400))]
    seconds: u32,

    /// Look at this process more closely, and at its cgroup
    #[arg(long)]
    pid: Option<NonZeroU32>,

    /// How to print what was seen; JSON has all rows
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// What stands out, the USE table and the ten commands, for a terminal of 80 columns
    Human,
    /// JSON that stands alone
    Json,
}

/// How often a wait checks whether it has to end.
const TICK: Duration = Duration::from_millis(100);

/// Looks, and prints what it saw.
pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let interrupt = Interrupt::listen()?;
    let pid = args.pid.map(|pid| process(pid.get())).transpose()?;
    let mut watch = Watch::begin(pid);
    let begun = Instant::now();
    let bar = spinner(&format!("look for {} s", args.seconds));
    for second in 1..=args.seconds {
        let on_time =
            wait_until(begun + Duration::from_secs(second.into()), &interrupt, || bar.tick());
        watch.read();
        if !on_time {
            break;
        }
    }
    bar.finish_and_clear();
    let look = watch.end();
    print(&match args.format {
        Format::Human => render::look(&look, paint(), stdout().is_terminal()),
        Format::Json => format!("{}\n", to_json(&look)?),
    })?;
    if interrupt.raised() {
        eprintln!("note: stopped after {:.1} s", look.seconds);
    }
    Ok(Code::Fine)
}

/// The process with this id, or with a thread of this id.
fn process(id: u32) -> anyhow::Result<u32> {
    match lab_proc::process_of(id) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(usage(format!("--pid {id}: there is no such process")))
        }
        found => found.with_context(|| format!("look at process {id}")),
    }
}

/// Waits until `due`; false if Ctrl-C ended the wait before.
fn wait_until(due: Instant, interrupt: &Interrupt, tick: impl Fn()) -> bool {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if interrupt.raised() || left.is_zero() {
            return !interrupt.raised();
        }
        tick();
        thread::sleep(left.min(TICK));
    }
}
