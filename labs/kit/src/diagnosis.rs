//! What is wrong with the program that a variant runs, for a learner to find: `cargo xtask answer`.
//!
//! Such a variant is a black box: its name, its description and its page give nothing away. A
//! learner says which resource is short, which function is at fault, and a count. All three must fit
//! the evidence of a run, so a right guess with a wrong reason is refused.

use anyhow::ensure;
use lab_record::{How, Part, RESOURCES, Reply, Run};

use crate::evidence::Evidence;
use crate::finding::{Figure, Gap};

/// The right answer of a black box: see [`Variant::asks`](crate::Variant::asks).
#[derive(Debug, Clone, Copy)]
pub struct Diagnosis {
    /// The resource that is short: one of [`RESOURCES`].
    pub resource: &'static str,
    /// The functions at fault, without their paths; each of them is right.
    pub functions: &'static [&'static str],
    /// What is counted. It is asked only once resource and function fit, so it may speak of them.
    pub ask: &'static str,
    /// What is counted, in a word: `threads`.
    pub of: &'static str,
    /// The count in the trials of the variant.
    ///
    /// # Errors
    /// The run does not show what is wrong.
    pub count: fn(&Evidence) -> Result<Figure, Gap>,
    /// How far an answer may be from the measured count, as a share of it.
    pub tolerance: f64,
    /// What it was, once all fits.
    pub because: &'static str,
}

/// What a learner says; what is missing is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    pub(crate) resource: Option<String>,
    pub(crate) function: Option<String>,
    pub(crate) count: Option<f64>,
}

/// Replies to what was said of a variant with this diagnosis, by the evidence of a run.
pub(crate) fn reply(right: &Diagnosis, run: &Run, variant: &str, said: &Said) -> Reply {
    if !run.plan.set.is_empty() {
        return Reply::NoEvidence { reason: "its knobs were turned".into() };
    }
    match (right.count)(&Evidence::of(run, How::Live, &[variant])) {
        Ok(measured) => weigh(right, said, measured.value),
        Err(Gap::Unavailable(reason) | Gap::Invalid(reason)) => Reply::NoEvidence { reason },
    }
}

/// Compares part by part, up to the first that is missing or does not fit.
fn weigh(right: &Diagnosis, said: &Said, measured: f64) -> Reply {
    let asks = |part, ask: &str, of: &str| Reply::Asks { part, ask: ask.into(), of: of.into() };
    let wrong = |part, says: &str| Reply::Wrong { part, says: says.into() };
    let Some(resource) = &said.resource else {
        return asks(Part::Resource, "Which resource is short?", "");
    };
    if !resource.eq_ignore_ascii_case(right.resource) {
        let says = "Another resource is short, or none. Look at the utilisation, the saturation \
                    and the errors of each.";
        return wrong(Part::Resource, says);
    }
    let Some(function) = &said.function else {
        return asks(Part::Function, "Which function is at fault?", "");
    };
    if !right.functions.contains(&without_path(function)) {
        let says = "That function is not at fault. A flame graph shows where a program runs, and \
                    one of its waits where it does not.";
        return wrong(Part::Function, says);
    }
    let Some(count) = said.count else {
        return asks(Part::Count, right.ask, right.of);
    };
    let fits = (count - measured).abs() <= right.tolerance * measured.abs();
    if !fits {
        let within = match right.tolerance {
            0.0 => String::new(),
            share => format!(" within {} %", (100.0 * share).round()),
        };
        return wrong(Part::Count, &format!("This run measured another number{within}."));
    }
    Reply::Right { says: right.because.into() }
}

/// `compare` of `lab::box::compare()` and of `lab::box::compare::<u8>`.
fn without_path(function: &str) -> &str {
    let name = function.trim().trim_end_matches("()");
    let name = name.split_once('<').map_or(name, |(name, _)| name);
    name.trim_end_matches("::").rsplit("::").next().unwrap_or(name)
}

/// Checks what a variant asks.
///
/// # Errors
/// A mistake of the lab's author.
pub(crate) fn check(asked: &Diagnosis) -> anyhow::Result<()> {
    let resource = asked.resource;
    ensure!(RESOURCES.contains(&resource), "`{resource}` is none of {}", RESOURCES.join(", "));
    let said = [asked.ask, asked.of, asked.because].iter().all(|text| !text.trim().is_empty());
    ensure!(said && !asked.functions.is_empty(), "what it asks lacks a text");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: Diagnosis = Diagnosis {
        resource: "disk",
        functions: &["append"],
        ask: "How many writes?",
        of: "writes",
        count: |_| Ok(Figure::exact(40.0, "")),
        tolerance: 0.1,
        because: "It writes.",
    };

    fn replied(resource: &str, function: &str, count: f64) -> Reply {
        let said = Said {
            resource: (!resource.is_empty()).then(|| resource.into()),
            function: (!function.is_empty()).then(|| function.into()),
            count: (count > 0.0).then_some(count),
        };
        weigh(&RIGHT, &said, 40.0)
    }

    /// The part that is asked for, or that does not fit.
    fn part(reply: &Reply) -> (&'static str, Option<Part>) {
        match reply {
            Reply::Asks { part, .. } => ("asks", Some(*part)),
            Reply::Wrong { part, .. } => ("wrong", Some(*part)),
            Reply::Right { .. } => ("right", None),
            Reply::NoEvidence { .. } => ("no evidence", None),
        }
    }

    #[test]
    fn an_answer_is_right_when_all_three_parts_fit() {
        assert_eq!(replied("disk", "append", 40.0), Reply::Right { says: "It writes.".into() });
        for (function, count) in
            [("store::append", 44.0), ("append()", 36.0), ("a::append::<u8>", 41.0)]
        {
            assert_eq!(part(&replied("DISK", function, count)).0, "right", "{function} {count}");
        }
    }

    #[test]
    fn the_first_part_that_does_not_fit_is_refused_whatever_follows() {
        assert_eq!(part(&replied("cpu", "append", 40.0)), ("wrong", Some(Part::Resource)));
        assert_eq!(part(&replied("disk", "flush", 40.0)), ("wrong", Some(Part::Function)));
        assert_eq!(part(&replied("disk", "append_all", 40.0)), ("wrong", Some(Part::Function)));
        assert_eq!(part(&replied("disk", "append", 45.0)), ("wrong", Some(Part::Count)));
        assert_eq!(part(&replied("disk", "append", f64::NAN)).0, "asks", "no number was said");
    }

    #[test]
    fn a_part_is_asked_for_only_when_those_before_it_fit() {
        assert_eq!(part(&replied("", "append", 40.0)), ("asks", Some(Part::Resource)));
        assert_eq!(part(&replied("disk", "", 40.0)), ("asks", Some(Part::Function)));
        assert_eq!(part(&replied("cpu", "", 0.0)), ("wrong", Some(Part::Resource)));
        let Reply::Asks { ask, of, .. } = replied("disk", "append", 0.0) else { panic!("asks") };
        assert_eq!((ask.as_str(), of.as_str()), ("How many writes?", "writes"));
    }

    #[test]
    fn what_is_wrong_is_not_given_away() {
        for (resource, function, count) in
            [("cpu", "append", 40.0), ("disk", "flush", 40.0), ("disk", "append", 1.0)]
        {
            let Reply::Wrong { says, .. } = replied(resource, function, count) else {
                panic!("{resource} {function} {count}")
            };
            for word in ["disk", "append", "40", "writes"] {
                assert!(!says.contains(word), "{word} in {says}");
            }
        }
    }
}
