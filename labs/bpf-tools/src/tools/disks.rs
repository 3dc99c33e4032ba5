//! biosnoop, biolatency and cachestat.

use lab_kit::{Evidence, Figure, Gap, Judged, Observation};
use lab_record::to_json;

use super::{START, count, seen};
use crate::direct_reads::READER;
use crate::rows::Rows;
use crate::rows::Says::Only;

/// How many times as many requests the other variant makes.
const MORE: f64 = 10.0;

/// Every request, one by one.
pub(crate) fn biosnoop(e: &Evidence) -> Judged {
    let seen = seen(e, "direct-reads", "biosnoop")?;
    let ours = [("COMM", Only(READER)), ("TYPE", Only("read")), ("BYTES", Only("4096"))];
    let rows = Rows::of(&seen, "requests")?.with(&ours)?;
    count(rows.len())
        .near(seen.metric("requests")?, seen.unfinished())?
        .because("requests of a page")
}

/// The same, added up: as many in the histogram.
pub(crate) fn biolatency(e: &Evidence) -> Judged {
    let seen = seen(e, "direct-reads", "biolatency")?;
    let requests = seen.metric("requests")?;
    Figure::exact(seen.histogram("service")?.count as f64, "count")
        .between(requests - seen.unfinished(), requests * (1.0 + START), Some(requests))?
        .because("requests in the histogram")
}

/// A row for every request: ten times as many take ten times the bytes.
pub(crate) fn dump_grows(e: &Evidence) -> Judged {
    bytes(e, "biosnoop")?
        .near_relative(MORE, 0.1)?
        .because("bytes of ten times the requests, told one by one")
}

/// Ten times as many requests in the same histogram: no longer, but for what is rare enough to fall
/// into a bucket of its own.
pub(crate) fn sum_stays(e: &Evidence) -> Judged {
    let requests = growth(e, "biolatency", |seen| Ok(seen.histogram("service")?.count as f64))?;
    bytes(e, "biolatency")?
        .at_most(2.0)?
        .because("bytes of ten times the requests, added up")?
        .and(requests.near_relative(MORE, 0.1)?.because("requests"))
}

/// How many times the bytes a probe leaves of ten times the requests.
fn bytes(e: &Evidence, probe: &str) -> Result<Figure, Gap> {
    growth(e, probe, |seen| Ok(to_json(&seen.record).map_err(unwritten)?.len() as f64))
}

fn growth(
    e: &Evidence,
    probe: &str,
    of: impl Fn(&Observation<'_>) -> Result<f64, Gap>,
) -> Result<Figure, Gap> {
    let amount = |variant| {
        let seen = seen(e, variant, probe)?;
        of(&seen)
    };
    Ok(Figure::exact(amount("more-direct-reads")? / amount("direct-reads")?, "times"))
}

fn unwritten(error: impl std::fmt::Display) -> Gap {
    Gap::Invalid(format!("what a probe saw cannot be written: {error}"))
}

/// A cold file misses, a warm one hits, and every page of both is counted.
pub(crate) fn cachestat(e: &Evidence) -> Judged {
    let ratio = |variant| {
        let seen = seen(e, variant, "cachestat")?;
        let table = Rows::of(&seen, "pages")?;
        let all = table.with(&[])?;
        let of = |column| Ok::<_, Gap>(Figure::exact(table.sum(&all, column)?, "count"));
        let pages = of("READ")?
            .near_relative(seen.metric("pages_read")?, START)?
            .because("pages read")?
            .and(of("MISSES")?.near_relative(seen.metric("pages")?, START)?.because("misses"));
        Ok::<_, Gap>((Figure::exact(table.sum(&all, "READ HIT %")?, "%"), pages))
    };
    let ((warm, warm_pages), (cold, cold_pages)) = (ratio("warm-file")?, ratio("cold-file")?);
    warm.at_least(99.0)?
        .because("hits of the warm file")?
        .and(cold.at_most(3.0)?.because("of the cold one"))?
        .and(warm_pages)?
        .and(cold_pages)
}
