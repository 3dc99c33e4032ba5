//! A note for when the kernel's walk over user stacks does not reach their roots.
//!
//! The walk follows frame pointers. Debian's C library has none, and most waits are in it.

use lab_record::probe::{ProbeStacks, ProbeTarget};
use lab_record::shell;

/// The share of stacks without a root above which a note says so: their callers are missing from
/// the graph.
const ROOTLESS_WORTH_SAYING: f64 = 0.05;

/// The note: how much has no root, and the command that unwinds copied stacks instead, if there is
/// one.
pub(super) fn note(stacks: &ProbeStacks, target: &ProbeTarget) -> Option<String> {
    let ProbeStacks { kind, unit, rootless, .. } = stacks;
    if *rootless <= ROOTLESS_WORTH_SAYING {
        return None;
    }
    let share = format!(
        "{:.1} % of the {unit} in {kind}.folded have no root: the kernel walks by frame pointers, \
         which not all code has",
        rootless * 100.0
    );
    let verb = match kind.as_str() {
        "off-cpu" | "offwake" => "off-cpu",
        "profile" => "cpu",
        _ => return Some(share),
    };
    let whom = match target {
        ProbeTarget::Command(command) => {
            format!("-- {}", shell::words(command))
        }
        ProbeTarget::Pid(pid) => format!("--pid {pid}"),
        ProbeTarget::Comm(_) | ProbeTarget::Everyone => "--pid PID".to_owned(),
    };
    let program = std::env::current_exe().unwrap_or_else(|_| "lab-probe".into());
    let program = shell::word(&program.display().to_string());
    Some(format!(
        "{share}; this unwinds copied stacks, which needs none: {program} {verb} --out \
         {verb}.folded {whom}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stacks(kind: &str, rootless: f64) -> ProbeStacks {
        let (file, unit) = (format!("{kind}.folded"), "us".to_owned());
        ProbeStacks { kind: kind.to_owned(), file, unit, total: 1, rootless }
    }

    #[test]
    fn no_note_is_made_when_five_percent_of_stacks_lack_a_root() {
        assert_eq!(note(&stacks("off-cpu", 0.05), &ProbeTarget::Everyone), None);
        assert!(note(&stacks("off-cpu", 0.051), &ProbeTarget::Everyone).is_some());
    }

    #[test]
    fn the_command_can_be_typed_as_it_stands() {
        let command = ["sh", "-c", "echo 'a b'"].map(str::to_owned).to_vec();
        let said = note(&stacks("off-cpu", 1.0), &ProbeTarget::Command(command)).unwrap();
        assert!(said.starts_with("100.0 % of the us in off-cpu.folded have no root"), "{said}");
        let end = r"off-cpu --out off-cpu.folded -- sh -c 'echo '\''a b'\'''";
        assert!(said.ends_with(end), "{said}");
        let said = note(&stacks("profile", 0.5), &ProbeTarget::Pid(7)).unwrap();
        assert!(said.ends_with(" cpu --out cpu.folded --pid 7"), "{said}");
        let said = note(&stacks("page-faults", 0.5), &ProbeTarget::Pid(7)).unwrap();
        assert!(said.ends_with("which not all code has"), "{said}");
    }
}
