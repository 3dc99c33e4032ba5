//! The arguments for comparing benches.

use crate::exit::usage;

/// Arguments that do not apply to benches.
const NOT_FOR_BENCHES: [&str; 19] = [
    "lab",
    "variant",
    "variants",
    "set",
    "inject",
    "replay",
    "resume",
    "profiled",
    "skip_unchanged",
    "a",
    "b",
    "shell",
    "build",
    "prepare",
    "check",
    "warmup",
    "metric",
    "higher_is_better",
    "run",
];

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Benches")]
pub(crate) struct BenchArgs {
    /// Compare the criterion benches of two revisions of any cargo workspace: all, or those whose
    /// name matches this regular expression
    #[arg(long, value_name = "FILTER", num_args = 0..=1, default_missing_value = "")]
    #[arg(conflicts_with_all = NOT_FOR_BENCHES)]
    pub(in crate::compare) bench: Option<String>,
}

impl BenchArgs {
    /// Whether benches are compared.
    pub(in crate::compare) fn are_asked_for(&self) -> bool {
        self.bench.is_some()
    }

    /// Checks the arguments before anything is built, given the number of named revisions.
    pub(in crate::compare) fn check(&self, named: usize, aa: bool) -> anyhow::Result<()> {
        match &self.bench {
            Some(filter) if named == 0 && !aa => Err(usage(match filter.as_str() {
                "" => "--bench takes revisions: compare main HEAD --bench".to_owned(),
                _ => format!(
                    "--bench {filter} takes revisions before it: compare main HEAD --bench {filter}"
                ),
            })),
            _ => Ok(()),
        }
    }
}
