//! The basis of a run's figures: accounting and generator of each trial, the machine, the files.

use std::fs;
use std::path::Path;

use lab_record::{
    Accounting, End, Environment, KnobValue, Mode, Plan, Reading, SeriesSummary, State, Summary,
};
use maud::{Markup, html};

use crate::data::Data;
use crate::load::Loaded;
use crate::page::file_link;
use crate::spoken::{figure, spoken};
use lab_text::quantity::{nanoseconds, number, quantity};

/// Files that one trial may list before the rest is only counted.
const FILES_LISTED: usize = 40;

/// Whether a run has any figure to table.
pub(crate) fn has_figures(summary: &Summary) -> bool {
    !summary.series.is_empty() || !summary.metrics.is_empty()
}

/// Percentiles of every series, as `summary.json` has them.
pub(crate) fn series(summary: &Summary) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label="Percentiles" { table.figures {
            thead { tr {
                th scope="col" { "variant" } th scope="col" { "series" }
                @for head in ["count", "min", "mean", "p50", "p90", "p99", "p99.9", "max", "over range"] {
                    th.number scope="col" { (head) }
                }
            } }
            tbody {
                @for (label, all) in &summary.series {
                    @for (name, series) in all { (series_row(label, name, series)) }
                }
            }
        } }
    }
}

fn series_row(label: &str, name: &str, series: &SeriesSummary) -> Markup {
    let ns = |value: Option<u64>| value.map(|ns| ns as f64);
    html! {
        tr.series data-label=(label) data-series=(name) {
            th scope="row" { (spoken(label)) }
            td { (name) }
            td.number { (figure("count", Some(series.count as f64), "count")) }
            @for (class, ns, bound) in [
                ("min_ns", ns(series.min_ns), series.min_bound),
                ("mean_ns", series.mean_ns, series.mean_bound),
                ("p50_ns", ns(series.p50_ns), series.p50_bound),
                ("p90_ns", ns(series.p90_ns), series.p90_bound),
                ("p99_ns", ns(series.p99_ns), series.p99_bound),
                ("p99_9_ns", ns(series.p99_9_ns), series.p99_9_bound),
                ("max_ns", ns(series.max_ns), series.max_bound),
            ] { td.number { @if bound { "≥ " } (figure(class, ns, "ns")) } }
            td.number { (figure("over_range", Some(series.over_range as f64), "count")) }
        }
    }
}

/// Named numbers, by label.
pub(crate) fn metrics(run: &Loaded, summary: &Summary) -> Markup {
    let unit = |label: &str, name: &str| {
        let mut of_label = run.timed().filter(|trial| trial.trial.label == label);
        let unit =
            of_label.find_map(|trial| Some(&trial.metrics.as_ref()?.metrics.get(name)?.unit));
        unit.map_or("", String::as_str)
    };
    html! {
        div.wide tabindex="0" role="region" aria-label="Metrics" { table.figures {
            thead { tr { th scope="col" { "variant" } th scope="col" { "metric" } th.number scope="col" { "value" } } }
            tbody {
                @for (label, all) in &summary.metrics {
                    @for (name, value) in all {
                        tr.metric data-label=(label) data-metric=(name) {
                            th scope="row" { (spoken(label)) }
                            td { (name) }
                            td.number { (figure("value", Some(*value), unit(label, name))) }
                        }
                    }
                }
            }
        } }
    }
}

/// Each trial: how it ended, how its requests ended, how late its generator was.
pub(crate) fn trials(run: &Loaded, data: &Data, summary: &Summary) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label="Trials" { table.figures {
            thead { tr {
                th scope="col" { "trial" } th scope="col" { "ended" } th scope="col" { "seed" }
                th.number scope="col" { "offered" }
                @for end in End::ALL { th.number scope="col" { (end.words()) } }
                th.number scope="col" { "attempts" }
                th.number scope="col" { "generator late, p99" } th.number scope="col" { "of response p50" }
            } }
            tbody {
                @for trial in &summary.trials {
                    @let (late, share) = lateness(run, data, &trial.id);
                    tr.trial data-id=(trial.id) {
                        th scope="row" { (trial.id) @if trial.profiled { " (profiled)" } }
                        td { (state(trial.state)) }
                        td { (trial.seed) }
                        @for count in counts(&trial.accounting) {
                            td.number { (figure("count", Some(count as f64), "count")) }
                        }
                        td.number { (late) } td.number { (share) }
                    }
                }
            }
        } }
    }
}

/// What was offered, how it ended, and how often it was sent.
fn counts(accounting: &Accounting) -> impl Iterator<Item = u64> {
    let ends = End::ALL.map(|end| accounting.of(end));
    [accounting.offered].into_iter().chain(ends).chain([accounting.attempts])
}

/// How late the generator was, and as a share of what it measured; dashes where it is unknown, or
/// in simulated time, where it cannot be late.
fn lateness(run: &Loaded, data: &Data, id: &str) -> (String, String) {
    let live = run.timed().any(|trial| trial.trial.id == id && trial.trial.mode == Mode::Live);
    let (late, response) = data.generators.get(id).copied().filter(|_| live).unwrap_or_default();
    let dash = || "–".to_owned();
    let Some(late) = late else { return (dash(), dash()) };
    let share = response.filter(|ns| *ns > 0).map(|ns| 100.0 * late as f64 / ns as f64);
    (nanoseconds(late as f64), share.map_or_else(dash, |share| format!("{} %", number(share))))
}

/// How a trial ended, in words.
pub(crate) fn state(state: State) -> &'static str {
    match state {
        State::Finished => "finished",
        State::Killed => "killed",
        State::Crashed => "crashed",
        State::TimedOut => "timed out",
        State::NotRun => "not run",
    }
}

/// The machine. What it does not report is shown as unknown.
pub(crate) fn environment(environment: &Environment) -> Markup {
    let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".into());
    let revision = known(&environment.git_revision);
    let dirty = if environment.git_dirty == Some(true) { ", with local changes" } else { "" };
    let memory = environment.memory_bytes.map(|bytes| bytes as f64 / f64::from(1u32 << 30));
    let rows = [
        ("CPU", known(&environment.cpu_model)),
        ("logical CPUs", environment.cpus.to_string()),
        ("architecture", environment.architecture.clone()),
        ("memory", memory.map_or("unknown".into(), |gib| format!("{} GiB", number(gib)))),
        ("virtualisation", known(&environment.virtualization)),
        ("kernel", known(&environment.kernel)),
        ("timer", environment.kernel_hz.map_or("unknown".into(), |hz| format!("{hz} Hz"))),
        ("governor", known(&environment.governor)),
        ("huge pages", known(&environment.thp)),
        ("clock source", known(&environment.clock_source)),
        ("microcode", known(&environment.microcode)),
        ("compiler", known(&environment.rustc)),
        ("flags", environment.rustflags.clone()),
        ("profile", environment.profile.clone()),
        ("revision", format!("{revision}{dirty}")),
        ("harness", environment.harness.clone()),
        ("stolen CPU time", share(environment.steal_ratio())),
        ("stood out", stood_out(environment)),
        ("before", reading(Some(&environment.before))),
        ("after", reading(environment.after.as_ref())),
    ];
    html! { dl { @for (name, value) in rows { div { dt { (name) } dd { (value) } } } } }
}

fn share(ratio: Option<f64>) -> String {
    ratio.map_or("unknown".into(), |ratio| format!("{} %", number(100.0 * ratio)))
}

/// What a look at the machine over the whole run found: the load of the lab itself is in it.
fn stood_out(environment: &Environment) -> String {
    let Some(look) = &environment.look else { return "unknown".into() };
    let says: Vec<&str> = look.stands_out.iter().map(|found| found.says.as_str()).collect();
    if says.is_empty() { "nothing".into() } else { says.join("; ") }
}

fn reading(reading: Option<&Reading>) -> String {
    let Some(reading) = reading else { return "not read: the run did not end".into() };
    let say = |value: Option<f64>| value.map_or("unknown".into(), number);
    format!(
        "load {}; some task waited for CPU {} %, memory {} %, IO {} % of 10 s",
        say(reading.load_1m),
        say(reading.pressure.cpu_some_avg10),
        say(reading.pressure.memory_some_avg10),
        say(reading.pressure.io_some_avg10),
    )
}

/// The command that makes the run again, the seed, and what each variant turned.
pub(crate) fn command(plan: &Plan) -> Markup {
    html! {
        pre.command { code { (repeat(plan)) } }
        p { "Seed " code { (plan.seed) } ", started " time { (plan.created) } ". One trial alone: "
            code { (plan.description.name) " run trials/…" } ", into a copy of its directory." }
        details { summary { "Knobs of each trial that differ from the lab's defaults" }
            ul { @for trial in &plan.trials {
                @let turned = turned(plan, trial);
                @if !turned.is_empty() { li { b { (trial.id) } ": " (turned.join(", ")) } }
            } }
        }
    }
}

/// The command line, quoted for a shell.
pub(crate) fn repeat(plan: &Plan) -> String {
    let arguments = plan.command.iter().skip(1).map(|argument| quoted(argument));
    ["cargo".to_owned(), "xtask".to_owned()]
        .into_iter()
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:@+".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

fn turned(plan: &Plan, trial: &lab_record::Trial) -> Vec<String> {
    let knobs = plan.description.knobs.iter();
    let differing = knobs.filter_map(|spec| {
        let value = trial.knobs.get(&spec.name).filter(|value| **value != spec.default)?;
        Some(match value {
            KnobValue::Int(value) => {
                format!("{} = {}", spec.name, quantity(*value as f64, &spec.unit))
            }
            KnobValue::Float(value) => format!("{} = {}", spec.name, quantity(*value, &spec.unit)),
            KnobValue::Text(value) => format!("{} = {value}", spec.name),
        })
    });
    differing.collect()
}

/// Links to every file of the run.
pub(crate) fn files(run: &Loaded) -> Markup {
    html! {
        ul { @for name in names(&run.dir).iter().filter(|name| ![crate::PAGE, crate::TEXT].contains(&name.as_str())) { li { (file_link(name)) } }
            li { (file_link(crate::TEXT)) } }
        @let charts = names(&run.dir.join("flame"));
        @if !charts.is_empty() {
            h3 { "Flame graphs" }
            ul { @for name in &charts { li { (file_link(&format!("flame/{name}"))) } } }
        }
        @for trial in &run.trials {
            @let names = names(&trial.dir);
            details {
                summary { (trial.trial.id) ": " (names.len()) " files" }
                ul { @for name in names.iter().take(FILES_LISTED) {
                    li { (file_link(&format!("trials/{}/{name}", trial.trial.id))) }
                } }
                @if names.len() > FILES_LISTED { p { "and " (names.len() - FILES_LISTED) " more" } }
            }
        }
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.path().is_file());
    let mut names: Vec<String> =
        files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_for_a_shell() {
        assert_eq!(quoted("--set=rate=500"), "--set=rate=500");
        assert_eq!(quoted("it's; rm -rf /"), r"'it'\''s; rm -rf /'");
        assert_eq!(quoted(""), "''");
    }
}
