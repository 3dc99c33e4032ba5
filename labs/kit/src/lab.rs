//! The lab as a value: mostly data, so that describing it forgets nothing.

use lab_record::probe::PROBES;
use lab_record::{
    ClaimSpec, Description, End, How, Kind, KnobSpec, KnobValue, Picture as PictureSpec,
    ShownBy as ShownBySpec, Spans, VariantSpec, parse_duration,
};

use crate::ctx::Ctx;
use crate::evidence::{Evidence, Judged};

/// An experiment: what it asks, what can be turned, how it runs, and what should come out.
#[derive(Debug)]
pub struct Lab {
    /// Kebab-case; also the folder and the package.
    pub name: &'static str,
    /// What it asks, in a sentence.
    pub question: &'static str,
    /// Who said it first.
    pub sources: &'static [&'static Source],
    /// What can be turned.
    pub knobs: &'static [Knob],
    /// The ways to run it.
    pub variants: &'static [Variant],
    /// What is claimed, and how each claim is checked.
    pub claims: &'static [Claim],
    /// What a report draws.
    pub pictures: &'static [Picture],
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

/// A typed parameter: made by [`Knob::int`] and its siblings.
#[derive(Debug, Clone, Copy)]
pub struct Knob {
    name: &'static str,
    help: &'static str,
    kind: KnobKind,
}

#[derive(Debug, Clone, Copy)]
enum KnobKind {
    Int { default: u64, min: u64, max: u64, unit: &'static str },
    Float { default: f64, min: f64, max: f64, unit: &'static str },
    Duration { default: &'static str, min: &'static str, max: &'static str },
    Choice { options: &'static [&'static str] },
    Text { default: &'static str },
}

impl Knob {
    /// A whole number; bounds are inclusive.
    pub const fn int(
        name: &'static str,
        default: u64,
        unit: &'static str,
        bounds: [u64; 2],
        help: &'static str,
    ) -> Self {
        let [min, max] = bounds;
        Self { name, help, kind: KnobKind::Int { default, min, max, unit } }
    }

    /// A number; bounds are inclusive.
    pub const fn float(
        name: &'static str,
        default: f64,
        unit: &'static str,
        bounds: [f64; 2],
        help: &'static str,
    ) -> Self {
        let [min, max] = bounds;
        Self { name, help, kind: KnobKind::Float { default, min, max, unit } }
    }

    /// A length of time, written as people do: `1.4s`, `250us`; bounds are inclusive.
    pub const fn duration(
        name: &'static str,
        default: &'static str,
        bounds: [&'static str; 2],
        help: &'static str,
    ) -> Self {
        let [min, max] = bounds;
        Self { name, help, kind: KnobKind::Duration { default, min, max } }
    }

    /// One of a few words, the first by default.
    pub const fn choice(
        name: &'static str,
        options: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, help, kind: KnobKind::Choice { options } }
    }

    /// Free text.
    pub const fn text(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self { name, help, kind: KnobKind::Text { default } }
    }

    fn spec(&self) -> KnobSpec {
        let (default, unit, kind) = match self.kind {
            KnobKind::Int { default, min, max, unit } => {
                (KnobValue::Int(default), unit, Kind::Int { min, max })
            }
            KnobKind::Float { default, min, max, unit } => {
                (KnobValue::Float(default), unit, Kind::Float { min, max })
            }
            KnobKind::Duration { default, min, max } => {
                let kind = Kind::Duration { min: min.into(), max: max.into() };
                (KnobValue::Text(default.into()), "", kind)
            }
            KnobKind::Choice { options } => {
                let kind = Kind::Choice { options: owned(options) };
                (KnobValue::Text(options[0].into()), "", kind)
            }
            KnobKind::Text { default } => (KnobValue::Text(default.into()), "", Kind::Text),
        };
        KnobSpec {
            name: self.name.into(),
            help: self.help.into(),
            unit: unit.into(),
            default,
            kind,
        }
    }
}

/// One way to run a lab: made by [`Variant::new`] and turned by the methods that follow.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut Ctx) -> anyhow::Result<()>,
    pub(crate) responds: bool,
    pub(crate) expects: &'static [End],
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
        Self { name, run, responds, expects, why, live, simulated, profiled, probes, set }
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

    /// A run has it observed by each of these eBPF probes, in trials of their own, where the machine
    /// lets them: the evidence of [`observed`] checks.
    #[must_use]
    pub const fn probed(mut self, probes: &'static [&'static str]) -> Self {
        self.probes = probes;
        self
    }

    /// Settles its requests in a [`Ledger`](crate::Ledger): revisions of it can be compared.
    #[must_use]
    pub const fn responds(mut self) -> Self {
        self.responds = true;
        self
    }

    /// Requests that end so belong to the experiment. Any other end but completed, of one request,
    /// makes a trial invalid; of dropped requests, more than one in a hundred.
    #[must_use]
    pub const fn expects(mut self, ends: &'static [End]) -> Self {
        self.expects = ends;
        self
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
    /// Where it can be seen; empty where no picture shows it.
    pub shown_by: &'static [ShownBy],
}

/// A picture that shows a claim.
#[derive(Debug, Clone, Copy)]
pub enum ShownBy {
    /// One of the lab's pictures, and the variants to look at in it.
    Picture(&'static Picture, &'static [&'static str]),
    /// The CPU flame graph of a profiled variant.
    FlameGraph(&'static str),
}

/// One way to check a claim; see [`closed_form`], [`simulated`], [`live`] and [`observed`].
#[derive(Debug, Clone, Copy)]
pub struct Check {
    pub(crate) how: How,
    pub(crate) judge: fn(&Evidence) -> Judged,
}

/// Checks a formula: needs no trial.
pub const fn closed_form(judge: fn(&Evidence) -> Judged) -> Check {
    Check { how: How::ClosedForm, judge }
}

/// Checks against the simulated trials alone.
pub const fn simulated(judge: fn(&Evidence) -> Judged) -> Check {
    Check { how: How::Virtual, judge }
}

/// Checks against the valid live trials alone.
pub const fn live(judge: fn(&Evidence) -> Judged) -> Check {
    Check { how: How::Live, judge }
}

/// Checks against what eBPF probes saw of trials; see [`Evidence::observation`].
pub const fn observed(judge: fn(&Evidence) -> Judged) -> Check {
    Check { how: How::Probe, judge }
}

/// A picture that a report draws; see [`lab_record::Picture`].
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "as in lab_record::Picture")]
pub enum Picture {
    Percentiles { title: &'static str, series: &'static str },
    Ecdf { title: &'static str, series: &'static str },
    HeatMap { title: &'static str, series: &'static str, variant: &'static str },
    Lines { title: &'static str, curves: &'static [&'static str] },
    Gauge { title: &'static str, gauge: &'static str },
}

impl Picture {
    fn spec(&self) -> PictureSpec {
        match *self {
            Self::Percentiles { title, series } => {
                PictureSpec::Percentiles { title: title.into(), series: series.into() }
            }
            Self::Ecdf { title, series } => {
                PictureSpec::Ecdf { title: title.into(), series: series.into() }
            }
            Self::HeatMap { title, series, variant } => PictureSpec::HeatMap {
                title: title.into(),
                series: series.into(),
                variant: variant.into(),
            },
            Self::Lines { title, curves } => {
                PictureSpec::Lines { title: title.into(), curves: owned(curves) }
            }
            Self::Gauge { title, gauge } => {
                PictureSpec::Gauge { title: title.into(), gauge: gauge.into() }
            }
        }
    }
}

/// A further verb of a lab's program, such as `tail-latency leaf`.
#[derive(Debug, Clone, Copy)]
pub struct Verb {
    /// What is typed.
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
    /// A variant sets a knob that the lab lacks, or outside its bounds, or names a probe that is none
    /// or needs settings; two pictures share a title; a claim is shown by a picture or a variant that the lab lacks: a broken belief of the lab's
    /// author, found by its first `describe`.
    pub fn describe(&self) -> Description {
        let knobs: Vec<KnobSpec> = self.knobs.iter().map(Knob::spec).collect();
        let pictures: Vec<PictureSpec> = self.pictures.iter().map(Picture::spec).collect();
        for (i, picture) in pictures.iter().enumerate() {
            let title = picture.title();
            let known = pictures[..i].iter().any(|other| other.title() == title);
            assert!(!known, "two pictures are called `{title}`");
        }
        let claim = |claim: &Claim| ClaimSpec {
            id: claim.id.into(),
            says: claim.says.into(),
            source: claim.source.short.into(),
            shown_by: claim.shown_by.iter().map(|shown| self.shown_by(claim, shown)).collect(),
        };
        let source = |source: &&Source| lab_record::Source {
            short: source.short.into(),
            title: source.title.into(),
            link: source.link.into(),
        };
        Description {
            name: self.name.into(),
            question: self.question.into(),
            sources: self.sources.iter().map(source).collect(),
            variants: self.variants.iter().map(|variant| variant_spec(variant, &knobs)).collect(),
            claims: self.claims.iter().map(claim).collect(),
            pictures,
            knobs,
        }
    }

    fn shown_by(&self, claim: &Claim, shown: &ShownBy) -> ShownBySpec {
        let variant = |name: &str| {
            let variant = self.variants.iter().find(|variant| variant.name == name);
            variant.unwrap_or_else(|| panic!("claim {}: no variant {name}", claim.id))
        };
        match *shown {
            ShownBy::Picture(picture, variants) => {
                let picture = picture.spec();
                let known = self.pictures.iter().any(|own| own.spec() == picture);
                assert!(known, "claim {}: the lab lacks `{}`", claim.id, picture.title());
                let variants = variants.iter().map(|name| variant(name).name.into()).collect();
                ShownBySpec::Picture { title: picture.title().into(), variants }
            }
            ShownBy::FlameGraph(name) => {
                assert!(variant(name).profiled, "claim {}: {name} is not profiled", claim.id);
                ShownBySpec::FlameGraph { variant: name.into() }
            }
        }
    }
}

fn variant_spec(variant: &Variant, knobs: &[KnobSpec]) -> VariantSpec {
    let value = |(name, text): &(&str, &str)| {
        let knob = knobs.iter().find(|knob| knob.name == *name);
        let knob = knob.unwrap_or_else(|| panic!("variant {}: no knob {name}", variant.name));
        let value = knob.parse(text);
        (knob.name.clone(), value.unwrap_or_else(|e| panic!("variant {}: {e}", variant.name)))
    };
    VariantSpec {
        name: variant.name.into(),
        why: variant.why.into(),
        live: variant.live,
        simulated: variant.simulated,
        profiled: variant.profiled,
        responds: variant.responds,
        expects: variant.expects.to_vec(),
        probes: variant.probes.iter().map(|name| probe_name(variant, name)).collect(),
        set: variant.set.iter().map(value).collect(),
    }
}

fn probe_name(variant: &Variant, name: &str) -> String {
    let spec = PROBES.iter().find(|spec| spec.name == name);
    let spec = spec.unwrap_or_else(|| panic!("variant {}: no probe {name}", variant.name));
    spec.check(&[]).unwrap_or_else(|e| panic!("variant {}: {e}", variant.name));
    name.to_owned()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Reads a duration knob's value, which was checked when the trial was loaded.
pub(crate) fn duration_of(value: &KnobValue) -> Option<std::time::Duration> {
    match value {
        KnobValue::Text(text) => parse_duration(text).ok(),
        KnobValue::Int(_) | KnobValue::Float(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: Picture = Picture::Percentiles { title: "Tail", series: "response" };
    const OTHER: Picture = Picture::Ecdf { title: "Other", series: "response" };
    const NOBODY: Source = Source { short: "Nobody", title: "", link: "" };

    /// A lab of one picture and one profiled variant, whose claim is shown by `shown_by`.
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
            pictures: &[TAIL],
            verbs: &[],
        }
    }

    #[test]
    fn a_claim_names_its_pictures_and_variants_as_data() {
        const SHOWN: &[ShownBy] = &[ShownBy::Picture(&TAIL, &["two"]), ShownBy::FlameGraph("one")];
        let json = serde_json::to_value(&lab(SHOWN).describe().claims[0].shown_by).unwrap();
        let expected = serde_json::json!([
            { "type": "picture", "title": "Tail", "variants": ["two"] },
            { "type": "flame-graph", "variant": "one" },
        ]);
        assert_eq!(json, expected);
    }

    #[test]
    #[should_panic(expected = "claim S-1: the lab lacks `Other`")]
    fn a_picture_that_the_lab_does_not_draw_shows_nothing() {
        lab(&[ShownBy::Picture(&OTHER, &["one"])]).describe();
    }

    #[test]
    #[should_panic(expected = "claim S-1: no variant three")]
    fn a_variant_that_the_lab_lacks_has_no_line() {
        lab(&[ShownBy::Picture(&TAIL, &["three"])]).describe();
    }

    #[test]
    #[should_panic(expected = "claim S-1: two is not profiled")]
    fn a_variant_that_is_not_profiled_has_no_flame_graph() {
        lab(&[ShownBy::FlameGraph("two")]).describe();
    }

    #[test]
    #[should_panic(expected = "two pictures are called `Tail`")]
    fn titles_tell_pictures_apart() {
        Lab { pictures: &[TAIL, TAIL], ..lab(&[]) }.describe();
    }
}
