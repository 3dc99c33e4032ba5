//! Programs to observe, which know what they do: they print what the tests of the probes expect.
//!
//! `observed sleeps 20 5` and so on: see [`run`].

use std::ffi::CStr;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use std::{env, fs, hint, io, thread};

use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Some(()) => ExitCode::SUCCESS,
        None => {
            eprintln!("observed: unknown {args:?}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &[&str]) -> Option<()> {
    match args {
        ["sleeps", times, millis] => sleeps(times.parse().ok()?, self::millis(millis)?),
        ["migrates", times] => migrates(times.parse().ok()?),
        ["spins", millis] => spins(self::millis(millis)?),
        ["crowd", millis] => crowd(self::millis(millis)?),
        ["waits", millis] => thread::sleep(self::millis(millis)?),
        ["calls", times] => calls(times.parse().ok()?),
        ["execs", times] => execs(times.parse().ok()?),
        ["opens", times] => opens(times.parse().ok()?),
        ["handoff", times] => handoff(times.parse().ok()?),
        _ => return None,
    }
    Some(())
}

fn millis(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_millis)
}

/// Sleeps in this function, and prints the nanoseconds from before to after, all sleeps together.
#[inline(never)]
fn sleeps(times: u32, span: Duration) {
    let mut slept = Duration::ZERO;
    for _ in 0..times {
        let begun = Instant::now();
        thread::sleep(span);
        slept += begun.elapsed();
    }
    println!("{}", slept.as_nanos());
}

/// Goes from CPU to CPU between sleeps, and prints the nanoseconds of the sleeps.
fn migrates(times: usize) {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let mut slept = Duration::ZERO;
    for turn in 0..times {
        let mut one = CpuSet::new();
        one.set(turn % cpus);
        // In a container not every CPU may be ours: then it stays.
        let _ = sched_setaffinity(None, &one);
        let begun = Instant::now();
        thread::sleep(Duration::from_micros(500));
        slept += begun.elapsed();
    }
    println!("{}", slept.as_nanos());
}

/// Takes that much CPU time, and prints what it took in nanoseconds.
fn spins(span: Duration) {
    let cpu = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
    };
    while cpu() < span {
        (0..10_000).for_each(|i| {
            hint::black_box(i);
        });
    }
    println!("{}", cpu().as_nanos());
}

/// Twice as many threads as CPUs spin, each for that much CPU time. Prints the nanoseconds that they waited for a CPU
/// under the name `spinner`, by the scheduler's own account.
fn crowd(span: Duration) {
    let spin = move || {
        let cpu = || clock_gettime(ClockId::ThreadCPUTime);
        rename(c"spinner");
        let (begun, before) = (cpu(), waited_ns());
        while Duration::try_from(cpu() - begun).is_ok_and(|taken| taken < span) {
            (0..10_000).for_each(|i| {
                hint::black_box(i);
            });
        }
        let waited = waited_ns() - before;
        rename(c"done");
        waited
    };
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let spinners: Vec<_> = (0..2 * cpus).map(|_| thread::spawn(spin)).collect();
    let waited = spinners.into_iter().map(|spinner| spinner.join().expect("no panic"));
    println!("{}", waited.sum::<u64>());
}

fn rename(name: &CStr) {
    rustix::thread::set_name(name).expect("a short name");
}

/// How long this thread has waited for a CPU: `ran waited times`.
fn waited_ns() -> u64 {
    let account = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    account.split(' ').nth(1).and_then(|waited| waited.parse().ok()).unwrap_or(0)
}

/// As many getppid, and as many failing chdir.
fn calls(times: u32) {
    for _ in 0..times {
        // SAFETY: the call takes nothing and touches nothing.
        unsafe { libc::getppid() };
        let _ = env::set_current_dir("/no/such/directory");
    }
}

/// Runs `true` so often.
fn execs(times: u32) {
    for turn in 0..times {
        let status = Command::new("true").arg(format!("turn-{turn}")).status();
        assert!(status.is_ok_and(|status| status.success()));
    }
}

/// Fails to open so often, and opens as often.
fn opens(times: u32) {
    for turn in 0..times {
        let missing = File::open(format!("/no/such/file-{turn}"));
        assert_eq!(missing.err().map(|error| error.kind()), Some(io::ErrorKind::NotFound));
        drop(File::open("/dev/null"));
    }
}

/// Two threads pass a byte to and fro by pipes.
fn handoff(times: u32) {
    let ((mut read_there, mut write_there), (mut read_back, mut write_back)) =
        (io::pipe().expect("a pipe"), io::pipe().expect("a pipe"));
    let answer = move || {
        let mut byte = [0];
        while read_there.read_exact(&mut byte).is_ok() && write_back.write_all(&byte).is_ok() {}
    };
    let ponger = thread::Builder::new().name("ponger".into()).spawn(answer).expect("a thread");
    let ask = move || {
        for _ in 0..times {
            // A moment, so that the other surely sleeps.
            thread::sleep(Duration::from_micros(200));
            let mut byte = [7];
            write_there
                .write_all(&byte)
                .and_then(|()| read_back.read_exact(&mut byte))
                .expect("an answer");
        }
    };
    let pinger = thread::Builder::new().name("pinger".into()).spawn(ask).expect("a thread");
    assert!(pinger.join().is_ok() && ponger.join().is_ok());
}
