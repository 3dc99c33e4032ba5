//! Kernel operations: a system call, a switch to another thread, an echo over TCP.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use lab_kit::Ctx;
use lab_kit::rows::{Row, measure};
use lab_kit::thread::{Usage, first_and_last_cpu, meanwhile_on, pin_to};

use crate::loops::{function_call, system_call};

const CALLS: u64 = 10_000;
/// Round trips in a turn.
const ROUNDS: u64 = 500;
const ECHOES: u64 = 50;
/// The smallest message size for which the table has a row.
const SMALL: usize = 64;

/// System calls, and two threads that pass a byte back and forth: on one CPU, and on two.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let call = if ctx.text("call") == "system" { system_call } else { function_call };
    let alone = ctx.text("partner") == "none";
    let (here, last) = first_and_last_cpu();
    let (mut switches, mut turns) = (0, 0);
    let calls = Row::of("syscall", 0, CALLS, call);
    let pipe = Row::new("pipe", 0, 2 * ROUNDS, by_itself);
    let switch = Row::new("switch", 0, 2 * ROUNDS, || {
        let before = Usage::here();
        if alone {
            by_itself()?
        } else {
            to_and_fro(here, here)?
        }
        let more = Usage::here() - before;
        switches += more.voluntary + more.involuntary;
        turns += 1;
        Ok(())
    });
    let mut rows = vec![calls, pipe, switch];
    if let Some(last) = last {
        rows.push(Row::new("far_switch", 0, 2 * ROUNDS, move || to_and_fro(here, last)));
    }
    measure(ctx, rows)?;
    ctx.metric("switches", switches as f64 / (turns * 2 * ROUNDS) as f64, "switches");
    Ok(())
}

/// A thread that passes a byte to itself: the cost of a hand-over without the switch.
fn by_itself() -> io::Result<()> {
    let (mut from, mut to) = io::pipe()?;
    let mut byte = [0];
    for _ in 0..2 * ROUNDS {
        to.write_all(&byte)?;
        from.read_exact(&mut byte)?;
    }
    Ok(())
}

fn to_and_fro(here: usize, there: usize) -> io::Result<()> {
    let ((mut from_here, mut to_there), (mut from_there, mut to_here)) = (io::pipe()?, io::pipe()?);
    thread::scope(|scope| {
        let partner = scope.spawn(move || {
            pin_to(there);
            let mut byte = [0];
            for _ in 0..ROUNDS {
                from_here.read_exact(&mut byte)?;
                to_here.write_all(&byte)?;
            }
            Ok(())
        });
        let own = meanwhile_on(&[here], || {
            let mut byte = [0];
            (0..ROUNDS).try_for_each(|_| {
                to_there.write_all(&byte)?;
                from_there.read_exact(&mut byte)
            })
        });
        drop(to_there);
        partner.join().expect("it does not panic").and(own)
    })
}

/// Echoes of a message, and of a small message, over loopback.
pub(crate) fn echo(ctx: &mut Ctx) -> anyhow::Result<()> {
    let bytes = ctx.int("message") as usize;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    thread::scope(|scope| {
        let server = scope.spawn(|| send_back(&listener));
        let mut client = TcpStream::connect(listener.local_addr()?)?;
        client.set_nodelay(true)?;
        let (mut large, mut small) = (vec![1; bytes], vec![1; SMALL]);
        let client = std::cell::RefCell::new(&mut client);
        let echoes = |message: &mut [u8]| {
            let mut client = client.borrow_mut();
            (0..ECHOES).try_for_each(|_| {
                client.write_all(message)?;
                client.read_exact(message)
            })
        };
        let rows = vec![
            Row::new("echo", bytes, ECHOES, || echoes(&mut large)),
            Row::new("small_echo", SMALL, ECHOES, || echoes(&mut small)),
        ];
        measure(ctx, rows)?;
        client.borrow_mut().shutdown(std::net::Shutdown::Both)?;
        Ok(server.join().expect("it does not panic")?)
    })
}

/// Sends back all that it receives, until the client is done.
fn send_back(listener: &TcpListener) -> io::Result<()> {
    let (mut client, _) = listener.accept()?;
    client.set_nodelay(true)?;
    let mut part = vec![0; 64 << 10];
    loop {
        match client.read(&mut part)? {
            0 => return Ok(()),
            came => client.write_all(&part[..came])?,
        }
    }
}
