//! What stands out, a sentence each, with the command that looks closer.

use lab_proc::{Message, Stat, page_bytes};
use lab_record::{Figure, Resource, StandsOut};

use crate::processes::{Closer, Ran};
use crate::reading::Told;

/// What was seen besides resources.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Processes that ran, the busiest first.
    pub(crate) ran: Vec<Ran>,
    /// Processes in memory, the largest first.
    pub(crate) largest: Vec<(u32, Stat)>,
    /// How many CPUs ran tasks that are in no process's account.
    pub(crate) missed: Option<f64>,
    /// The process that was asked for.
    pub(crate) focus: Option<Told<Closer>>,
    /// The kernel's messages meanwhile.
    pub(crate) said: Vec<Message>,
}

/// This share of a CPU is worth a sentence.
const MUCH: f64 = 0.25;
/// The kernel's level of error messages.
const ERROR: u8 = 3;

impl Seen {
    /// What stands out, the worst first: errors, work that waits, busy resources, and the process
    /// that was asked for.
    pub(crate) fn find(&self, resources: &[Resource]) -> Vec<StandsOut> {
        let mut found = Vec::new();
        let errors = resources.iter().filter(|resource| resource.errors.iter().any(Figure::lit));
        found.extend(errors.map(errors_of));
        found.extend(self.said_in_error());
        let waits = resources.iter().filter(|resource| resource.saturation.iter().any(Figure::lit));
        let waits: Vec<&Resource> = waits.collect();
        found.extend(waits.iter().map(|resource| self.say(resource)));
        let is_busy = |resource: &&Resource| resource.utilisation.iter().any(Figure::lit);
        let busy = resources.iter().filter(is_busy).filter(|resource| !waits.contains(resource));
        found.extend(busy.map(|resource| self.say(resource)));
        found.extend(self.unseen());
        found.extend(self.focus.as_ref().map(process));
        found
    }

    fn said_in_error(&self) -> Option<StandsOut> {
        let said = self.said.iter().rfind(|message| message.level <= ERROR)?;
        Some(stands_out(format!("The kernel says: {}", said.text), "dmesg --level=err+"))
    }

    /// A resource that work waited for, or that is in use all the time.
    fn say(&self, resource: &Resource) -> StandsOut {
        let busy = resource.utilisation.iter().filter(|figure| figure.lit());
        let waited = resource.saturation.iter().filter(|figure| figure.lit());
        let lit: Vec<&str> = waited.clone().map(|figure| figure.what.as_str()).collect();
        let facts: Vec<String> = waited.chain(busy).map(words).collect();
        let facts = facts.join(", ");
        let (who, closer) = match resource.name.as_str() {
            "CPU" => self.cpu(&lit),
            "memory" => self.memory(),
            "disk" => (String::new(), "cargo xtask probe biolatency --duration 10s".to_owned()),
            _ if lit.contains(&"resent") => {
                (String::new(), "cargo xtask probe tcpretrans --duration 10s".into())
            }
            _ => (String::new(), "cargo xtask probe tcplife --duration 10s".to_owned()),
        };
        stands_out(format!("{}: {facts}{who}", capital(&resource.name)), &closer)
    }

    fn cpu(&self, lit: &[&str]) -> (String, String) {
        let top = self.ran.first();
        let who = top.map(|ran| {
            format!("; most by {} ({}), {:.0} % of a CPU", ran.name, ran.pid, ran.cpu())
        });
        let closer = match (lit, top) {
            (["stolen"], _) => "cargo xtask doctor".to_owned(),
            ([], Some(ran)) => format!("cargo xtask record --pid {} --duration 10s", ran.pid),
            _ => "cargo xtask probe runqlat --duration 10s".into(),
        };
        (who.unwrap_or_default(), closer)
    }

    /// The process that waited most for pages from a disk, or else the largest one.
    fn memory(&self) -> (String, String) {
        let faulted = self.ran.iter().max_by_key(|ran| ran.major_faults);
        let faulted = faulted.filter(|ran| ran.major_faults > 0).map(|ran| {
            (format!("; {} major faults of {} ({})", ran.major_faults, ran.name, ran.pid), ran.pid)
        });
        let largest = self.largest.first().map(|(pid, stat)| {
            let mib = (stat.resident_pages * page_bytes()) >> 20;
            (format!("; the largest is {} ({pid}), {mib} MiB", stat.name), *pid)
        });
        let Some((who, pid)) = faulted.or(largest) else {
            return (String::new(), "cargo xtask probe pagefaults --duration 10s".into());
        };
        (who, format!("cargo xtask record --profile faults --pid {pid} --duration 10s"))
    }

    fn unseen(&self) -> Option<StandsOut> {
        let missed = self.missed.filter(|cpus| *cpus > MUCH && !self.ran.is_empty())?;
        let says = format!(
            "Processes that came and went, or that are not of this container, took {:.0} % of a \
             CPU",
            100.0 * missed
        );
        Some(stands_out(says, "cargo xtask probe execsnoop --duration 10s"))
    }
}

fn errors_of(resource: &Resource) -> StandsOut {
    let lit: Vec<String> =
        resource.errors.iter().filter(|figure| figure.lit()).map(words).collect();
    let closer = match resource.name.as_str() {
        "disk" => "cargo xtask probe biosnoop --duration 10s",
        "network" => "cargo xtask probe tcpretrans --duration 10s",
        _ => "dmesg --level=err+",
    };
    stands_out(format!("{} errors: {}", capital(&resource.name), lit.join(", ")), closer)
}

/// What the process did, and the profile that shows it.
fn process(focus: &Told<Closer>) -> StandsOut {
    let closer = match focus {
        Ok(closer) => closer,
        Err(reason) => return stands_out(format!("The process: {reason}"), "cargo xtask look"),
    };
    let ran = closer.user + closer.system;
    let waited = closer.waited.as_ref().map(|waited| format!(", and waited for one {waited:.0} %"));
    let ended =
        closer.ended.map(|after| format!("; it ended within {:.0} s", after.as_secs_f64().ceil()));
    let says = format!(
        "{} ({}) ran {ran:.0} % of a CPU{}{}",
        closer.name,
        closer.pid,
        waited.unwrap_or_default(),
        ended.unwrap_or_default()
    );
    let profile = if ran >= 100.0 * MUCH { "" } else { "--profile off-cpu " };
    let looks = match closer.ended {
        Some(_) => format!("cargo xtask record {profile}-- {}", closer.name),
        None => format!("cargo xtask record {profile}--pid {} --duration 10s", closer.pid),
    };
    stands_out(says, &looks)
}

fn stands_out(says: String, closer: &str) -> StandsOut {
    StandsOut { says, closer: closer.to_owned() }
}

/// `vda busy 97 %`
fn words(figure: &Figure) -> String {
    let value = figure.value.unwrap_or_default();
    let digits = usize::from(value < 10.0 && value.fract() != 0.0);
    let of = if figure.of.is_empty() { String::new() } else { format!("{} ", figure.of) };
    let unit = match figure.unit.as_str() {
        "" | "/s" => figure.unit.clone(),
        unit => format!(" {unit}"),
    };
    format!("{of}{} {value:.digits$}{unit}", figure.what)
}

fn capital(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_uppercase() + rest
}
