//! Which server has a key: by a point on a ring, a table of shards, or a remainder.

use lab_kit::{Ctx, CurveKind, seed};

use crate::charts::{BY_POINTS, MOVED, UNEVEN};
use crate::theory::largest_arc;

/// The numbers of points per server to try.
const POINTS: [u64; 8] = [1, 2, 5, 10, 20, 50, 100, 200];
/// Hosts as they are added, from Notion's 32 databases to its 96.
pub(crate) const HOSTS: [usize; 6] = [32, 40, 48, 60, 80, 96];
/// More points than this on a ring take minutes.
const MOST: u64 = 1_000_000;

/// The number of hash values of which a modulus is taken.
const ROOM: f64 = (1_u64 << 40) as f64;

/// Purposes of random numbers, each with a stream of its own.
const PLACE: u64 = 30;
const KEY: u64 = 31;

/// The servers' points on a ring of length 1, in order. A point's server has the keys from the
/// previous point up to it.
struct Ring(Vec<(f64, usize)>);

impl Ring {
    /// A server's points do not depend on the other servers.
    fn new(seed: u64, number: u64, servers: u64, points: u64) -> Self {
        let place = |server, point| seed::uniform(seed, &[PLACE, number, server, point]);
        let of = |server| (0..points).map(move |point| (place(server, point), server as usize));
        let mut ring: Vec<(f64, usize)> = (0..servers).flat_map(of).collect();
        ring.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        Self(ring)
    }

    fn owner(&self, place: f64) -> usize {
        let next = self.0.partition_point(|(point, _)| *point < place);
        self.0[next % self.0.len()].1
    }

    /// The largest share of a server, over the mean share.
    fn hottest(&self, servers: u64) -> f64 {
        let mut shares = vec![0.0; servers as usize];
        let mut before = self.0[self.0.len() - 1].0 - 1.0;
        for (point, server) in &self.0 {
            shares[*server] += point - before;
            before = *point;
        }
        servers as f64 * shares.into_iter().fold(0.0, f64::max)
    }
}

/// The mean over many rings of the hottest server's share over the mean share, by the points of
/// each server.
pub(crate) fn ring(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (servers, most) = (ctx.int("servers"), ctx.int("points"));
    if servers * most > MOST {
        ctx.invalid(format!(
            "{servers} servers with {most} points each: a ring has {MOST} at most"
        ));
        return Ok(());
    }
    let rings = (ctx.timeline().measure.as_secs() * 100_000 / (servers * most)).clamp(10, 1_000);
    let mut found = Vec::new();
    for points in POINTS.into_iter().filter(|points| *points <= most) {
        let hottest = |number| Ring::new(ctx.seed(), number, servers, points).hottest(servers);
        found.push((points as f64, (0..rings).map(hottest).sum::<f64>() / rings as f64));
    }
    let units = ["points", "times"];
    ctx.curve(BY_POINTS, CurveKind::Theory, units, vec![(1.0, largest_arc(servers))]);
    ctx.curve(BY_POINTS, CurveKind::Measured, units, found);
    Ok(())
}

/// Adds hosts to a table of shards, a ring and a modulus: how much of the data moves, and how much
/// more data than the mean the hottest host has.
pub(crate) fn growth(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (shards, keys, points) = (ctx.int("shards") as usize, ctx.int("keys"), ctx.int("points"));
    let places: Vec<f64> = (0..keys).map(|key| seed::uniform(ctx.seed(), &[KEY, key])).collect();
    let mut table: Vec<usize> = (0..shards).map(|shard| shard % HOSTS[0]).collect();
    let by_table = HOSTS.map(|hosts| {
        level(&mut table, hosts);
        table.clone()
    });
    let by_ring = HOSTS.map(|hosts| {
        let ring = Ring::new(ctx.seed(), 0, hosts as u64, points);
        places.iter().map(|place| ring.owner(*place)).collect()
    });
    let by_remainder = HOSTS.map(|hosts| {
        places.iter().map(|place| (place * ROOM) as usize % hosts).collect::<Vec<_>>()
    });
    for (owners, (moved, uneven)) in
        [by_table, by_ring, by_remainder].iter().zip(MOVED.into_iter().zip(UNEVEN))
    {
        let differ = |step: &[Vec<usize>]| {
            let pairs = step[0].iter().zip(&step[1]);
            pairs.filter(|(before, now)| before != now).count() as f64 / step[0].len() as f64
        };
        let at = HOSTS.iter().map(|hosts| *hosts as f64);
        let points = at.clone().skip(1).zip(owners.windows(2).map(differ)).collect();
        ctx.curve(moved, CurveKind::Measured, ["hosts", "ratio"], points);
        let hottest = HOSTS.iter().zip(owners).map(|(hosts, owners)| {
            let most = counts(owners, *hosts).into_iter().max().unwrap_or(0);
            (most * hosts) as f64 / owners.len() as f64
        });
        ctx.curve(uneven, CurveKind::Measured, ["hosts", "times"], at.zip(hottest).collect());
    }
    Ok(())
}

/// Moves shards, one at a time, from the fullest host to the emptiest, as long as that helps.
fn level(table: &mut [usize], hosts: usize) {
    loop {
        let counts = counts(table, hosts);
        let most = counts.iter().max().copied().unwrap_or(0);
        let least = counts.iter().min().copied().unwrap_or(0);
        if most - least <= 1 {
            return;
        }
        let emptiest = counts.iter().position(|count| *count == least).unwrap_or(0);
        if let Some(shard) = table.iter().position(|host| counts[*host] == most) {
            table[shard] = emptiest;
        }
    }
}

fn counts(owners: &[usize], hosts: usize) -> Vec<usize> {
    let mut counts = vec![0; hosts];
    owners.iter().for_each(|host| counts[*host] += 1);
    counts
}
