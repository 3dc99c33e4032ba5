//! The results of a tool, filed as that tool would report them.

use std::time::Duration;

use lab_kit::{Ctx, Series};
use lab_record::Accounting;

use crate::closed_form::predict;
use crate::setup::Setup;
use crate::tool::{End, Request, Tool, ask_live, ask_simulated};

/// A trial of a tool with the knobs as they are set.
pub(crate) fn run(ctx: &mut Ctx, tool: Tool) -> anyhow::Result<()> {
    let setup = Setup::of(ctx);
    let requests = if ctx.is_live() {
        ask_live(tool, &setup, ctx.text("stall-by"))?
    } else {
        ask_simulated(tool, &setup)?
    };
    file(ctx, &setup, tool, &requests, ["response", "service"])
}

/// Files what `tool` reports and what its replies took once sent, under these two names; lateness;
/// how every request ended; and what the claims need.
pub(crate) fn file(
    ctx: &mut Ctx,
    setup: &Setup,
    tool: Tool,
    requests: &[Request],
    [reported, from_send]: [&str; 2],
) -> anyhow::Result<()> {
    let (mut report, mut service, mut lateness) = (ctx.series(), ctx.series(), ctx.series());
    for Request { intended, end } in requests {
        let (End::Answered { sent, .. } | End::Unanswered { sent, .. }) = *end else { continue };
        lateness.record(*intended, sent.saturating_sub(*intended));
        if let End::Unanswered { until, .. } = *end {
            // A tool that gave up knows of its last request only that it took at least this long.
            let since = |from: Duration| (until - from).as_nanos() as u64;
            let at_ns = intended.as_nanos() as u64;
            let from = if tool == Tool::CatchingUp { *intended } else { sent };
            service.record_censored_ns(at_ns, since(sent));
            report.record_censored_ns(at_ns, since(from));
        }
        let End::Answered { at, correct: true, .. } = *end else { continue };
        service.record(*intended, at - sent);
        match tool {
            Tool::CatchingUp => report.record(*intended, at - *intended),
            Tool::RecordCorrect => report.record_correct(*intended, at - sent, setup.period()),
            _ => report.record(*intended, at - sent),
        }
    }
    let measured = || requests.iter().filter(|r| r.intended >= setup.timeline.warmup);
    ctx.account(account(measured()));
    judge_lateness(ctx, setup, &lateness);
    count_what_met_the_stall(ctx, setup, measured());
    ctx.metric(&format!("{reported}_mean"), report.facts().mean_ns, "ns");
    ctx.metric(&format!("{from_send}_mean"), service.facts().mean_ns, "ns");
    predict(ctx, setup);
    ctx.save(reported, report)?;
    ctx.save(from_send, service)?;
    ctx.save("lateness", lateness)
}

/// A tool that counts from the send has its lateness in no figure of latency, only in its load: a
/// tenth of the gap between two requests of a connection is allowed.
fn judge_lateness(ctx: &mut Ctx, setup: &Setup, lateness: &Series) {
    let p99 = Duration::from_nanos(lateness.total().value_at_quantile(0.99));
    let gap = setup.period();
    if ctx.is_live() && p99 > gap / 10 {
        ctx.invalid(format!("the tool was late: p99 {p99:?} is above a tenth of its gap {gap:?}"));
    }
}

fn account<'a>(requests: impl Iterator<Item = &'a Request>) -> Accounting {
    let mut sum = Accounting::default();
    for request in requests {
        let (end, attempts) = match request.end {
            End::Skipped => (lab_record::End::Dropped, 0),
            End::Unanswered { .. } => (lab_record::End::TimedOut, 1),
            End::Answered { correct: false, .. } => (lab_record::End::Failed, 1),
            End::Answered { .. } => (lab_record::End::Completed, 1),
        };
        sum += Accounting { attempts, ..Accounting::one(end) };
    }
    sum
}

fn count_what_met_the_stall<'a>(
    ctx: &mut Ctx,
    setup: &Setup,
    requests: impl Iterator<Item = &'a Request>,
) {
    let (mut sent_in_stall, mut stalled, mut answered) = (0, 0, 0);
    for request in requests {
        let End::Answered { sent, at, .. } = request.end else { continue };
        answered += 1;
        sent_in_stall += u64::from(setup.stall.holds(request.intended) && setup.stall.holds(sent));
        // Asked in the stall, or just before; only the stall takes that long.
        let through = sent < setup.stall.until() && setup.stall.until() <= at;
        stalled += u64::from(through && at - sent > setup.stall.length / 2);
    }
    asked_in_stall(ctx, setup, sent_in_stall);
    ctx.proportion("stalled_samples", stalled, answered);
    // In a stall shorter than their period, some connections ask nothing.
    if setup.stall.length.is_zero() || setup.period() <= setup.stalled_span() {
        let each = stalled as f64 / f64::from(setup.connections);
        ctx.metric("stalled_samples_per_connection", each, "samples");
    }
}

/// How many requests were sent while the server stood still, of those that users of this rate
/// would have sent: what a coordinated tool omits.
pub(crate) fn asked_in_stall(ctx: &mut Ctx, setup: &Setup, sent: u64) {
    let due = (setup.rate * setup.stalled_span().as_secs_f64()).round() as u64;
    if due > 0 {
        // The edges of the stall may fall so that one more is in it.
        ctx.proportion("asked_in_stall", sent.min(due), due);
    }
}
