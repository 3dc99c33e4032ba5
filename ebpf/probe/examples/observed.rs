//! Programs to observe, which know what they do: they print what the tests of the probes expect.
//!
//! `observed sleeps 20 5` and so on: see [`run`].

use std::ffi::CStr;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use std::{env, hint, io, mem, thread};

use lab_kit::Serving;
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
        ["reads", times, pipe, socket] => {
            reads(times.parse().ok()?, millis(pipe)?, millis(socket)?).ok()?;
        }
        ["migrates", times] => migrates(times.parse().ok()?),
        ["spins", millis] => spins(self::millis(millis)?),
        ["crowd", millis] => crowd(self::millis(millis)?),
        ["waits", millis] => thread::sleep(self::millis(millis)?),
        ["calls", times] => calls(times.parse().ok()?),
        ["execs", times] => execs(times.parse().ok()?),
        ["opens", times] => opens(times.parse().ok()?),
        ["serves", times, spin, sleep] => {
            serves(times.parse().ok()?, millis(spin)?, millis(sleep)?)
        }
        ["abandons", times] => abandons(times.parse().ok()?),
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

/// Waits in turn for a pipe and for a socket, by one and the same system call. Prints the
/// nanoseconds of either.
fn reads(times: u32, pipe: Duration, socket: Duration) -> io::Result<()> {
    let ((from_pipe, mut to_pipe), (from_socket, mut to_socket)) =
        (io::pipe()?, UnixStream::pair()?);
    thread::spawn(move || -> io::Result<()> {
        for _ in 0..times {
            thread::sleep(pipe);
            to_pipe.write_all(&[0])?;
            thread::sleep(socket);
            to_socket.write_all(&[0])?;
        }
        Ok(())
    });
    let mut from = [OwnedFd::from(from_pipe), OwnedFd::from(from_socket)].map(File::from);
    let mut waited = [Duration::ZERO; 2];
    for _ in 0..times {
        for (from, waited) in from.iter_mut().zip(&mut waited) {
            let begun = Instant::now();
            from.read_exact(&mut [0])?;
            *waited += begun.elapsed();
        }
    }
    println!("{} {}", waited[0].as_nanos(), waited[1].as_nanos());
    Ok(())
}

/// Goes from CPU to CPU between sleeps, and prints the nanoseconds of the sleeps.
fn migrates(times: usize) {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let mut slept = Duration::ZERO;
    for turn in 0..times {
        stay_on(turn % cpus);
        let begun = Instant::now();
        thread::sleep(Duration::from_micros(500));
        slept += begun.elapsed();
    }
    println!("{}", slept.as_nanos());
}

/// Takes that much CPU time, and prints what it took in nanoseconds.
fn spins(span: Duration) {
    spin(span);
    println!("{}", cpu().as_nanos());
}

/// Takes that much CPU time on this thread.
fn spin(span: Duration) {
    let begun = cpu();
    while cpu() - begun < span {
        (0..10_000).for_each(|i| {
            hint::black_box(i);
        });
    }
}

/// This thread's CPU time so far.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Twice as many threads as CPUs spin, each for that much CPU time. Prints the nanoseconds that
/// they waited for a CPU under the name `spinner`, by the scheduler's own account.
fn crowd(span: Duration) {
    let spin = move || {
        rename(c"spinner");
        let schedstat = Schedstat::open();
        let (before, _) = schedstat.read();
        spin(span);
        let waited = schedstat.read().0 - before;
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

/// The wall clock, how long this thread has run, and how long it has waited for a CPU: all three
/// between two switches, so that they belong together.
fn moment(schedstat: &Schedstat) -> (Instant, Duration, u64) {
    loop {
        let before = schedstat.read();
        let (now, ran) = (Instant::now(), cpu());
        if schedstat.read() == before {
            return (now, ran, before.0);
        }
    }
}

/// The scheduler's account of a thread, `ran waited times`: held open, as to open it takes longer
/// than much of what is measured. None where the kernel keeps none.
struct Schedstat(Option<File>);

impl Schedstat {
    /// This thread's.
    fn open() -> Self {
        Self(File::open("/proc/thread-self/schedstat").ok())
    }

    /// How long the thread has waited for a CPU, and how often it got one.
    fn read(&self) -> (u64, u64) {
        let mut text = [0; 128];
        let read = self.0.as_ref().and_then(|file| file.read_at(&mut text, 0).ok()).unwrap_or(0);
        let text = str::from_utf8(&text[..read]).unwrap_or_default();
        let mut figures = text.split_whitespace().skip(1).map_while(|figure| figure.parse().ok());
        (figures.next().unwrap_or(0), figures.next().unwrap_or(0))
    }
}

/// In a container not every CPU may be ours: then a thread stays where it is.
fn stay_on(cpu: usize) {
    let mut one = CpuSet::new();
    one.set(cpu);
    let _ = sched_setaffinity(None, &one);
}

/// Serves requests, each of which spins and sleeps, on a CPU that another thread wants as much.
/// Half of each is served as a request within the request. Prints the nanoseconds of all: by the
/// wall clock, running, and waiting for a CPU, the latter two by the scheduler's own account.
fn serves(times: u32, span: Duration, pause: Duration) {
    static DONE: AtomicBool = AtomicBool::new(false);
    let rival = thread::spawn(|| {
        stay_on(0);
        while !DONE.load(Relaxed) {
            spin(Duration::from_millis(1));
        }
    });
    stay_on(0);
    let schedstat = Schedstat::open();
    let (mut wall, mut ran, mut waited) = (Duration::ZERO, Duration::ZERO, 0);
    for _ in 0..times {
        let (begun, ran_before, waited_before) = moment(&schedstat);
        {
            let _serving = Serving::begin();
            spin(span / 2);
            let _within = Serving::begin();
            spin(span / 2);
            thread::sleep(pause);
        }
        let (ended, ran_after, waited_after) = moment(&schedstat);
        wall += ended - begun;
        ran += ran_after - ran_before;
        waited += waited_after - waited_before;
    }
    DONE.store(true, Relaxed);
    assert!(rival.join().is_ok());
    println!("{} {} {waited}", wall.as_nanos(), ran.as_nanos());
}

/// Begins `times` requests, each on a thread that ends before its request does.
fn abandons(times: u32) {
    for _ in 0..times {
        let thread = thread::spawn(|| mem::forget(Serving::begin()));
        assert!(thread.join().is_ok());
    }
}

/// As many getppid, and as many failing chdir.
fn calls(times: u32) {
    for _ in 0..times {
        // SAFETY: the call takes nothing and touches nothing.
        unsafe { libc::getppid() };
        assert!(env::set_current_dir("/no/such/directory").is_err());
    }
}

/// Runs `true` this many times.
fn execs(times: u32) {
    for turn in 0..times {
        let status = Command::new("true").arg(format!("turn-{turn}")).status();
        assert!(status.is_ok_and(|status| status.success()));
    }
}

/// Fails to open a file this many times, and opens one as often.
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
