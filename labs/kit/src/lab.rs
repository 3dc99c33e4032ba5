//! A lab as a value: mostly data, so that its description is complete.

use lab_record::probe::PROBES;
use lab_record::{
    ChartSpec, ClaimSpec, Description, End, KnobSpec, ShownBy as ShownBySpec, Spans, VariantSpec,
};

use crate::chart::{Chart, ShownBy};
use crate::check::{Check, check_spec};
use crate::ctx::Ctx;
use crate::diagnosis::{self, Diagnosis};
use crate::knob::Knob;
use crate::lesson::Lesson;
use crate::settings::parsed;
use crate::story::Story;

/// An experiment: its question, its knobs, its variants, and its claims.
#[derive(Debug)]
pub struct Lab {
    /// Kebab-case; also the folder and the package.
    pub name: &'static str,
    /// What it asks, in a sentence.
    pub question: &'static str,
    /// The papers, articles and programs that its claims come from.
    pub sources: &'static [&'static Source],
    /// Its parameters.
    pub knobs: &'static [Knob],
    /// The ways to run it.
    pub variants: &'static [Variant],
    /// What is claimed, and how each claim is checked.
    pub claims: &'static [Claim],
    /// What a report draws.
    pub charts: &'static [Chart],
    /// What a newcomer learns first.
    pub story: Story,
    /// Its three or four lessons, in order.
    pub lessons: &'static [Lesson],
    /// Further verbs of the lab's program.
    pub verbs: &'static [Verb],
}

/// A paper, article or program.
#[derive(Debug)]
pub struct Source {
    /// `Dean & Barroso 2013`.
    pub short: &'static str,
    /// Title, venue and year.
    pub title: &'static str,
    /// DOI or address.
    pub link: &'static str,
}

/// One way to run a lab: made by [`Variant::new`] and turned by the methods that follow.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut Ctx) -> anyhow::Result<()>,
    pub(crate) responds: bool,
    pub(crate) expects: &'static [End],
    pub(crate) diagnosis: Option<&'static Diagnosis>,
    why: &'static str,
    live: Option<Spans>,
    simulated: Option<Spans>,
    profiled: bool,
    probes: &'static [&'static str],
    set: &'static [(&'static str, &'static str)],
}

impl Variant {
    /// A variant that does not run yet: say where with [`Variant::live`] or
    /// [`Variant::simulated`].
    pub const fn new(
        name: &'static str,
        why: &'static str,
        run: fn(&mut Ctx) -> anyhow::Result<()>,
    ) -> Self {
        let (live, simulated, responds, profiled) = (None, None, false, false);
        let (expects, probes, set): (&[_], &[_], &[_]) = (&[], &[], &[]);
        let diagnosis = None;
        Self {
            name,
            run,
            responds,
            expects,
            diagnosis,
            why,
            live,
            simulated,
            profiled,
            probes,
            set,
        }
    }

    /// Runs in real time, measured for `[quick, default, full]` milliseconds.
    #[must_use]
    pub const fn live(mut self, spans_ms: [u64; 3]) -> Self {
        self.live = Some(spans(spans_ms));
        self
    }

    /// Runs in simulated time, measured for `[quick, default, full]` milliseconds of it.
    #[must_use]
    pub const fn simulated(mut self, spans_ms: [u64; 3]) -> Self {
        self.simulated = Some(spans(spans_ms));
        self
    }

    /// A run takes a CPU profile of it, in a trial of its own.
    #[must_use]
    pub const fn profiled(mut self) -> Self {
        self.profiled = true;
        self
    }

    /// A run observes it with each of these eBPF probes, in trials of their own, where the machine
    /// allows it: the evidence for [`observed`](crate::observed) checks.
    #[must_use]
    pub const fn probed(mut self, probes: &'static [&'static str]) -> Self {
        self.probes = probes;
        self
    }

    /// Its requests are settled in a [`Ledger`](crate::Ledger), so that revisions of it can be
    /// compared.
    #[must_use]
    pub const fn responds(mut self) -> Self {
        self.responds = true;
        self
    }

    /// Requests with these ends belong to the experiment. A single request with another end, except
    /// completed, makes a trial invalid; dropped requests do so above one in a hundred.
    #[must_use]
    pub const fn expects(mut self, ends: &'static [End]) -> Self {
        self.expects = ends;
        self
    }

    /// It is a black box: a learner finds out what is wrong with it, and says so to
    /// `cargo xtask answer`. Its texts, metrics and charts must not give that away.
    #[must_use]
    pub const fn asks(mut self, diagnosis: &'static Diagnosis) -> Self {
        self.diagnosis = Some(diagnosis);
        self
    }

    pub(crate) fn simulates(&self) -> bool {
        self.simulated.is_some()
    }

    /// Turns knobs away from the lab's defaults, written as after `--set`.
    #[must_use]
    pub const fn with(mut self, set: &'static [(&'static str, &'static str)]) -> Self {
        self.set = set;
        self
    }
}

const fn spans([quick_ms, default_ms, full_ms]: [u64; 3]) -> Spans {
    Spans { quick_ms, default_ms, full_ms }
}

/// A published statement, and the ways in which it is checked.
#[derive(Debug)]
pub struct Claim {
    /// Such as `TAS-2`.
    pub id: &'static str,
    /// One sentence, in our own words.
    pub says: &'static str,
    /// Who says it.
    pub source: &'static Source,
    /// Each gives a row of the claims table.
    pub checks: &'static [Check],
    /// The charts that show it; may be empty.
    pub shown_by: &'static [ShownBy],
}

/// A further verb of a lab's program, such as `tail-latency leaf`.
#[derive(Debug, Clone, Copy)]
pub struct Verb {
    /// The verb as it is typed.
    pub name: &'static str,
    /// Adds its arguments and help.
    pub command: fn(clap::Command) -> clap::Command,
    /// Runs it.
    pub run: fn(&clap::ArgMatches) -> anyhow::Result<()>,
}

impl Lab {
    /// The lab as data.
    ///
    /// # Panics
    /// A variant or a counter-experiment sets a knob that the lab lacks, or outside its bounds; a
    /// counter-experiment changes nothing; a check reads trials that the lab does not run; a
    /// variant names a probe that does not exist or needs settings, or asks for a resource that is
    /// on no list; two charts share a title; a
    /// claim is shown by a chart or a variant that the lab lacks; a lesson names no check. These
    /// are mistakes in the lab, found by its first `describe`.
    pub fn describe(&self) -> Description {
        let knobs: Vec<KnobSpec> = self.knobs.iter().map(Knob::spec).collect();
        let charts: Vec<ChartSpec> = self.charts.iter().map(Chart::spec).collect();
        for (i, chart) in charts.iter().enumerate() {
            let title = chart.title();
            let known = charts[..i].iter().any(|other| other.title() == title);
            assert!(!known, "two charts are called `{title}`");
        }
        let variants: Vec<VariantSpec> =
            self.variants.iter().map(|variant| variant_spec(variant, &knobs)).collect();
        let claim = |claim: &Claim| ClaimSpec {
            id: claim.id.into(),
            says: claim.says.into(),
            source: claim.source.short.into(),
            checks: claim
                .checks
                .iter()
                .map(|check| check_spec(check, &knobs, &variants))
                .collect::<Result<_, _>>()
                .unwrap_or_else(|e| panic!("claim {}: {e}", claim.id)),
            shown_by: claim
                .shown_by
                .iter()
                .map(|shown| self.shown_by(&format!("claim {}", claim.id), shown))
                .collect(),
        };
        let source = |source: &&Source| lab_record::Source {
            short: source.short.into(),
            title: source.title.into(),
            link: source.link.into(),
        };
        let chart = self.story.chart.as_ref().map(|chart| self.shown_by("the story", chart));
        let story = self.story.spec(chart, &knobs, &variants);
        let claims: Vec<ClaimSpec> = self.claims.iter().map(claim).collect();
        let lesson =
            |lesson: &Lesson| lesson.spec(&claims, &variants).unwrap_or_else(|e| panic!("{e:#}"));
        Description {
            name: self.name.into(),
            question: self.question.into(),
            sources: self.sources.iter().map(source).collect(),
            lessons: self.lessons.iter().map(lesson).collect(),
            claims,
            story: Some(story.unwrap_or_else(|e| panic!("{e:#}"))),
            variants,
            charts,
            knobs,
        }
    }

    fn shown_by(&self, of: &str, shown: &ShownBy) -> ShownBySpec {
        let variant = |name: &str| {
            let variant = self.variants.iter().find(|variant| variant.name == name);
            variant.unwrap_or_else(|| panic!("{of}: no variant {name}"))
        };
        match *shown {
            ShownBy::Chart(chart, variants) => {
                let chart = chart.spec();
                let known = self.charts.iter().any(|own| own.spec() == chart);
                assert!(known, "{of}: the lab lacks `{}`", chart.title());
                let variants = variants.iter().map(|name| variant(name).name.into()).collect();
                ShownBySpec::Chart { title: chart.title().into(), variants }
            }
            ShownBy::Stacks(name, kind) => {
                variant(name);
                ShownBySpec::Stacks { variant: name.into(), kind: kind.into() }
            }
            ShownBy::FlameGraph(name) => {
                assert!(variant(name).profiled, "{of}: {name} is not profiled");
                ShownBySpec::FlameGraph { variant: name.into() }
            }
        }
    }
}

fn variant_spec(variant: &Variant, knobs: &[KnobSpec]) -> VariantSpec {
    let asked = variant.diagnosis.map_or(Ok(()), diagnosis::check);
    asked.unwrap_or_else(|e| panic!("variant {}: {e}", variant.name));
    VariantSpec {
        name: variant.name.into(),
        why: variant.why.into(),
        live: variant.live,
        simulated: variant.simulated,
        profiled: variant.profiled,
        responds: variant.responds,
        expects: variant.expects.to_vec(),
        asks: variant.diagnosis.is_some(),
        probes: variant.probes.iter().map(|name| probe_name(variant, name)).collect(),
        set: parsed(variant.set, knobs).unwrap_or_else(|e| panic!("variant {}: {e}", variant.name)),
    }
}

fn probe_name(variant: &Variant, name: &str) -> String {
    let spec = PROBES.iter().find(|spec| spec.name == name);
    let spec = spec.unwrap_or_else(|| panic!("variant {}: no probe {name}", variant.name));
    spec.check(&[]).unwrap_or_else(|e| panic!("variant {}: {e}", variant.name));
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{live, simulated};

    const TAIL: Chart = Chart::Percentiles { title: "Tail", series: "response" };
    const OTHER: Chart = Chart::Ecdf { title: "Other", series: "response" };
    const NOBODY: Source = Source { short: "Nobody", title: "", link: "" };

    /// A lab of one chart and one profiled variant, whose claim is shown by `shown_by`.
    fn lab(shown_by: &'static [ShownBy]) -> Lab {
        Lab {
            name: "seen",
            question: "",
            sources: &[&NOBODY],
            knobs: &[],
            variants: const {
                &[
                    Variant::new("one", "", |_| Ok(())).live([1, 1, 1]).profiled(),
                    Variant::new("two", "", |_| Ok(())).live([1, 1, 1]),
                ]
            },
            claims: Vec::leak(vec![Claim {
                id: "S-1",
                says: "",
                source: &NOBODY,
                checks: &[],
                shown_by,
            }]),
            charts: &[TAIL],
            story: crate::story::NONE,
            lessons: &[],
            verbs: &[],
        }
    }

    #[test]
    fn a_claim_names_its_charts_and_variants_as_data() {
        const SHOWN: &[ShownBy] = &[ShownBy::Chart(&TAIL, &["two"]), ShownBy::FlameGraph("one")];
        let json = serde_json::to_value(&lab(SHOWN).describe().claims[0].shown_by).unwrap();
        let expected = serde_json::json!([
            { "type": "chart", "title": "Tail", "variants": ["two"] },
            { "type": "flame-graph", "variant": "one" },
        ]);
        assert_eq!(json, expected);
    }

    #[test]
    #[should_panic(expected = "claim S-1: the lab lacks `Other`")]
    fn a_chart_that_the_lab_does_not_draw_shows_nothing() {
        lab(&[ShownBy::Chart(&OTHER, &["one"])]).describe();
    }

    #[test]
    #[should_panic(expected = "claim S-1: no variant three")]
    fn a_variant_that_the_lab_lacks_has_no_line() {
        lab(&[ShownBy::Chart(&TAIL, &["three"])]).describe();
    }

    #[test]
    #[should_panic(expected = "claim S-1: two is not profiled")]
    fn a_variant_that_is_not_profiled_has_no_flame_graph() {
        lab(&[ShownBy::FlameGraph("two")]).describe();
    }

    /// A lab with a knob, and a claim whose one check has this counter-experiment.
    fn checked(check: Check) -> Lab {
        let claim = Claim {
            id: "S-1",
            says: "",
            source: &NOBODY,
            checks: Vec::leak(vec![check]),
            shown_by: &[],
        };
        Lab {
            knobs: const { &[Knob::int("level", 7, "", [0, 9], "")] },
            claims: Vec::leak(vec![claim]),
            ..lab(&[])
        }
    }

    fn level_without(set: &'static [(&'static str, &'static str)]) -> Lab {
        checked(live(&["one"], |e| e.metric("one", "level")?.near(7.0, 0.0)).without(set))
    }

    #[test]
    fn a_check_describes_what_it_reads_and_what_takes_its_cause_away() {
        let described = level_without(&[("level", "6")]).describe().claims.remove(0).checks;
        let expected = serde_json::json!([
            { "how": "live", "reads": [{ "variant": "one" }], "calibrates": false,
              "without": { "level": 6 } },
        ]);
        assert_eq!(serde_json::to_value(described).unwrap(), expected);
    }

    #[test]
    #[should_panic(expected = "claim S-1: no knob `depth`")]
    fn a_counter_experiment_with_a_knob_that_the_lab_lacks_is_refused() {
        level_without(&[("depth", "6")]).describe();
    }

    #[test]
    #[should_panic(expected = "claim S-1: knob `level` takes a whole number from 0 to 9, not `10`")]
    fn a_counter_experiment_out_of_bounds_is_refused() {
        level_without(&[("level", "10")]).describe();
    }

    #[test]
    #[should_panic(expected = "claim S-1: a counter-experiment changes nothing")]
    fn a_counter_experiment_that_changes_nothing_is_refused() {
        level_without(&[("level", "7")]).describe();
    }

    #[test]
    #[should_panic(expected = "claim S-1: one has no trials for a check: simulated")]
    fn a_check_of_trials_that_the_lab_does_not_run_is_refused() {
        checked(simulated(&["one"], |_| unreachable!()).without(&[("level", "6")])).describe();
    }

    #[test]
    #[should_panic(expected = "two charts are called `Tail`")]
    fn two_charts_of_one_title_are_refused() {
        Lab { charts: &[TAIL, TAIL], ..lab(&[]) }.describe();
    }
}
