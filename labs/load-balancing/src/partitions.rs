//! Data in many partitions: the effect of a hot key, how fast partitions are recovered, and what
//! replicating a few of them changes.

use lab_kit::sim::Zipf;
use lab_kit::{Ctx, CurveKind, seed};

use crate::balancer::one_of;
use crate::charts::{BY_PARTITIONS, BY_REPLICATED, HOTTEST};

/// Brooker's numbers of shards; each divides the largest.
const SHARDS: [usize; 3] = [2, 5, 10];
/// Points of a cumulative curve.
const POINTS: usize = 100;
/// The numbers of partitions per server, and of replicated partitions, to try.
const PARTITIONS: [u64; 7] = [1, 2, 5, 10, 20, 50, 100];
const REPLICATED: [u64; 8] = [0, 1, 2, 5, 10, 20, 50, 100];
/// Requests from which the servers' load is counted.
const REQUESTS: u64 = 1_000_000;

/// Purposes of random numbers, each with a stream of its own.
const SHUFFLE: u64 = 40;
const HASH: u64 = 41;
const DRAW: u64 = 42;

/// Distributes Zipf-distributed keys over equal shards at random, again and again: the hottest
/// shard's share of requests.
pub(crate) fn hot_shards(ctx: &mut Ctx) -> anyhow::Result<()> {
    let [_, _, most] = SHARDS;
    let size = ctx.int("keys") as usize / most;
    if size == 0 {
        ctx.invalid(format!("{} keys are fewer than {most} shards", ctx.int("keys")));
        return Ok(());
    }
    // Only as many keys as fill all shards equally, as Brooker does.
    let mut weights = weights((size * most) as u64, ctx.float("skew"));
    let runs = ctx.timeline().measure.as_secs().max(1);
    let mut rng = ctx.rng(&[SHUFFLE]);
    let mut hottest: [Vec<f64>; 3] = Default::default();
    for _ in 0..runs {
        for last in (1..weights.len()).rev() {
            weights.swap(last, one_of(last + 1, &mut rng));
        }
        let heats: Vec<f64> = weights.chunks(size).map(|shard| shard.iter().sum()).collect();
        for (shards, hottest) in SHARDS.iter().zip(&mut hottest) {
            let shards = heats.chunks(most / shards).map(|parts| parts.iter().sum());
            hottest.push(shards.fold(0.0, f64::max));
        }
    }
    let doubled = hottest[1].iter().filter(|heat| **heat >= 2.0 / SHARDS[1] as f64).count();
    ctx.proportion("doubled", doubled as u64, runs);
    for (name, mut heats) in HOTTEST.into_iter().zip(hottest) {
        heats.sort_unstable_by(f64::total_cmp);
        ctx.metric(name, heats[heats.len() - 1], "ratio");
        let upto = |i: usize| (heats[i * (heats.len() - 1) / POINTS], i as f64 / POINTS as f64);
        ctx.curve(name, CurveKind::Measured, ["ratio", "ratio"], (0..=POINTS).map(upto).collect());
    }
    Ok(())
}

/// A server fails, and each of the others reads some of its partitions from a log, one at a time:
/// the time that this takes, relative to one server reading all.
pub(crate) fn recovery(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (servers, most) = (ctx.int("servers"), ctx.int("partitions"));
    if servers == 1 {
        ctx.invalid("one server: no other is left to take its data");
        return Ok(());
    }
    if ctx.int("keys") < servers * most {
        ctx.invalid(format!("{} keys in {} partitions", ctx.int("keys"), servers * most));
        return Ok(());
    }
    let mut found = Vec::new();
    for parts in PARTITIONS.into_iter().filter(|parts| *parts < most).chain([most]) {
        let count = servers * parts;
        let mut sizes = vec![0_u64; count as usize];
        for key in 0..ctx.int("keys") {
            sizes[(seed::uniform(ctx.seed(), &[HASH, key]) * count as f64) as usize] += 1;
        }
        // The first partitions are those of the first server, which fails.
        let lost = &sizes[..parts as usize];
        let all = lost.iter().sum::<u64>().max(1) as f64;
        let mut takes = vec![0; servers as usize - 1];
        for size in lost {
            // The server with the least to read takes the next.
            if let Some(least) = takes.iter_mut().min() {
                *least += size;
            }
        }
        found.push((parts as f64, takes.into_iter().max().unwrap_or(0) as f64 / all));
        let steps = lost.iter().map(|size| *size as f64 / all);
        ctx.metric("largest_step", steps.clone().fold(0.0, f64::max), "ratio");
        ctx.metric("smallest_step", steps.fold(1.0, f64::min), "ratio");
    }
    ctx.metric("recovery", found[found.len() - 1].1, "ratio");
    let theory = found.iter().map(|(parts, _)| (*parts, 1.0 / parts)).collect();
    ctx.curve(BY_PARTITIONS, CurveKind::Theory, ["partitions", "ratio"], theory);
    ctx.curve(BY_PARTITIONS, CurveKind::Measured, ["partitions", "ratio"], found);
    Ok(())
}

/// Requests for Zipf-distributed keys, with the hottest partitions replicated on all servers: the
/// load of the hottest server over the mean. First, the best that moving partitions could achieve.
pub(crate) fn replication(ctx: &mut Ctx) -> anyhow::Result<()> {
    let [servers, parts, keys, most] =
        ["servers", "partitions", "keys", "replicated"].map(|knob| ctx.int(knob));
    let count = (servers * parts) as usize;
    let hash = |key: u64| (seed::uniform(ctx.seed(), &[HASH, key]) * count as f64) as usize;
    let partition_of: Vec<usize> = (0..keys).map(hash).collect();
    let mut heats = vec![0.0; count];
    for (partition, weight) in partition_of.iter().zip(weights(keys, ctx.float("skew"))) {
        heats[*partition] += weight;
    }
    let mut by_heat: Vec<usize> = (0..count).collect();
    by_heat.sort_by(|a, b| heats[*b].total_cmp(&heats[*a]));
    let mut rank = vec![0; count];
    by_heat.iter().enumerate().for_each(|(place, partition)| rank[*partition] = place as u64);
    ctx.metric("moved", moved(&by_heat, &heats, servers), "times");
    let zipf = Zipf::new(keys as u32, ctx.float("skew"))?;
    let mut found = Vec::new();
    for replicated in REPLICATED.into_iter().filter(|replicated| *replicated <= most) {
        let mut rng = ctx.rng(&[DRAW]);
        let mut load = vec![0_u64; servers as usize];
        for _ in 0..REQUESTS {
            let partition = partition_of[zipf.draw(&mut rng)];
            let any = one_of(servers as usize, &mut rng);
            let server =
                if rank[partition] < replicated { any } else { partition % servers as usize };
            load[server] += 1;
        }
        let hottest = load.into_iter().max().unwrap_or(0) as f64;
        found.push((replicated as f64, hottest * servers as f64 / REQUESTS as f64));
    }
    ctx.metric("hashed", found[0].1, "times");
    ctx.metric("replicated", found[found.len() - 1].1, "times");
    ctx.curve(BY_REPLICATED, CurveKind::Measured, ["partitions", "times"], found);
    Ok(())
}

/// The load of the hottest server over the mean if each partition goes to the coolest server,
/// hottest partition first (Graham 1969).
fn moved(by_heat: &[usize], heats: &[f64], servers: u64) -> f64 {
    let mut load = vec![0.0_f64; servers as usize];
    for partition in by_heat {
        if let Some(coolest) = load.iter_mut().min_by(|a, b| a.total_cmp(b)) {
            *coolest += heats[*partition];
        }
    }
    servers as f64 * load.into_iter().fold(0.0, f64::max)
}

/// Each key's share of all requests.
fn weights(keys: u64, skew: f64) -> Vec<f64> {
    let weights: Vec<f64> = (1..=keys).map(|rank| libm::pow(rank as f64, -skew)).collect();
    let all: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / all).collect()
}
