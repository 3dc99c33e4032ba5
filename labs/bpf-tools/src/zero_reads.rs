//! Reads that succeed and bring nothing, in a loop, for syscount.

use std::fs::File;
use std::io::IoSliceMut;

use lab_kit::Ctx;
use lab_kit::proc::Io;

/// By readv, which nothing else in this process calls: so all that a tool counts of it is ours.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (count, bytes) = (ctx.int("zero-reads"), ctx.int("read-bytes"));
    let (zero, mut buffer, mut empty) = (File::open("/dev/zero")?, vec![0; bytes as usize], 0_u64);
    let (account, ()) = Io::of(|| {
        for _ in 0..count {
            let read = rustix::io::readv(&zero, &mut [IoSliceMut::new(&mut buffer)])?;
            empty += u64::from(read == 0);
        }
        Ok::<_, std::io::Error>(())
    })?;
    ctx.metric("planned", count as f64, "count");
    ctx.metric("empty", empty as f64, "count");
    ctx.metric("reads", account.reads as f64, "count");
    ctx.metric("bytes", account.read_bytes as f64, "B");
    Ok(())
}
