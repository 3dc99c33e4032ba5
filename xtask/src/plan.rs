//! Plans the trials of a request, without touching a process, a clock or a file.
//!
//! Variants are interleaved by round, so that drift of the machine falls on all of them alike, and
//! all trials of a round share a seed, so that variants face the same arrivals. Live trials come
//! first; then one profiled trial for each variant that wants it, and one for each probe, since no
//! latency is taken from those; then the simulated ones, which do not depend on what else the
//! machine does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use lab_record::{
    Backend, Description, Knobs, Mode, Profile, ProfileKind, Reads, Spans, Trial, VariantSpec,
    simulated_label,
};

use crate::exit::usage;
use crate::nearest;

/// Samples a CPU-second; 99 rather than 100, which would stay in step with the timer.
const PROFILE_HZ: u32 = 99;
/// The time that a live trial may take beyond its spans, to set up and to drain.
const LIVE_SLACK: Duration = Duration::from_secs(30);
/// The time that a simulated trial may take, independent of its span.
const SIMULATED_DEADLINE: Duration = Duration::from_secs(120);

/// What a user asks of a lab.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// `Simulated` leaves out all live trials.
    pub(crate) mode: Mode,
    pub(crate) depth: Depth,
    /// Names of variants; empty for all.
    pub(crate) variants: Vec<String>,
    /// Knobs and their values, as typed; the last wins.
    pub(crate) set: Vec<(String, String)>,
    /// Live trials of each variant; `None` for the depth's number.
    pub(crate) trials: Option<u32>,
    /// Replaces the measured spans of the lab.
    pub(crate) duration: Option<Duration>,
    /// Replaces the usual deadlines.
    pub(crate) deadline: Option<Duration>,
    pub(crate) seed: u64,
    /// What profiled trials profile.
    pub(crate) profile: ProfileKind,
    /// The profiler; `None` plans no profiled trial.
    pub(crate) profiler: Option<Backend>,
    /// Probes that observe trials of their own.
    pub(crate) probes: Vec<String>,
    /// Whether variants are also observed by the probes that they name.
    pub(crate) own_probes: bool,
    /// Probes that cannot run here, and why; they are left out.
    pub(crate) without_probes: BTreeMap<String, String>,
}

/// How much time a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    Quick,
    Default,
    Full,
}

/// The trials in the order in which they run, and what the user should know about them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Planned {
    pub(crate) trials: Vec<Trial>,
    pub(crate) notes: Vec<String>,
}

/// Plans the trials of a run.
///
/// # Errors
/// A usage error if the request names something unknown or out of bounds; another error if the
/// lab's own description breaks its bounds.
pub(crate) fn plan(lab: &Description, request: &Request) -> anyhow::Result<Planned> {
    check_names(lab, request)?;
    let (variants, notes) = chosen_variants(lab, request)?;
    let mut trials = Vec::new();
    for round in 0..rounds(request) {
        for variant in variants.iter().filter(|variant| runs_live(variant, request)) {
            trials.push(Draft::new(variant, Mode::Live, round));
        }
    }
    if let Some(backend) = request.profiler {
        let kind = request.profile;
        let profile =
            Some(Profile { kind, backend, hz: (kind == ProfileKind::Cpu).then_some(PROFILE_HZ) });
        for variant in worth_profiling(&variants, request) {
            let draft = Draft::new(variant, Mode::Live, 0);
            trials.push(Draft { profile: profile.clone(), ..draft });
        }
    }
    for (variant, probe) in observed(&variants, request) {
        trials.push(Draft { probe: Some(probe), ..Draft::new(variant, Mode::Live, 0) });
    }
    for variant in variants.iter().filter(|variant| variant.simulated.is_some()) {
        trials.push(Draft::new(variant, Mode::Simulated, 0));
    }
    let finish = |(number, draft): (usize, Draft<'_>)| draft.finish(number + 1, lab, request);
    let trials = trials.into_iter().enumerate().map(finish).collect::<anyhow::Result<_>>()?;
    Ok(Planned { trials, notes })
}

/// Plans the trials that checks read, and no others. Each has a variant, a mode, and perhaps a
/// probe.
///
/// # Errors
/// As [`plan`].
pub(crate) fn plan_reads(
    lab: &Description,
    request: &Request,
    reads: &BTreeSet<(Mode, Reads)>,
) -> anyhow::Result<Vec<Trial>> {
    check_names(lab, request)?;
    let mut trials = Vec::new();
    let rounds = (0..rounds(request)).flat_map(|round| reads.iter().map(move |read| (round, read)));
    for (round, (mode, Reads { variant, probe })) in rounds {
        // A probe's trial or a simulation runs once, since rounds would not differ.
        let once = *mode == Mode::Simulated || probe.is_some();
        let without = |probe: &String| request.without_probes.contains_key(probe);
        if (once && round > 0) || probe.as_ref().is_some_and(without) {
            continue;
        }
        let known = lab.variants.iter().find(|known| known.name == *variant);
        let known = known.with_context(|| format!("no variant `{variant}`"))?;
        let draft = Draft { probe: probe.as_deref(), ..Draft::new(known, *mode, round) };
        trials.push(draft.finish(trials.len() + 1, lab, request)?);
    }
    Ok(trials)
}

/// The knobs that were typed.
///
/// # Errors
/// As [`plan`].
pub(crate) fn typed(lab: &Description, request: &Request) -> anyhow::Result<Knobs> {
    let value = |(name, text): &(String, String)| {
        let knob = lab.knobs.iter().find(|knob| knob.name == *name);
        Ok((name.clone(), knob.with_context(|| format!("no knob `{name}`"))?.parse(text)?))
    };
    request.set.iter().map(value).collect()
}

/// Whether a run of `request` would take a profile if a profiler were available.
pub(crate) fn wants_profile(lab: &Description, request: &Request) -> bool {
    !worth_profiling(&asked(lab, request), request).is_empty()
}

/// The variants to profile. A CPU profile is of the variants that the lab wants profiled, and of
/// black boxes that the user named. A profile of waits, memory or page faults is taken only if the
/// user asks for it, like a probe: so it is of the variants that typed probes observe.
fn worth_profiling<'a>(variants: &[&'a VariantSpec], request: &Request) -> Vec<&'a VariantSpec> {
    match request.profile {
        ProfileKind::Cpu => {
            let wanted =
                |v: &VariantSpec| v.profiled || (v.asks && request.variants.contains(&v.name));
            let live = variants.iter().filter(|v| wanted(v) && runs_live(v, request));
            live.copied().collect()
        }
        ProfileKind::OffCpu | ProfileKind::Memory | ProfileKind::Faults => {
            worth_observing(variants, request)
        }
    }
}

/// The variants that were named, or all.
fn asked<'a>(lab: &'a Description, request: &Request) -> Vec<&'a VariantSpec> {
    let named =
        |v: &&VariantSpec| request.variants.is_empty() || request.variants.contains(&v.name);
    lab.variants.iter().filter(named).collect()
}

/// The names of the probes that a run of `request` would use if all of them could run.
pub(crate) fn wanted_probes(lab: &Description, request: &Request) -> Vec<String> {
    let names =
        observed(&asked(lab, request), request).into_iter().map(|(_, probe)| probe.to_owned());
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Pairs of a variant and a probe: first the probes that were typed, then those that variants name.
fn observed<'a>(
    variants: &[&'a VariantSpec],
    request: &'a Request,
) -> Vec<(&'a VariantSpec, &'a str)> {
    let mut pairs: Vec<(&VariantSpec, &str)> = Vec::new();
    let typed = worth_observing(variants, request);
    for probe in &request.probes {
        pairs.extend(typed.iter().map(|variant| (*variant, probe.as_str())));
    }
    for variant in variants.iter().filter(|v| request.own_probes && runs_live(v, request)) {
        for probe in &variant.probes {
            if !pairs.iter().any(|(v, p)| v.name == variant.name && p == probe) {
                pairs.push((variant, probe));
            }
        }
    }
    pairs.retain(|(_, probe)| !request.without_probes.contains_key(*probe));
    pairs
}

/// The variants that typed probes observe: those that the lab wants profiled or that the user
/// named; all if there is none.
fn worth_observing<'a>(variants: &[&'a VariantSpec], request: &Request) -> Vec<&'a VariantSpec> {
    let live = variants.iter().copied().filter(|variant| runs_live(variant, request));
    let (worth, others): (Vec<_>, Vec<_>) =
        live.partition(|variant| variant.profiled || request.variants.contains(&variant.name));
    if worth.is_empty() { others } else { worth }
}

fn check_names(lab: &Description, request: &Request) -> anyhow::Result<()> {
    for name in &request.variants {
        let known = || lab.variants.iter().map(|variant| variant.name.as_str());
        if !known().any(|variant| variant == name) {
            return Err(usage(nearest::unknown("variant", name, known())));
        }
    }
    for (name, text) in &request.set {
        let Some(knob) = lab.knobs.iter().find(|knob| knob.name == *name) else {
            let known = lab.knobs.iter().map(|knob| knob.name.as_str());
            return Err(usage(nearest::unknown("knob", name, known)));
        };
        knob.parse(text).map_err(|error| usage(error.to_string()))?;
    }
    Ok(())
}

/// The variants that take part, in the lab's order, and a note for each that cannot.
fn chosen_variants<'a>(
    lab: &'a Description,
    request: &Request,
) -> anyhow::Result<(Vec<&'a VariantSpec>, Vec<String>)> {
    let mut chosen = Vec::new();
    let mut notes = Vec::new();
    for variant in &lab.variants {
        let asked = request.variants.contains(&variant.name);
        if !asked && !request.variants.is_empty() {
            continue;
        }
        if runs_live(variant, request) || variant.simulated.is_some() {
            chosen.push(variant);
            continue;
        }
        let reason = match request.mode {
            Mode::Simulated => "does not run in simulated time",
            Mode::Live => "runs in no mode at all",
        };
        let left_out = format!("variant `{}` {reason}", variant.name);
        if asked {
            return Err(usage(left_out));
        }
        notes.push(format!("{left_out}: left out"));
    }
    if chosen.is_empty() {
        return Err(usage(format!("no variant of `{}` runs in this mode", lab.name)));
    }
    Ok((chosen, notes))
}

fn runs_live(variant: &VariantSpec, request: &Request) -> bool {
    request.mode == Mode::Live && variant.live.is_some()
}

fn rounds(request: &Request) -> u32 {
    let usual = if request.depth == Depth::Full { 5 } else { 1 };
    request.trials.unwrap_or(usual)
}

/// A trial before its spans and knobs are determined.
struct Draft<'a> {
    variant: &'a VariantSpec,
    mode: Mode,
    round: u32,
    profile: Option<Profile>,
    probe: Option<&'a str>,
}

impl<'a> Draft<'a> {
    /// A draft of a trial that is neither profiled nor observed.
    fn new(variant: &'a VariantSpec, mode: Mode, round: u32) -> Self {
        Self { variant, mode, round, profile: None, probe: None }
    }

    fn finish(self, number: usize, lab: &Description, request: &Request) -> anyhow::Result<Trial> {
        let name = &self.variant.name;
        let spans =
            self.variant.spans(self.mode).context("a draft runs in a mode of its variant")?;
        // A simulation beside live trials only backs claims, and needs few intervals.
        let aside = self.mode == Mode::Simulated && request.mode == Mode::Live;
        let most = if aside { 10 } else { 100 };
        let (measure_ms, interval_ms) = intervals(self.measure_ms(spans, request), most);
        let warmup_ms = match (self.mode, request.depth) {
            (Mode::Simulated, _) => 0,
            (Mode::Live, Depth::Quick) => 150,
            (Mode::Live, _) => 500,
        };
        let beside_live = self.mode == Mode::Simulated && runs_live(self.variant, request);
        let label = if beside_live { simulated_label(name) } else { name.clone() };
        let suffix = match (&self.profile, self.probe) {
            (Some(_), _) => "-profiled".to_owned(),
            (None, Some(probe)) => format!("-{probe}"),
            (None, None) => String::new(),
        };
        Ok(Trial {
            id: format!("{number:03}-{label}{suffix}"),
            lab: lab.name.clone(),
            variant: name.clone(),
            label,
            mode: self.mode,
            seed: seed_of_round(request.seed, self.round),
            warmup_ms,
            measure_ms,
            interval_ms,
            deadline_ms: deadline_ms(self.mode, warmup_ms + measure_ms, request),
            knobs: knobs(lab, self.variant, request)?,
            profile: self.profile,
            probe: self.probe.map(str::to_owned),
            inject: None,
        })
    }

    fn measure_ms(&self, spans: Spans, request: &Request) -> u64 {
        if let Some(duration) = request.duration {
            return duration.as_millis() as u64;
        }
        // A variant that names its probes has a workload and spans made for them.
        let foreign = |probe| !self.variant.probes.iter().any(|own| own == probe);
        let profiled = self.profile.is_some() || self.probe.is_some_and(foreign);
        match request.depth {
            // A profile needs at least a hundred samples.
            Depth::Quick if profiled => 2_000,
            Depth::Default if profiled => 4_000,
            Depth::Full if profiled => 20_000,
            Depth::Quick => spans.quick_ms,
            Depth::Default => spans.default_ms,
            Depth::Full => spans.full_ms,
        }
    }
}

/// The measured span and the length of its intervals, both in ms: at most `most` intervals of at
/// least 50 ms each, a multiple of ten, so that they group into ten equal blocks.
fn intervals(measure_ms: u64, most: u64) -> (u64, u64) {
    let divides = |k: &u64| measure_ms.is_multiple_of(*k) && measure_ms / k >= 50;
    if let Some(count) = (1..=most / 10).rev().map(|tens| tens * 10).find(divides) {
        return (measure_ms, measure_ms / count);
    }
    let rounded_ms = measure_ms.max(1).next_multiple_of(10);
    (rounded_ms, rounded_ms / 10)
}

fn deadline_ms(mode: Mode, spans_ms: u64, request: &Request) -> u64 {
    let usual = match mode {
        Mode::Live => Duration::from_millis(spans_ms) + LIVE_SLACK,
        Mode::Simulated => SIMULATED_DEADLINE,
    };
    request.deadline.unwrap_or(usual).as_millis() as u64
}

/// The seed of a round, cut to 53 bits, which every JSON reader keeps exactly.
fn seed_of_round(seed: u64, round: u32) -> u64 {
    lab_stats::splitmix64(seed, u64::from(round)) >> 11
}

/// The lab's default knobs, overridden by the variant's, overridden by the user's.
fn knobs(lab: &Description, variant: &VariantSpec, request: &Request) -> anyhow::Result<Knobs> {
    let known: BTreeSet<&String> = lab.knobs.iter().map(|knob| &knob.name).collect();
    if let Some(unknown) = variant.set.keys().find(|name| !known.contains(name)) {
        anyhow::bail!(
            "variant `{}` sets `{unknown}`, which is not a knob of its lab",
            variant.name
        );
    }
    let mut knobs = Knobs::new();
    for knob in &lab.knobs {
        let own = variant.set.get(&knob.name).unwrap_or(&knob.default);
        let typed = request.set.iter().rev().find(|(name, _)| *name == knob.name);
        let value = match typed {
            Some((_, text)) => knob.parse(text)?,
            None => {
                knob.check(own).with_context(|| format!("variant `{}`", variant.name))?;
                own.clone()
            }
        };
        knobs.insert(knob.name.clone(), value);
    }
    Ok(knobs)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
