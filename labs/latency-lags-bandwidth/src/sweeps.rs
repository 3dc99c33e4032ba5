//! One page over many links: of growing bandwidth, and of a growing round trip.

use std::time::Duration;

use lab_kit::{Ctx, CurveKind};

use crate::charts::{BY_BANDWIDTH, BY_RTT};
use crate::page::Browser;

/// In Mb/s.
const BANDWIDTHS: [u64; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
/// In milliseconds, 20 apart.
const ROUND_TRIPS: [u64; 13] = [0, 20, 40, 60, 80, 100, 120, 140, 160, 180, 200, 220, 240];

/// Page times at each bandwidth, and the time to transmit this many bytes.
pub(crate) fn bandwidths(ctx: &mut Ctx) -> anyhow::Result<()> {
    let page_bits = (ctx.int("page-kib") << 10) as f64 * 8.0;
    let transmission = BANDWIDTHS.map(|mbps| (mbps as f64, page_bits / mbps as f64 * 1e3));
    ctx.curve(BY_BANDWIDTH, CurveKind::Theory, ["Mb/s", "ns"], transmission.to_vec());
    sweep(ctx, BY_BANDWIDTH, "Mb/s", &BANDWIDTHS, |browser, mbps| {
        browser.bytes_per_second = mbps as f64 * 1e6 / 8.0;
    })
}

/// Page times at each round trip.
pub(crate) fn round_trips(ctx: &mut Ctx) -> anyhow::Result<()> {
    sweep(ctx, BY_RTT, "ms", &ROUND_TRIPS, |browser, ms| {
        browser.delay = Duration::from_millis(ms).as_nanos() as u64 / 2;
    })
}

/// As many pages at each point as the trial has seconds.
fn sweep(
    ctx: &mut Ctx,
    curve: &str,
    unit: &str,
    points: &[u64],
    set: fn(&mut Browser, u64),
) -> anyhow::Result<()> {
    let pages = ctx.timeline().span().as_secs().max(1);
    let point = |x: &u64| {
        let mut browser = Browser::of(ctx.settings());
        set(&mut browser, *x);
        Ok((*x as f64, browser.mean(ctx.settings(), ctx.seed(), pages)?))
    };
    let points = points.iter().map(point).collect::<anyhow::Result<_>>()?;
    ctx.curve(curve, CurveKind::Measured, [unit, "ns"], points);
    Ok(())
}
