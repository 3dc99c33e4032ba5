//! A service of several nodes that loses some of them, simulated: replicas answer fewer queries,
//! partitions answer with less data.

use lab_kit::load::{Admission, Discipline, Queue};
use lab_kit::sim::Agenda;
use lab_kit::{Arrivals, Ctx, Schedule, seed};

/// Queries that wait at a node at most: so many that a burst is no loss.
const QUEUE: usize = 200;
/// What random numbers are drawn for.
const ROUTES: u64 = 1;

enum Event {
    Query(u64),
    End(usize),
}

/// Whole queries, each at one node of those that are left.
pub(crate) fn replicated(ctx: &mut Ctx) -> anyhow::Result<()> {
    run(ctx, |query, left| vec![(query * left as f64) as usize])
}

/// Each query at all nodes that are left, for their part of the data.
pub(crate) fn partitioned(ctx: &mut Ctx) -> anyhow::Result<()> {
    run(ctx, |_, left| (0..left).collect())
}

/// Files yield, queries answered of those asked, and harvest, data in an answer of what there is;
/// and how much more a node that is left has to do than before.
fn run(ctx: &mut Ctx, route: fn(f64, usize) -> Vec<usize>) -> anyhow::Result<()> {
    let (nodes, lost) = (ctx.int("nodes") as usize, ctx.int("lost") as usize);
    if lost >= nodes {
        ctx.invalid(format!("{lost} of {nodes} nodes are lost: nobody is left to ask"));
        return Ok(());
    }
    let (span, work) = (ctx.timeline().span(), ctx.duration("work"));
    // All nodes were busy before: as many whole queries a second as they can answer together.
    let rate = nodes as f64 / work.as_secs_f64();
    let arrivals = Arrivals::Poisson { rate }.plan(span, &mut ctx.rng(&[]));
    let Schedule::Open(starts) = arrivals else { anyhow::bail!("queries never wait") };
    let left = nodes - lost;
    let parts = route(0.0, nodes).len() as u32;
    let part = work / parts;
    let mut agenda = Agenda::until(span.as_nanos() as u64);
    for (query, at) in (0..).zip(&starts) {
        agenda.at(*at, Event::Query(query));
    }
    let queue = || Queue::new(Discipline::Fifo, Admission::UpTo(QUEUE));
    let mut queues: Vec<_> = (0..left).map(|_| (queue(), false)).collect();
    let (mut parts_asked, mut parts_served) = (0_u64, 0_u64);
    while let Some(event) = agenda.step()? {
        let now = std::time::Duration::from_nanos(agenda.now());
        match event {
            Event::Query(query) => {
                for node in route(seed::uniform(ctx.seed(), &[ROUTES, query]), left) {
                    parts_asked += 1;
                    let _ = queues[node].0.join(now, ());
                }
            }
            Event::End(node) => {
                queues[node].1 = false;
                parts_served += 1;
            }
        }
        for (node, (queue, is_busy)) in queues.iter_mut().enumerate() {
            if !*is_busy && let Some(Ok(())) = queue.next(now) {
                *is_busy = true;
                agenda.after(part.as_nanos() as u64, Event::End(node));
            }
        }
    }
    let busy_for = parts_asked as f64 * part.as_secs_f64() / left as f64;
    ctx.metric("load", busy_for / span.as_secs_f64(), "times");
    let (parts_left, queries) = (route(0.0, left).len() as f64, starts.len().max(1) as f64);
    ctx.metric("harvest", parts_left / f64::from(parts), "ratio");
    ctx.metric("yield", parts_served as f64 / (queries * parts_left), "ratio");
    Ok(())
}
