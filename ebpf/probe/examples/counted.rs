//! Programs of which it is known how many connections, requests, calls and faults they make: the
//! tests compare what the probes say with it.
//!
//! `counted tcp COUNT SEND RECEIVE` and so on: see [`run`]. What only the run knows, it prints.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, mem, panic, process, ptr, slice, thread};

use io_uring::{IoUring, opcode, types};
use rustix::time::{ClockId, clock_gettime};

const PAGE: usize = 4096;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("counted: {error}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("counted: unknown {args:?}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &[&str]) -> Option<io::Result<()>> {
    Some(match args {
        ["tcp", count, send, receive] => {
            tcp(count.parse().ok()?, send.parse().ok()?, receive.parse().ok()?)
        }
        ["refused", count] => refused(count.parse().ok()?),
        ["delayed"] => delayed(),
        ["unanswered", resends] => unanswered(resends.parse().ok()?),
        ["touch", pages] => touch(pages.parse().ok()?),
        ["direct", file, count] => direct(file, count.parse().ok()?),
        ["sync", file, count] => sync(file, count.parse().ok()?),
        ["calls", file, count] => calls(file, count.parse().ok()?),
        ["read", file] => read(file),
        ["spin", millis] => {
            spin(Duration::from_millis(millis.parse().ok()?));
            Ok(())
        }
        ["unwinds", count] => {
            unwinds(count.parse().ok()?);
            Ok(())
        }
        ["recurses", times, depth] => {
            for _ in 0..times.parse().ok()? {
                counted_recursion(depth.parse().ok()?);
            }
            Ok(())
        }
        ["quick", count] => {
            (0..count.parse().ok()?).for_each(|turn| {
                black_box(counted_quick(turn));
            });
            Ok(())
        }
        ["aborts"] => {
            counted_function(Duration::from_millis(1));
            process::abort()
        }
        #[cfg(target_arch = "x86_64")]
        ["jumps", count, millis] => {
            let each: u64 = millis.parse().ok()?;
            // SAFETY: it follows the C calling convention.
            (0..count.parse().ok()?).for_each(|_| unsafe { counted_jump(each) });
            Ok(())
        }
        #[cfg(target_arch = "x86_64")]
        ["compat", count] => compat(count.parse().ok()?),
        ["fill", pages] => fill(pages.parse().ok()?),
        ["sync-by-uring", file, count] => sync_by_uring(file, count.parse().ok()?),
        ["wait-to-write", file, count] => wait_to_write(file, count.parse().ok()?),
        ["opens-below", folder] => opens_below(folder),
        ["resets", count] => resets(count.parse().ok()?),
        ["function", count, millis] => {
            functions(count.parse().ok()?, Duration::from_millis(millis.parse().ok()?));
            Ok(())
        }
        _ => return None,
    })
}

/// Connections one after the other, each held for 20 ms. Prints the port and how long all of them
/// lived, in nanoseconds.
fn tcp(count: u32, send: usize, receive: usize) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || -> io::Result<()> {
        for _ in 0..count {
            let (mut stream, _) = listener.accept()?;
            stream.read_exact(&mut vec![0; send])?;
            stream.write_all(&vec![1; receive])?;
            stream.read_to_end(&mut Vec::new())?;
        }
        Ok(())
    });
    let mut lived = Duration::ZERO;
    for _ in 0..count {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(&vec![1; send])?;
        stream.read_exact(&mut vec![0; receive])?;
        thread::sleep(Duration::from_millis(20));
        stream.shutdown(Shutdown::Write)?;
        stream.read_to_end(&mut Vec::new())?;
        lived += begun.elapsed();
    }
    server.join().expect("the server does not panic")?;
    println!("{} {}", address.port(), lived.as_nanos());
    Ok(())
}

/// Connects to a port on which no socket listens, and prints it.
fn refused(count: u32) -> io::Result<()> {
    // Bound and not listened on, it stays ours.
    let socket = socket()?;
    let address = bind(&socket)?;
    for _ in 0..count {
        let error = TcpStream::connect(address).expect_err("no socket listens");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
    println!("{}", address.port());
    Ok(())
}

/// Connects to a listener whose queue is full, so that the kernel drops the SYN each time it is
/// sent. Gives up when the kernel says that it was sent again `resends` times; prints the port and
/// how often that was.
fn unanswered(resends: u32) -> io::Result<()> {
    let listener = socket()?;
    let address = bind(&listener)?;
    // SAFETY: makes no use of memory.
    check(unsafe { libc::listen(listener.as_raw_fd(), 0) })?;
    let _fills_the_queue = TcpStream::connect(address)?;
    let socket = socket()?;
    let to = raw(address.port());
    let len = size_of_val(&to) as libc::socklen_t;
    // SAFETY: the address lives until the calls return.
    let done = unsafe {
        check(libc::fcntl(socket.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK))?;
        check(libc::connect(socket.as_raw_fd(), (&raw const to).cast(), len))
    };
    assert_eq!(done.expect_err("no socket answers").raw_os_error(), Some(libc::EINPROGRESS));
    let begun = Instant::now();
    let mut sent_again = 0;
    while sent_again < resends {
        assert!(begun.elapsed() < Duration::from_secs(60), "the kernel gives up so late");
        thread::sleep(Duration::from_millis(10));
        sent_again = total_retransmits(&socket)?;
    }
    println!("{} {sent_again}", address.port());
    Ok(())
}

/// By the kernel's own account.
fn total_retransmits(socket: &OwnedFd) -> io::Result<u32> {
    // SAFETY: the structure is made of integers.
    let mut info: libc::tcp_info = unsafe { mem::zeroed() };
    let mut len = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the structure and its length live until the call returns.
    check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut len,
        )
    })?;
    Ok(info.tcpi_total_retrans)
}

/// A message that waits behind datagrams in the queue of this machine's own slow link, for longer
/// than the kernel waits for its acknowledgement. Prints how often it waited in vain, and how many
/// segments it then sent again, by the account of this network namespace.
fn delayed() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut stream = TcpStream::connect(listener.local_addr()?)?;
    let (mut served, _) = listener.accept()?;
    let server = thread::spawn(move || served.read_to_end(&mut Vec::new()));
    // So that the kernel knows how long an answer takes.
    for _ in 0..5 {
        stream.write_all(&[1; 100])?;
        thread::sleep(Duration::from_millis(50));
    }
    let datagrams = UdpSocket::bind("127.0.0.1:0")?;
    for _ in 0..80 {
        datagrams.send_to(&[1; 1000], "127.0.0.1:9")?;
    }
    stream.write_all(&[1; 1000])?;
    stream.shutdown(Shutdown::Write)?;
    server.join().expect("the server does not panic")?;
    let (waited, sent_again) = (
        network_count("netstat", "TcpExt:", "TCPTimeouts")?,
        network_count("snmp", "Tcp:", "RetransSegs")?,
    );
    println!("{waited} {sent_again}");
    Ok(())
}

/// A counter of this network namespace. Its file has a line of names and a line of counts for each
/// protocol.
fn network_count(file: &str, protocol: &str, name: &str) -> io::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/net/{file}"))?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(protocol));
    let mut words = || lines.next().unwrap_or_default().split_whitespace();
    let found = words().zip(words()).find(|(known, _)| *known == name);
    let count = found.and_then(|(_, count)| count.parse().ok());
    count.ok_or_else(|| io::Error::other(format!("no {name} in /proc/net/{file}")))
}

fn socket() -> io::Result<OwnedFd> {
    // SAFETY: makes no use of memory; the descriptor is ours.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        check(fd)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// To a free port on loopback.
fn bind(socket: &OwnedFd) -> io::Result<SocketAddr> {
    let mut address = raw(0);
    let mut len = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the address and its length live until the calls return.
    unsafe {
        check(libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len))?;
        check(libc::getsockname(socket.as_raw_fd(), (&raw mut address).cast(), &raw mut len))?;
    }
    Ok(SocketAddr::from(([127, 0, 0, 1], u16::from_be(address.sin_port))))
}

fn raw(port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    }
}

/// Writes to each of `pages` fresh pages, once.
fn touch(pages: usize) -> io::Result<()> {
    let memory = fresh(pages)?;
    // SAFETY: asks that no two of the pages become one large one.
    check(unsafe { libc::madvise(memory.cast(), pages * PAGE, libc::MADV_NOHUGEPAGE) })?;
    touch_each(memory, pages);
    Ok(())
}

#[inline(never)]
fn touch_each(memory: *mut u8, pages: usize) {
    for page in 0..pages {
        // SAFETY: all of it is ours.
        unsafe { memory.add(page * PAGE).write_volatile(1) };
    }
    black_box(memory);
}

fn fresh(pages: usize) -> io::Result<*mut u8> {
    let (protection, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: asks for fresh memory of our own.
    let memory = unsafe { libc::mmap(ptr::null_mut(), pages * PAGE, protection, flags, -1, 0) };
    if memory == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(memory.cast()) }
}

/// Reads `count` pages of a file, one by one and past the page cache.
fn direct(file: &str, count: u64) -> io::Result<()> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(file)?;
    // SAFETY: a page of our own.
    let buffer = unsafe { slice::from_raw_parts_mut(fresh(1)?, PAGE) };
    for page in 0..count {
        file.read_exact_at(buffer, page * PAGE as u64)?;
    }
    Ok(())
}

/// `count` writes, each followed by fsync, and as many followed by fdatasync.
fn sync(file: &str, count: u32) -> io::Result<()> {
    let mut file = File::create(file)?;
    for _ in 0..count {
        file.write_all(b"x")?;
        file.sync_all()?;
        file.write_all(b"x")?;
        file.sync_data()?;
    }
    Ok(())
}

/// `count` reads of a byte of a file, and one read of all of it.
fn calls(file: &str, count: u64) -> io::Result<()> {
    let file = File::open(file)?;
    for at in 0..count {
        file.read_exact_at(&mut [0], at)?;
    }
    let mut all = vec![0; file.metadata()?.len() as usize];
    file.read_exact_at(&mut all, 0)
}

/// Reads a file from its beginning to its end.
fn read(file: &str) -> io::Result<()> {
    let mut file = File::open(file)?;
    let mut part = vec![0; 64 * PAGE];
    while file.read(&mut part)? > 0 {}
    Ok(())
}

/// Calls a function that sleeps. Prints how long all calls took, in nanoseconds.
fn functions(count: u32, each: Duration) {
    let begun = Instant::now();
    for _ in 0..count {
        counted_function(each);
    }
    println!("{}", begun.elapsed().as_nanos());
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "Rust" fn counted_function(each: Duration) {
    thread::sleep(each);
}

/// Calls a function `count` times, which panics each tenth time. Prints how often that was caught.
fn unwinds(count: u32) {
    panic::set_hook(Box::new(|_| {}));
    let caught = (0..count).filter(|&turn| panic::catch_unwind(|| counted_unwound(turn)).is_err());
    println!("{}", caught.count());
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "Rust" fn counted_unwound(turn: u32) {
    thread::sleep(Duration::from_millis(1));
    assert!(turn % 10 != 9, "each tenth");
}

/// Sleeps at the bottom of a chain of nested calls.
#[unsafe(no_mangle)]
#[inline(never)]
extern "Rust" fn counted_recursion(depth: u32) {
    if depth == 1 {
        thread::sleep(Duration::from_millis(5));
    } else {
        counted_recursion(black_box(depth - 1));
    }
    black_box(depth);
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "Rust" fn counted_quick(turn: u32) -> u32 {
    black_box(turn)
}

// A function whose last instruction is a jump to another.
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl counted_jump",
    ".type counted_jump, @function",
    "counted_jump:",
    "push rbp",
    "pop rbp",
    "jmp {target}",
    ".size counted_jump, . - counted_jump",
    target = sym counted_target,
);

#[cfg(target_arch = "x86_64")]
unsafe extern "C" {
    fn counted_jump(millis: u64);
}

#[cfg(target_arch = "x86_64")]
#[inline(never)]
extern "C" fn counted_target(millis: u64) {
    thread::sleep(Duration::from_millis(millis));
}

/// `count` getpid calls by their 32-bit number, and as many opens of a file that is not there.
#[cfg(target_arch = "x86_64")]
fn compat(count: u32) -> io::Result<()> {
    const GETPID: u64 = 20;
    const OPEN: u64 = 5;
    let path = b"/no/such/file-of-32-bits\0";
    let (protection, flags) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT,
    );
    // SAFETY: asks for fresh memory, where an address of 32 bits reaches it.
    let low = unsafe { libc::mmap(ptr::null_mut(), PAGE, protection, flags, -1, 0) };
    if low == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the page is ours and longer than the path.
    unsafe { ptr::copy_nonoverlapping(path.as_ptr(), low.cast(), path.len()) };
    for _ in 0..count {
        assert_eq!(call_of_32_bits(GETPID, 0) as u32, process::id());
        assert_eq!(call_of_32_bits(OPEN, low as u64) as i32, -libc::ENOENT);
    }
    Ok(())
}

#[cfg(target_arch = "x86_64")]
fn call_of_32_bits(number: u64, first: u64) -> u64 {
    let result;
    // SAFETY: the two calls read a path and write nothing. LLVM keeps rbx to itself, so it is put
    // back.
    unsafe {
        core::arch::asm!(
            "xchg rbx, {first}", "int 0x80", "xchg rbx, {first}",
            first = inout(reg) first => _, inlateout("rax") number => result,
            in("rcx") 0_u64, in("rdx") 0_u64,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    result
}

/// Has the kernel fill `pages` fresh pages.
fn fill(pages: usize) -> io::Result<()> {
    let memory = fresh(pages)?;
    // SAFETY: asks that no two of the pages become one large one.
    check(unsafe { libc::madvise(memory.cast(), pages * PAGE, libc::MADV_NOHUGEPAGE) })?;
    // SAFETY: all of it is ours.
    let memory = unsafe { slice::from_raw_parts_mut(memory, pages * PAGE) };
    File::open("/dev/zero")?.read_exact(memory)
}

/// `count` fsync calls on a file by io_uring.
fn sync_by_uring(file: &str, count: u32) -> io::Result<()> {
    let file = File::create(file)?;
    let mut ring = IoUring::new(1)?;
    for _ in 0..count {
        let request = opcode::Fsync::new(types::Fd(file.as_raw_fd())).build();
        // SAFETY: the file is open until its request has ended.
        unsafe { ring.submission().push(&request) }.map_err(io::Error::other)?;
        ring.submit_and_wait(1)?;
        let ended = ring.completion().next().map(|ended| ended.result());
        assert_eq!(ended, Some(0), "an fsync");
    }
    Ok(())
}

/// `count` writes to a file opened with `O_DSYNC`, and as many that wait by a flag of their own.
fn wait_to_write(file: &str, count: u32) -> io::Result<()> {
    let mut always =
        OpenOptions::new().create(true).append(true).custom_flags(libc::O_DSYNC).open(file)?;
    let once = OpenOptions::new().append(true).open(file)?;
    for _ in 0..count {
        always.write_all(b"x")?;
        let part = libc::iovec { iov_base: (&raw const *b"x").cast_mut().cast(), iov_len: 1 };
        // SAFETY: the byte is there, and is read alone.
        let written =
            unsafe { libc::pwritev2(once.as_raw_fd(), &raw const part, 1, -1, libc::RWF_DSYNC) };
        check(written as libc::c_int)?;
    }
    Ok(())
}

/// Opens `here` in a folder that it goes to, and `there` in one that it holds open.
fn opens_below(folder: &str) -> io::Result<()> {
    env::set_current_dir(folder)?;
    File::open("here")?;
    let held = File::open(folder)?;
    // SAFETY: the path ends with a zero.
    let fd = unsafe { libc::openat(held.as_raw_fd(), c"there".as_ptr(), libc::O_RDONLY) };
    check(fd)?;
    // SAFETY: the descriptor is ours.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(())
}

/// Connections that the client resets while the server waits for more. Prints the port.
fn resets(count: u32) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || -> io::Result<()> {
        for _ in 0..count {
            let (mut stream, _) = listener.accept()?;
            stream.read_exact(&mut [0])?;
            stream.write_all(&[1])?;
            let error = stream.read(&mut [0]).expect_err("it is reset");
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
        Ok(())
    });
    for _ in 0..count {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(&[1])?;
        stream.read_exact(&mut [0])?;
        // The server is to wait by now; where it is not yet, it is reset all the same.
        thread::sleep(Duration::from_millis(5));
        let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
        let len = size_of_val(&at_once) as libc::socklen_t;
        // SAFETY: the option lives until the call returns.
        check(unsafe {
            libc::setsockopt(
                stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                (&raw const at_once).cast(),
                len,
            )
        })?;
    }
    server.join().expect("the server does not panic")?;
    println!("{}", address.port());
    Ok(())
}

/// Uses the CPU for the given time. Prints how long it was, in nanoseconds.
fn spin(cpu_time: Duration) {
    let used = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default();
    while used() < cpu_time {
        for round in 0..100_000 {
            black_box(round);
        }
    }
    println!("{}", used().as_nanos());
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
