//! What each tool saw, compared with what the workload knows: exact for counts, within 2 % for
//! times.

use lab_kit::{Evidence, Figure, Gap, Judged, Observation, statements};

mod disks;
mod files;
mod network;
mod tasks;

pub(crate) use disks::{biolatency, biosnoop, cachestat, dump_grows, sum_stays};
pub(crate) use files::{ext4slower, fsyncsnoop};
pub(crate) use network::{lifetimes, tcpconnect, tcplife, tcpretrans};
pub(crate) use tasks::{execsnoop, opensnoop, pagefaults, syscount};

use files::slow_calls;
use network::tcpaccept;
use tasks::{profile, runqlat};

/// How far a time may be from the workload's own.
const TIMED: f64 = 0.02;

/// Events that the start of a process adds: the pages and requests of its own program.
const START: f64 = 0.02;

/// A tool of the tutorial and its check, by the probe of its name.
type Tool = (&'static str, fn(&Evidence) -> Judged);

/// The tutorial's eleven. tcpaccept has no probe of its own: tcplife has the server's ends.
const ELEVEN: [Tool; 11] = [
    ("execsnoop", execsnoop),
    ("opensnoop", opensnoop),
    ("ext4slower", slow_calls),
    ("biolatency", biolatency),
    ("biosnoop", biosnoop),
    ("cachestat", cachestat),
    ("tcpconnect", tcpconnect),
    ("tcpaccept", tcpaccept),
    ("tcpretrans", tcpretrans),
    ("runqlat", runqlat),
    ("profile", profile),
];

/// The variants that they observe.
pub(crate) const ELEVEN_READ: &[(&str, &str)] = &[
    ("short-lived", "execsnoop"),
    ("search-path", "opensnoop"),
    ("slow-reads", "ext4slower"),
    ("direct-reads", "biolatency"),
    ("direct-reads", "biosnoop"),
    ("cold-file", "cachestat"),
    ("warm-file", "cachestat"),
    ("sessions", "tcpconnect"),
    ("sessions", "tcplife"),
    ("deaf-receiver", "tcpretrans"),
    ("spinners", "runqlat"),
    ("spinners", "profile"),
];

/// Each of the eleven agrees with its workload.
pub(crate) fn eleven(e: &Evidence) -> Judged {
    let agree = ELEVEN
        .iter()
        .map(|(tool, check)| Ok((*tool, check(e)?.holds)))
        .collect::<Result<Vec<_>, Gap>>()?;
    statements(&agree)
}

/// What a probe saw of a variant, which must be all.
fn seen<'a>(e: &Evidence<'a>, variant: &str, probe: &str) -> Result<Observation<'a>, Gap> {
    e.observation(variant, probe)?.whole()
}

fn count(rows: usize) -> Figure {
    Figure::exact(rows as f64, "count")
}

/// Invalid if the caller waited for a CPU for a larger share of the time than [`TIMED`]: on its way
/// out of a call, after the tool's clock has stopped, a thread may lose its CPU to others.
fn had_a_cpu(waited: f64, time: f64) -> Result<(), Gap> {
    let share = waited / time;
    if share > TIMED {
        let share = share * 100.0;
        return Err(Gap::Invalid(format!("others had the CPU for {share:.0} % of that time")));
    }
    Ok(())
}
