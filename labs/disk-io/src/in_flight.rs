//! One thread that keeps many writes in flight, with io_uring.

use std::os::fd::AsRawFd as _;

use anyhow::ensure;
use io_uring::{IoUring, opcode, types::Fd};
use lab_kit::scratch::{self, PAGE, with_aligned};
use lab_kit::{Clock, Ctx};

/// Pages that are written again and again, so that they are allocated already.
const PAGES: u64 = 4_096;

/// One write is in flight for half of the span, many for the other half.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let bytes = PAGES as usize * PAGE;
    let Some(file) = scratch::file_on_disk(ctx, bytes as u64)? else { return Ok(()) };
    let Some(direct) = scratch::try_past_the_cache(ctx, &file) else { return Ok(()) };
    let depth = ctx.int("depth") as u32;
    let mut ring = match IoUring::new(depth) {
        Ok(ring) => ring,
        Err(error) => {
            let fix = "sysctl kernel.io_uring_disabled=0, outside of a container that forbids it";
            ctx.unavailable(format!("no io_uring: {error}"), fix);
            return Ok(());
        }
    };
    scratch::fill(&direct, bytes)?;
    let half = ctx.timeline().span() / 2;
    let clock = Clock::live();
    ctx.began(clock);
    with_aligned(PAGE, |page| {
        let mut rates = [0.0; 2];
        for (rate, depth) in rates.iter_mut().zip([1, depth]) {
            let (from, mut begun, mut ended) = (clock.now(), 0, 0_u64);
            loop {
                let goes_on = clock.now() - from < half;
                while goes_on && begun - ended < u64::from(depth) {
                    let at = begun % PAGES * PAGE as u64;
                    let fd = Fd(direct.as_raw_fd());
                    let write = opcode::Write::new(fd, page.as_ptr(), PAGE as u32).offset(at);
                    // SAFETY: the page and the file outlive the ring's last completion.
                    unsafe { ring.submission().push(&write.build())? };
                    begun += 1;
                }
                if begun == ended {
                    break;
                }
                ring.submit_and_wait(1)?;
                for entry in ring.completion() {
                    ensure!(entry.result() == PAGE as i32, "a write: {}", entry.result());
                    ended += 1;
                }
            }
            *rate = ended as f64 / (clock.now() - from).as_secs_f64();
        }
        ctx.metric("alone", rates[0], "1/s");
        ctx.metric("in_flight", rates[1], "1/s");
        Ok(())
    })
}
