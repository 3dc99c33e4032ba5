//! Programs to sample, whose truth is known: the tests compare what the sampler says of them with
//! what they do.
//!
//! `workload shares THREADS MILLIS` and so on: see [`run`]. MILLIS are of each thread's own CPU
//! time, so that a run does the same work however busy the machine is.

use std::hint::black_box;
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs, panic, thread};

use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Some(()) => ExitCode::SUCCESS,
        None => {
            eprintln!("workload: unknown {args:?}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &[&str]) -> Option<()> {
    match args {
        ["shares", threads, millis] => shares(threads.parse().ok()?, self::millis(millis)?),
        ["spin", millis] => spin(self::millis(millis)?),
        ["pinned", cpu, millis] => {
            pin(cpu.parse().ok()?);
            spin(self::millis(millis)?);
        }
        ["churn", threads] => churn(threads.parse().ok()?),
        ["fleeting", threads, millis] => fleeting(threads.parse().ok()?, self::millis(millis)?),
        ["calls", millis] => calls(self::millis(millis)?),
        ["deep", frames, millis] => deep(frames.parse().ok()?, self::millis(millis)?),
        ["echo", millis] => echo(self::millis(millis)?),
        ["unlinked", millis] => {
            fs::remove_file(env::current_exe().ok()?).ok()?;
            spin(self::millis(millis)?);
        }
        #[cfg(target_arch = "x86_64")]
        ["generated", millis] => generated(self::millis(millis)?, false),
        #[cfg(target_arch = "x86_64")]
        ["named", millis] => generated(self::millis(millis)?, true),
        ["large-frame", millis] => large_frame(self::millis(millis)?),
        ["touch", mebibytes] => touch_fresh(mebibytes.parse().ok()?),
        _ => return None,
    }
    Some(())
}

/// Units of work between two looks at the clock, which is a system call: so it takes next to no
/// time.
const BETWEEN_LOOKS: usize = 20;

fn millis(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_millis)
}

/// This thread's CPU time so far.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// 70, 20 and 10 % of the CPU time in three functions: all work comes in one unit, and of each ten
/// units seven, two and one belong to them. The order is shuffled, to keep out of step with any
/// sampler.
fn shares(threads: usize, each: Duration) {
    let worker = move |seed: u64| {
        let mut order = [0, 0, 0, 0, 0, 0, 0, 1, 1, 2];
        let mut random = seed;
        while cpu_time() < each {
            for _ in 0..BETWEEN_LOOKS / order.len() {
                for last in (1..order.len()).rev() {
                    random = next(random);
                    order.swap(last, (random >> 33) as usize % (last + 1));
                }
                for function in order {
                    [seven, two, one][function](&mut random);
                }
            }
        }
    };
    let workers: Vec<_> =
        (1..=threads as u64).map(|seed| thread::spawn(move || worker(seed))).collect();
    for worker in workers {
        worker.join().expect("a worker does not panic");
    }
}

#[inline(never)]
fn seven(random: &mut u64) {
    unit(random);
    black_box(());
}

#[inline(never)]
fn two(random: &mut u64) {
    unit(random);
    black_box(());
}

#[inline(never)]
fn one(random: &mut u64) {
    unit(random);
    black_box(());
}

/// Some microseconds of arithmetic.
#[inline(never)]
fn unit(random: &mut u64) {
    for _ in 0..2_000 {
        *random = next(*random);
    }
    black_box(random);
}

fn next(random: u64) -> u64 {
    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

fn spin(for_cpu: Duration) {
    let mut random = 1;
    while cpu_time() < for_cpu {
        for _ in 0..BETWEEN_LOOKS {
            unit(&mut random);
        }
    }
}

fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).expect("a CPU we may run on");
}

/// Threads that panic deep in their stacks, four at a time: unwinding and thread ends are where
/// profilers crash.
fn churn(threads: usize) {
    panic::set_hook(Box::new(|_| {}));
    let mut caught = 0;
    for _ in 0..threads / 4 {
        let four = [(); 4].map(|()| thread::spawn(|| panic::catch_unwind(|| dive(20)).is_err()));
        for thread in four {
            caught += usize::from(thread.join().expect("the panic was caught"));
        }
    }
    println!("caught {caught}");
}

#[inline(never)]
fn dive(depth: u32) -> u32 {
    let mut random = 1;
    unit(&mut random);
    assert!(depth > 0, "the bottom");
    // Something to drop on the way up.
    let held = vec![depth; 10];
    dive(depth - 1) + black_box(&held)[0]
}

/// One thread after the other, each living for `each` of CPU time.
fn fleeting(threads: usize, each: Duration) {
    for _ in 0..threads {
        thread::spawn(move || spin(each)).join().expect("spinning does not panic");
    }
}

/// Half and half in user space and, looking at the clock, in the kernel.
fn calls(for_cpu: Duration) {
    let mut random = 1;
    while cpu_time() < for_cpu {
        unit(&mut random);
        for _ in 0..40 {
            black_box(cpu_time());
        }
    }
}

/// Spins at the bottom of `frames` calls, each of which takes 64 bytes of stack or more.
#[inline(never)]
fn deep(frames: usize, for_cpu: Duration) {
    let held = black_box([frames; 4]);
    if frames == 0 {
        spin(for_cpu);
    } else {
        deep(held[0] - 1, for_cpu);
    }
    black_box(held);
}

/// Works beneath a frame that is larger than what is copied of a stack.
#[inline(never)]
fn large_frame(for_cpu: Duration) {
    let held = black_box([7_u8; 40_000]);
    spin(for_cpu);
    black_box(held);
}

/// Touches each page of fresh memory once.
fn touch_fresh(mebibytes: usize) {
    let (protection, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let bytes = mebibytes << 20;
    // SAFETY: asks for fresh memory of our own.
    let memory = unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, flags, -1, 0) };
    assert_ne!(memory, libc::MAP_FAILED, "so much memory");
    // SAFETY: the memory is ours, and only how it is backed changes.
    unsafe { libc::madvise(memory, bytes, libc::MADV_NOHUGEPAGE) };
    // SAFETY: the memory is ours, so long, and readable and writable for as long as we run.
    touch(unsafe { std::slice::from_raw_parts_mut(memory.cast(), bytes) });
}

#[inline(never)]
fn touch(memory: &mut [u8]) {
    memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    black_box(memory);
}

/// A tokio server that sends back what it gets, for `lifetime` of wall-clock time. Prints its port
/// first.
fn echo(lifetime: Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    println!("{}", listener.local_addr().expect("bound").port());
    listener.set_nonblocking(true).expect("a socket can be made non-blocking");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let serve = async {
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    while let Ok(length @ 1..) = socket.read(&mut buffer).await {
                        if socket.write_all(&buffer[..length]).await.is_err() {
                            break;
                        }
                    }
                });
            }
        };
        let _ = tokio::time::timeout(lifetime, serve).await;
    });
}

/// Spins in code that was generated at run time: no file, no name, no unwind table.
#[cfg(target_arch = "x86_64")]
fn generated(for_cpu: Duration, named: bool) {
    // push rbp; mov rbp, rsp; mov ecx, 100000; again: dec ecx; jnz again; pop rbp; ret
    const CODE: &[u8] =
        &[0x55, 0x48, 0x89, 0xe5, 0xb9, 0xa0, 0x86, 0x01, 0x00, 0xff, 0xc9, 0x75, 0xfc, 0x5d, 0xc3];
    let (protection, flags) = (
        libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
    );
    // SAFETY: asks for fresh memory of our own.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0) };
    assert_ne!(page, libc::MAP_FAILED, "memory that may be written and executed");
    // SAFETY: the page is ours, writable, and longer than the code.
    unsafe { std::ptr::copy_nonoverlapping(CODE.as_ptr(), page.cast(), CODE.len()) };
    if named {
        let map = format!("/tmp/perf-{}.map", std::process::id());
        let line = format!("{:x} {:x} Compiled:*loop /srv/j.js:1\n", page.addr(), CODE.len());
        fs::write(map, line).expect("/tmp can be written");
    }
    // SAFETY: the page holds a whole function that follows the C calling convention.
    let function: extern "C" fn() = unsafe { std::mem::transmute(page) };
    while cpu_time() < for_cpu {
        function();
    }
}
