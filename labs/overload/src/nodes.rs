//! A service of several nodes that loses some of them, simulated: replicas answer fewer queries,
//! partitions answer with less data.

use lab_kit::load::{Admission, Discipline, Queue};
use lab_kit::sim::Agenda;
use lab_kit::{Arrivals, Ctx, Schedule, seed};

/// The most queries that wait at a node: enough to absorb a burst.
const QUEUE: usize = 200;
/// The purpose of the random numbers.
const ROUTES: u64 = 1;

enum Event {
    Query(u64),
    End(usize),
}

/// Each query goes to one of the nodes that are left.
pub(crate) fn replicated(ctx: &mut Ctx) -> anyhow::Result<()> {
    run(ctx, |query, left| vec![(query * left as f64) as usize])
}

/// Each query goes to all nodes that are left, each for its part of the data.
pub(crate) fn partitioned(ctx: &mut Ctx) -> anyhow::Result<()> {
    run(ctx, |_, left| (0..left).collect())
}

/// Records the yield (the share of queries that are answered), the harvest (the share of the data
/// in an answer), and the load of a node that is left relative to before.
fn run(ctx: &mut Ctx, route: fn(f64, usize) -> Vec<usize>) -> anyhow::Result<()> {
    let (nodes, lost) = (ctx.int("nodes") as usize, ctx.int("lost") as usize);
    if lost >= nodes {
        ctx.invalid(format!("{lost} of {nodes} nodes are lost: none is left to ask"));
        return Ok(());
    }
    let (span, work) = (ctx.timeline().span(), ctx.duration("work"));
    // All nodes were busy before: the load is what they can answer together, in queries a second.
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
