//! From two descriptions and the arguments to scenarios, without starting a process.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lab_record::{Backend, Description, Mode, ProfileKind, Trial, VariantSpec};
use lab_verdict::comparable;
use lab_verdict::method::Method;
use lab_verdict::signed_rank::fewest_pairs;

use super::args::Args;
use super::limits::{self, Named};
use super::pilot::{SPAN, Spans};
use super::plan::Planned;
use super::sides::{Built, Lab, Sides};
use crate::exit::usage;
use crate::nearest;
use crate::plan::{Depth, Request, plan};

/// Warnings about variants that only one side has, of those compared by default.
///
/// # Errors
/// A variant is gone from the new side, and `--allow-diff` does not allow that.
pub(super) fn left_out(args: &Args, sides: &Sides) -> anyhow::Result<Vec<String>> {
    if !args.variant.is_empty() || args.variant_pair().is_some() {
        return Ok(Vec::new());
    }
    let names = |side: &Built| -> BTreeSet<String> {
        let of_lab = |(lab, built): (&String, &Lab)| {
            let variants = built.description.variants.iter();
            let gated = variants.filter(|variant| is_usual(variant, args.mode()));
            gated.map(|variant| format!("{lab}/{}", variant.name)).collect::<Vec<_>>()
        };
        side.labs.iter().flat_map(of_lab).collect()
    };
    Ok(comparable::left_out("variants", &names(&sides.base), &names(&sides.new), &args.allow_diff)?)
}

/// Every scenario that the arguments ask for; `backend` takes the profiles, if there are any;
/// `spans` has the default lengths of trials.
///
/// # Errors
/// A usage error that names the unknown lab, variant or knob.
pub(super) fn scenarios(
    args: &Args,
    sides: &Sides,
    backend: Option<Backend>,
    spans: &Spans,
) -> anyhow::Result<Vec<Planned>> {
    let draft = Draft { args, sides, backend, spans };
    if let Some((base, new)) = args.variant_pair() {
        return draft.two_variants(base, new).map(|planned| vec![planned]);
    }
    let mut planned = Vec::new();
    for (lab, of_base) in &sides.base.labs {
        let of_new = &sides.new.labs[lab];
        let of_both = common_variants(&of_base.description, &of_new.description, args.mode());
        for [of_base, variant] in of_both {
            let asked = args.variant.contains(&variant.name);
            let gated = [of_base, variant].iter().all(|of| is_usual(of, args.mode()));
            if asked || args.variant.is_empty() && gated {
                let name = format!("{lab}/{}", variant.name);
                let variants = [variant.name.as_str(); 2];
                planned.push(draft.one(name, lab, variants)?);
            }
        }
    }
    check_variants(args, sides)?;
    if planned.is_empty() {
        return Err(usage(match args.mode() {
            Mode::Live => "no variant that runs live and files response times is on both sides",
            Mode::Simulated => "no variant that runs in simulated time is on both sides",
        }));
    }
    Ok(planned)
}

/// Refuses to inject a slowness that would not show. `others` are labs that could be named instead.
pub(super) fn check_injection(
    sides: &Sides,
    planned: &[Planned],
    others: impl IntoIterator<Item = Description>,
) -> anyhow::Result<()> {
    let shows = |planned: &Planned| {
        responds(&sides.new.labs[&planned.lab].description, &planned.trials[1].variant)
    };
    let Some(unable) = planned.iter().find(|planned| !shows(planned)) else { return Ok(()) };
    let of_sides = sides.new.labs.values().map(|lab| lab.description.clone());
    let able: BTreeSet<String> = of_sides
        .chain(others)
        .filter(|lab| lab.variants.iter().any(|variant| variant.responds))
        .map(|lab| lab.name)
        .collect();
    let able = Vec::from_iter(able).join(", ");
    Err(usage(format!(
        "--inject: {} files no response times in which a slowness could show; labs with variants \
         that do: {}",
        unable.name,
        if able.is_empty() { "none that is built" } else { &able }
    )))
}

/// Whether a variant is compared unless others are asked for: any simulated one, since all its
/// figures are exact, and a live one that files response times.
fn is_usual(variant: &VariantSpec, mode: Mode) -> bool {
    variant.spans(mode).is_some() && (mode == Mode::Simulated || variant.responds)
}

fn responds(lab: &Description, variant: &str) -> bool {
    lab.variants.iter().any(|known| known.name == variant && known.responds)
}

/// The usual looks, except those that cannot reject when this number of scenarios shares alpha.
/// Looks and alpha that the user chose are kept, or refused if they cannot work.
pub(super) fn method(args: &Args, scenarios: &[Named]) -> anyhow::Result<Method> {
    let limits = limits::resolve(&args.limits, scenarios, &args.known(false))?;
    with_looks_that_reject(args, Method { limits, ..args.method()? }, scenarios.len())
}

/// A method without the looks that cannot reject, unless the user chose them.
pub(super) fn with_looks_that_reject(
    args: &Args,
    mut method: Method,
    scenarios: usize,
) -> anyhow::Result<Method> {
    if args.looks.is_empty() && args.alpha.is_none() {
        let tests = method.tests(scenarios).count();
        let enough = fewest_pairs(method.alpha / f64::from(tests));
        if method.looks.iter().any(|&pairs| pairs < enough)
            && method.looks.iter().any(|&p| p >= enough)
        {
            method.looks.retain(|&pairs| pairs >= enough);
            eprintln!(
                "note: {tests} tests share alpha {}, so the first look is at {} pairs; \
                 --lab, --variant and --gate narrow it down",
                method.alpha, method.looks[0]
            );
        }
    }
    method.looks(scenarios).map_err(|error| usage(error.to_string()))?;
    Ok(method)
}

/// The names of these scenarios in limits: a variant is named without its lab if no other lab has
/// one of that name.
pub(super) fn names(planned: &[Planned]) -> Vec<Named> {
    let variants = |planned: &Planned| planned.trials.each_ref().map(|trial| trial.variant.clone());
    let named = |one: &Planned| {
        let [base, new] = variants(one);
        let is_one = base == new;
        let alike = planned.iter().filter(|other| variants(other) == [base.clone(), new.clone()]);
        Named {
            scenario: one.name.clone(),
            short: (is_one && alike.count() == 1).then(|| base.clone()),
            sides: (!is_one).then_some([base, new]),
        }
    };
    planned.iter().map(named).collect()
}

/// What all scenarios are made from.
struct Draft<'a> {
    args: &'a Args,
    sides: &'a Sides,
    backend: Option<Backend>,
    spans: &'a Spans,
}

impl Draft<'_> {
    fn two_variants(&self, base: &str, new: &str) -> anyhow::Result<Planned> {
        let labs: Vec<&str> = self.sides.base.labs.keys().map(String::as_str).collect();
        let [lab] = labs[..] else {
            let known = labs.join(", ");
            return Err(usage(format!(
                "--variants compares within one lab: --lab names it, of {known}"
            )));
        };
        if base == new {
            return Err(usage(format!(
                "--variants {base} {new}: --aa compares a thing with itself"
            )));
        }
        self.one(format!("{lab}/{base} → {new}"), lab, [base, new])
    }

    fn one(
        &self,
        name: String,
        lab: &str,
        [of_base, of_new]: [&str; 2],
    ) -> anyhow::Result<Planned> {
        let Self { args, sides, backend, spans } = self;
        let span = match args.mode() {
            Mode::Live => Some(args.duration.or_else(|| spans.get(&name).copied()).unwrap_or(SPAN)),
            Mode::Simulated => args.duration,
        };
        let trial = |side: &Built, variant: &str, backend: Option<Backend>| {
            template(args, span, &side.labs[lab].description, variant, backend)
        };
        let both = |backend| -> anyhow::Result<[Option<Trial>; 2]> {
            Ok([trial(&sides.base, of_base, backend)?, trial(&sides.new, of_new, backend)?])
        };
        let [Some(base), Some(mut new)] = both(None)? else {
            let how = match args.mode() {
                Mode::Live => "does not run live, so there is nothing to measure",
                Mode::Simulated => "does not run in simulated time",
            };
            return Err(usage(format!("{name} {how}")));
        };
        new.inject = args.injection()?;
        let profiled = match backend.map(|backend| both(Some(backend))).transpose()? {
            Some([Some(base), Some(new)]) => Some([base, new]),
            _ => None,
        };
        Ok(Planned { name, lab: lab.to_owned(), trials: [base, new], profiled })
    }
}

/// The trial of a variant as the runner plans it; with a backend, its profiled trial. Without a
/// span, it has its own.
fn template(
    args: &Args,
    span: Option<Duration>,
    lab: &Description,
    variant: &str,
    backend: Option<Backend>,
) -> anyhow::Result<Option<Trial>> {
    let request = Request {
        mode: args.mode(),
        depth: Depth::Default,
        variants: vec![variant.to_owned()],
        set: args.set.clone(),
        trials: Some(1),
        duration: span,
        deadline: None,
        seed: args.seed,
        profile: ProfileKind::Cpu,
        profiler: backend,
        probes: Vec::new(),
        own_probes: false,
        without_probes: BTreeMap::new(),
    };
    let wanted =
        |trial: &Trial| trial.mode == args.mode() && trial.profile.is_some() == backend.is_some();
    Ok(plan(lab, &request)?.trials.into_iter().find(wanted))
}

/// The variants that both sides have in this mode.
fn common_variants<'a>(
    base: &'a Description,
    new: &'a Description,
    mode: Mode,
) -> impl Iterator<Item = [&'a VariantSpec; 2]> {
    let runs = move |variant: &&VariantSpec| variant.spans(mode).is_some();
    base.variants.iter().filter(runs).filter_map(move |of_base| {
        let of_new = new.variants.iter().filter(runs).find(|new| new.name == of_base.name)?;
        Some([of_base, of_new])
    })
}

/// Checks that each variant asked for is in some lab that is compared.
fn check_variants(args: &Args, sides: &Sides) -> anyhow::Result<()> {
    for wanted in &args.variant {
        let labs = sides.base.labs.values().zip(sides.new.labs.values());
        let known: Vec<&str> = labs
            .flat_map(|(base, new)| {
                common_variants(&base.description, &new.description, args.mode())
            })
            .map(|[variant, _]| variant.name.as_str())
            .collect();
        if !known.contains(&wanted.as_str()) {
            let has = |side: &Built| {
                let mut variants = side.labs.values().flat_map(|lab| &lab.description.variants);
                variants.any(|one| one.name == *wanted && one.spans(args.mode()).is_some())
            };
            for (side, other) in [(&sides.base, &sides.new), (&sides.new, &sides.base)] {
                if has(side) && !has(other) {
                    let (has, lacks) = (&side.revision.name, &other.revision.name);
                    return Err(usage(format!(
                        "{has} has a variant `{wanted}`, and {lacks} does not"
                    )));
                }
            }
            return Err(usage(nearest::unknown("variant", wanted, known)));
        }
    }
    Ok(())
}
