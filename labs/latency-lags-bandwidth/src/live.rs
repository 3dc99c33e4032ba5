//! The same page over sockets: a server on loopback, behind a link that holds back what passes.
//!
//! A link on loopback does not delay the kernel's handshake, and no name is looked up: an
//! exchange of a byte stands for each round trip of these. The kernel's slow start ends before a
//! byte is delayed, so live windows are wide from the beginning.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use lab_kit::loopback::{Link, serving};
use lab_kit::sim::Nanos;
use lab_kit::stats::median;
use lab_kit::{Clock, Ctx};

use crate::page::{Browser, sizes};

/// The longest turn of a live trial.
const LONGEST: Duration = Duration::from_secs(10);

/// Requests of a byte, in a chain and overlapped.
pub(crate) fn requests(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (requests, overlapped) = (ctx.int("requests"), ctx.text("asks") == "at-once");
    let browser = Browser::of(ctx.settings());
    if takes_too_long(ctx, 2 * browser.delay * requests) {
        return Ok(());
    }
    let [mut chain, mut at_once] = [Vec::new(), Vec::new()];
    over_link(ctx, &browser, None, |address, clock, span| {
        let mut stream = open(address, 0)?;
        while clock.now() < span || at_once.is_empty() {
            let begun = Instant::now();
            (0..requests).try_for_each(|_| exchange(&mut stream, 1))?;
            chain.push(begun.elapsed());
            let begun = Instant::now();
            if overlapped {
                (0..requests).try_for_each(|_| ask(&mut stream, 1))?;
                take(&mut stream, requests)?;
            } else {
                (0..requests).try_for_each(|_| exchange(&mut stream, 1))?;
            }
            at_once.push(begun.elapsed());
        }
        Ok(())
    })?;
    in_trips(ctx, &browser, "chain", &chain);
    in_trips(ctx, &browser, "overlapped", &at_once);
    Ok(())
}

/// The first byte of a page, again and again.
pub(crate) fn first_byte(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (browser, mut took) = (Browser::of(ctx.settings()), Vec::new());
    if ctx.is_live() {
        if takes_too_long(ctx, 2 * browser.delay * browser.trips()) {
            return Ok(());
        }
        over_link(ctx, &browser, None, |address, clock, span| {
            while clock.now() < span || took.is_empty() {
                let begun = Instant::now();
                open(address, browser.trips())?;
                took.push(begun.elapsed());
            }
            Ok(())
        })?;
    } else {
        took.push(Duration::from_nanos(browser.load(&[1])?.first_byte));
    }
    in_trips(ctx, &browser, "first_byte", &took);
    Ok(())
}

/// Whether one turn of a trial would take longer than a user waits; then the trial is invalid.
fn takes_too_long(ctx: &mut Ctx, turn: Nanos) -> bool {
    let turn = Duration::from_nanos(turn);
    if turn > LONGEST {
        ctx.invalid(format!(
            "a turn takes {turn:.0?}, more than {LONGEST:?}: too long to run live"
        ));
    }
    turn > LONGEST
}

/// Files the median of these times, in round trips.
fn in_trips(ctx: &mut Ctx, browser: &Browser, name: &str, times: &[Duration]) {
    let ns: Vec<f64> = times.iter().map(|time| time.as_nanos() as f64).collect();
    let trip = 2.0 * browser.delay as f64;
    if trip == 0.0 {
        ctx.invalid("a round trip takes no time: nothing can be counted in round trips");
        return;
    }
    ctx.metric(name, median(ns).unwrap_or_default() / trip, "round trips");
}

/// Whole pages at a bandwidth and at twice that, beside what the model says of the same pages.
pub(crate) fn page(ctx: &mut Ctx) -> anyhow::Result<()> {
    let browser = Browser { first_window: 1 << 30, ..Browser::of(ctx.settings()) };
    let twice = Browser { bytes_per_second: 2.0 * browser.bytes_per_second, ..browser };
    if takes_too_long(ctx, browser.load(&sizes(ctx.settings(), ctx.seed(), 0))?.all) {
        return Ok(());
    }
    // A client, the link and the server have a socket each, on both sides.
    lab_kit::allow_open_files(6 * browser.connections as u64 + 100)?;
    let mut page = 0;
    let mut times = [(); 4].map(|()| Duration::ZERO);
    let clock = Clock::live();
    while clock.now() < ctx.timeline().span() || page == 0 {
        let sizes = sizes(ctx.settings(), ctx.seed(), page);
        for (browser, times) in [browser, twice].iter().zip(times.chunks_exact_mut(2)) {
            let rate = Some(browser.bytes_per_second);
            over_link(ctx, browser, rate, |address, _, _| {
                times[0] += load(browser, address, &sizes)?;
                Ok(())
            })?;
            times[1] += Duration::from_nanos(browser.load(&sizes)?.all);
        }
        page += 1;
    }
    let names = ["page", "page_modelled", "page_at_twice", "page_at_twice_modelled"];
    for (name, time) in names.iter().zip(times) {
        ctx.metric(name, time.as_nanos() as f64 / page as f64, "ns");
    }
    Ok(())
}

/// Loads a page as the model does, and returns how long it took.
fn load(browser: &Browser, address: SocketAddr, sizes: &[u64]) -> io::Result<Duration> {
    let begun = Instant::now();
    let mut first = open(address, browser.trips() - 1)?;
    let (document, rest) = sizes.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    exchange(&mut first, *document)?;
    let wanted = Mutex::new(rest.iter());
    let fetch = |mut stream: TcpStream| {
        while let Some(size) = wanted.lock().ok().and_then(|mut wanted| wanted.next()) {
            exchange(&mut stream, *size)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let opened = || fetch(open(address, browser.opening_trips())?);
        let others: Vec<_> =
            (1..browser.connections.min(sizes.len())).map(|_| scope.spawn(opened)).collect();
        let own = fetch(first);
        others
            .into_iter()
            .map(|other| other.join().expect("it does not panic"))
            .fold(own, io::Result::and)
    })?;
    Ok(begun.elapsed())
}

/// Runs `body` with the address of a server behind the browser's link.
fn over_link(
    ctx: &mut Ctx,
    browser: &Browser,
    bytes_per_second: Option<f64>,
    body: impl FnOnce(SocketAddr, Clock, Duration) -> io::Result<()>,
) -> anyhow::Result<()> {
    let link = Link { delay: Duration::from_nanos(browser.delay), bytes_per_second };
    let (clock, span) = (Clock::live(), ctx.timeline().span());
    ctx.began(clock);
    serving(answer, |server| link.relay(server, |address| body(address, clock, span)))???;
    Ok(())
}

/// A connection after this many exchanges.
fn open(address: SocketAddr, trips: u64) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    (0..trips).try_for_each(|_| exchange(&mut stream, 1))?;
    Ok(stream)
}

fn exchange(stream: &mut TcpStream, bytes: u64) -> io::Result<()> {
    ask(stream, bytes)?;
    take(stream, bytes)
}

/// Asks for this many bytes.
fn ask(stream: &mut TcpStream, bytes: u64) -> io::Result<()> {
    stream.write_all(&bytes.to_le_bytes())
}

fn take(stream: &mut TcpStream, bytes: u64) -> io::Result<()> {
    let came = io::copy(&mut stream.take(bytes), &mut io::sink())?;
    if came == bytes { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// The server: sends as many bytes as it is asked for.
fn answer(mut stream: TcpStream) {
    let mut wanted = [0; 8];
    while stream.read_exact(&mut wanted).is_ok() {
        let bytes = u64::from_le_bytes(wanted);
        if io::copy(&mut io::repeat(0).take(bytes), &mut stream).is_err() {
            break;
        }
    }
}
