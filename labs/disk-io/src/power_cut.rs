//! A disk that loses power: the file behind a loop device is copied while the store writes, and the
//! copy is mounted.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::sleep;
use std::time::Duration;

use lab_kit::thread::run as on_threads;
use lab_kit::volume::{Volume, on_ext4};
use lab_kit::{Clock, Ctx, scratch};
use rand::RngExt as _;

use crate::crash::{Crash, report};
use crate::log::{Disk, recovered};
use crate::store::Writers;

/// The size of the disk in bytes.
const DISK: u64 = 32 << 20;
/// How long the store has power, in microseconds.
const MOMENT_US: std::ops::Range<u64> = 10_000..60_000;
/// The name of the log.
const LOG: &str = "log";
/// The purpose of the random numbers.
const MOMENTS: u64 = 1;

/// A disk that gets no requests while it is copied: a copy takes a while, but a power cut does not.
struct Stopped<'a> {
    file: File,
    copying: &'a Mutex<()>,
}

impl Disk for Stopped<'_> {
    fn write(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        let _asks = self.copying.lock();
        self.file.write(bytes, at)
    }

    fn sync(&mut self) -> io::Result<()> {
        let _asks = self.copying.lock();
        self.file.sync()
    }
}

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some(image) = scratch::file_on_disk(ctx, 2 * DISK)? else { return Ok(()) };
    let Some(copy) = scratch::file_on_disk(ctx, DISK)? else { return Ok(()) };
    image.set_len(DISK)?;
    let (cuts, mut rng, writers) = (ctx.int("cuts"), ctx.rng(&[MOMENTS]), Writers::of(ctx));
    let cut = |volume: &Volume<'_>| {
        let moments = (0..cuts).map(|_| Duration::from_micros(rng.random_range(MOMENT_US)));
        moments.map(|moment| power_cut(&writers, volume, &copy, moment)).collect()
    };
    let crashes: Option<Vec<Crash>> = on_ext4(ctx, &image, cut)?;
    if let Some(crashes) = crashes {
        report(ctx, &crashes);
    }
    Ok(())
}

/// Writers put records into a new log, and the disk loses power after `moment`.
fn power_cut(
    writers: &Writers,
    volume: &Volume<'_>,
    copy: &File,
    moment: Duration,
) -> anyhow::Result<Crash> {
    let path = volume.path().join(LOG);
    let file = File::create(&path)?;
    File::open(volume.path())?.sync_all()?;
    let (copying, ended) = (Mutex::new(()), AtomicBool::new(false));
    let (store, disk, mut cut) = (writers.store(), Stopped { file, copying: &copying }, Ok(0));
    let goes_on = |_| !ended.load(Relaxed);
    let threads = writers.threads(&store, disk, DISK / 2, Clock::live(), goes_on);
    on_threads(threads, || {
        sleep(moment);
        let _stopped = copying.lock();
        let acknowledged = store.acknowledged();
        cut = volume.copy_to(copy).map(|()| acknowledged);
        ended.store(true, Relaxed);
    })?;
    let read = |dir: &Path| Ok(recovered(&fs::read(dir.join(LOG))?));
    let crash = Crash { acknowledged: cut?, found: volume.with_copy(copy, read)? };
    fs::remove_file(path)?;
    Ok(crash)
}
