//! One stage and its two controllers, simulated: how many events it takes at a time, and how many
//! threads it has.

use std::collections::VecDeque;
use std::time::Duration;

use lab_kit::sim::{Agenda, Nanos};
use lab_kit::{Arrivals, Ctx, Schedule};

use crate::charts::THREADS;

/// Events of a full batch.
const FULL: usize = 16;
/// Loads of the batching stage, as multiples of its capacity with one event at a time.
const LITTLE: f64 = 0.2;
const MUCH: f64 = 3.0;
/// How often the thread controller checks the queue, the length that it tolerates, and the most
/// threads.
const LOOK: Duration = Duration::from_millis(100);
const LONG_QUEUE: usize = 10;
const MOST_THREADS: u32 = 20;
/// How long the threads of the other stage block, and how many threads its load needs.
const BLOCKED: Duration = Duration::from_millis(10);
const THREADS_NEEDED: f64 = 4.5;

/// The number of events that a stage takes at a time, given the number that wait.
type Takes = fn(usize) -> usize;

/// Measures each way to take events, at low load and at overload.
pub(crate) fn batching(ctx: &mut Ctx) -> anyhow::Result<()> {
    let ways: [(&str, Takes); 3] = [
        ("one", |waiting| waiting.min(1)),
        // Waits for a full batch.
        ("full", |waiting| if waiting < FULL { 0 } else { FULL }),
        // Takes what is there, up to a full batch.
        ("controlled", |waiting| waiting.min(FULL)),
    ];
    for (name, takes) in ways {
        let (response_ns, _) = in_batches(ctx, takes, LITTLE)?;
        let (_, throughput) = in_batches(ctx, takes, MUCH)?;
        ctx.metric(&format!("response_{name}"), response_ns, "ns");
        ctx.metric(&format!("throughput_{name}"), throughput, "req/s");
    }
    Ok(())
}

/// The mean response in nanoseconds and the events a second of a stage that takes `overhead` for
/// each batch and `work` for each event.
fn in_batches(ctx: &Ctx, takes: Takes, load: f64) -> anyhow::Result<(f64, f64)> {
    let (work, overhead) = (ctx.duration("work"), ctx.duration("overhead"));
    let span = ctx.timeline().span();
    let rate = load / (work + overhead).as_secs_f64();
    let arrivals = Arrivals::Poisson { rate }.plan(span, &mut ctx.rng(&[]));
    let Schedule::Open(starts) = arrivals else { anyhow::bail!("events never wait") };
    let mut starts = starts.into_iter().peekable();
    let (mut waiting, mut now): (VecDeque<Nanos>, Nanos) = (VecDeque::new(), 0);
    let (mut sum_ns, mut count) = (0, 0_u64);
    while (now as u128) < span.as_nanos() {
        while let Some(came) = starts.next_if(|at| *at <= now) {
            waiting.push_back(came);
        }
        let batch: Vec<Nanos> = waiting.drain(..takes(waiting.len())).collect();
        if batch.is_empty() {
            let Some(next) = starts.peek() else { break };
            now = *next;
            continue;
        }
        now += (overhead + work * batch.len() as u32).as_nanos() as u64;
        sum_ns += batch.iter().map(|came| now - came).sum::<u64>();
        count += batch.len() as u64;
    }
    Ok((sum_ns as f64 / count.max(1) as f64, count as f64 / span.as_secs_f64()))
}

enum Event {
    Arrival,
    End,
    Look,
}

/// A stage whose threads block, and a controller that starts a thread when the queue is long.
pub(crate) fn threads(ctx: &mut Ctx) -> anyhow::Result<()> {
    let span = ctx.timeline().span();
    let most = if ctx.text("thread-controller") == "on" { MOST_THREADS } else { 1 };
    let rate = THREADS_NEEDED / BLOCKED.as_secs_f64();
    let arrivals = Arrivals::Poisson { rate }.plan(span, &mut ctx.rng(&[]));
    let Schedule::Open(starts) = arrivals else { anyhow::bail!("events never wait") };
    let mut agenda = Agenda::until(span.as_nanos() as u64);
    starts.iter().for_each(|at| agenda.at(*at, Event::Arrival));
    agenda.at(LOOK.as_nanos() as u64, Event::Look);
    let (mut queue, mut threads, mut busy) = (0_usize, 1, 0);
    let (mut late, mut served) = (0_u64, 0_u64);
    let mut points = vec![(0.0, 1.0)];
    while let Some(event) = agenda.step()? {
        let half = 2 * u128::from(agenda.now()) >= span.as_nanos();
        match event {
            Event::Arrival => (queue, late) = (queue + 1, late + u64::from(half)),
            Event::End => (busy, served) = (busy - 1, served + u64::from(half)),
            Event::Look => {
                threads = if queue > LONG_QUEUE { most.min(threads + 1) } else { threads };
                points.push((agenda.now() as f64 / 1e9, f64::from(threads)));
                agenda.after(LOOK.as_nanos() as u64, Event::Look);
            }
        }
        while busy < threads && queue > 0 {
            (busy, queue) = (busy + 1, queue - 1);
            agenda.after(BLOCKED.as_nanos() as u64, Event::End);
        }
    }
    // In the second half, when the controller has settled.
    ctx.metric("served", served as f64 / late.max(1) as f64, "ratio");
    ctx.metric("threads", f64::from(threads), "count");
    ctx.gauge(THREADS, "threads", points);
    Ok(())
}
