//! One thread that writes, in the sizes and ways that the knobs choose: where does the time of a
//! write go, and how much reaches the disk?

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use lab_kit::proc::Io;
use lab_kit::scratch::{self, PAGE, with_aligned};
use lab_kit::thread::{ThreadClock, ThreadTime};
use lab_kit::{Clock, Ctx};

/// The writes of a pass: small ones, and one large one in every `every`.
struct Pass {
    small: u64,
    large: u64,
    every: u64,
    first: u64,
    bytes: u64,
    appends: bool,
}

impl Pass {
    fn of(ctx: &Ctx) -> Self {
        Self {
            small: ctx.int("small"),
            large: ctx.int("large"),
            every: ctx.int("every"),
            first: ctx.int("first"),
            bytes: ctx.int("pass-mib") << 20,
            appends: ctx.text("at") == "end",
        }
    }

    fn is_large(&self, turn: u64) -> bool {
        turn % self.every == self.first
    }
}

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let pass = Pass::of(ctx);
    let Some(file) = scratch::file_on_disk(ctx, pass.bytes + pass.large)? else { return Ok(()) };
    let (cached, sync) = (ctx.text("cache") == "used", ctx.text("sync").to_owned());
    let whole = |bytes: u64| bytes.is_multiple_of(PAGE as u64);
    if !(cached || whole(pass.small) && whole(pass.large)) {
        let reason = "past the page cache a write is of whole pages of 4,096 B";
        ctx.unavailable(reason, "--set small=4096 --set large=4096");
        return Ok(());
    }
    let opened = match (cached, sync.as_str()) {
        (false, _) => scratch::try_past_the_cache(ctx, &file),
        (true, "o-sync") => Some(scratch::synced(&file)?),
        (true, _) => Some(file.try_clone()?),
    };
    let Some(writes_to) = opened else { return Ok(()) };
    let clocks = match ThreadClock::here() {
        Ok(clocks) => clocks,
        Err(error) => {
            ctx.unavailable(error.to_string(), "a kernel with CONFIG_SCHED_INFO");
            return Ok(());
        }
    };
    let device = scratch::device(&file)?;
    let written = || device.as_ref().map(|device| Ok::<_, io::Error>(device.read()?.writes.bytes));
    let before = written().transpose()?;
    let own = Writer { pass, file: writes_to, syncs: sync == "fdatasync" };
    let (account, done) = Io::of(|| own.until_the_end(ctx, &clocks))?;
    let (all, bytes) = (done.time.wall.as_secs_f64(), done.bytes as f64);
    for (name, time) in
        [("ran", done.time.ran), ("queued", done.time.waited), ("blocked", done.time.blocked())]
    {
        ctx.metric(name, time.as_secs_f64() / all, "ratio");
    }
    if own.pass.large != own.pass.small {
        ctx.proportion("large_writes", done.large, done.writes);
    }
    ctx.metric("size", bytes / done.writes as f64, "B");
    ctx.metric("physical", account.stored_bytes as f64 / bytes, "times");
    if let (Some(before), Some(after)) = (before, written().transpose()?) {
        ctx.metric("device", (after - before) as f64 / bytes, "times");
    }
    Ok(())
}

struct Writer {
    pass: Pass,
    file: File,
    syncs: bool,
}

/// What the writer did in the whole trial.
#[derive(Default)]
struct Done {
    writes: u64,
    large: u64,
    bytes: u64,
    time: ThreadTime,
}

impl Writer {
    fn until_the_end(&self, ctx: &mut Ctx, clocks: &ThreadClock) -> anyhow::Result<Done> {
        let (pass, timeline, mut series) = (&self.pass, ctx.timeline(), ctx.series());
        let (mut done, mut turn, mut at) = (Done::default(), 0, 0);
        let clock = Clock::live();
        ctx.began(clock);
        with_aligned(pass.small.max(pass.large) as usize, |bytes| {
            bytes.fill(1);
            let from = clocks.now();
            loop {
                let begun = clock.now();
                if begun >= timeline.span() {
                    break;
                }
                let (place, large) = (if pass.appends { at } else { 0 }, pass.is_large(turn));
                let size =
                    if large { self.dump(bytes, place)? } else { self.record(bytes, place)? };
                series.record(begun, clock.now() - begun);
                done.writes += 1;
                done.bytes += size;
                done.large += u64::from(large);
                (turn, at) = (turn + 1, at + size);
                if at >= pass.bytes {
                    self.file.set_len(0)?;
                    (turn, at) = (0, 0);
                }
            }
            done.time = clocks.now() - from;
            Ok::<_, anyhow::Error>(())
        })?;
        ctx.save("write", series)?;
        Ok(done)
    }

    /// Not inlined, like the next function, so that a flame graph shows both.
    #[inline(never)]
    fn record(&self, bytes: &[u8], at: u64) -> io::Result<u64> {
        self.write(&bytes[..self.pass.small as usize], at)
    }

    #[inline(never)]
    fn dump(&self, bytes: &[u8], at: u64) -> io::Result<u64> {
        self.write(&bytes[..self.pass.large as usize], at)
    }

    fn write(&self, bytes: &[u8], at: u64) -> io::Result<u64> {
        self.file.write_all_at(bytes, at)?;
        if self.syncs {
            self.file.sync_data()?;
        }
        Ok(bytes.len() as u64)
    }
}
