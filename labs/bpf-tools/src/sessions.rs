//! Connections on loopback of known number, bytes and lifetime, for tcplife and tcpconnect.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use anyhow::ensure;
use lab_kit::Ctx;
use lab_kit::thread::ThreadClock;

/// What goes one way and the other in a session.
#[derive(Clone, Copy)]
struct Traffic {
    sessions: u64,
    sent: usize,
    received: usize,
    /// How long a session stays open after the last byte.
    hold: Duration,
}

/// Datagrams are no longer than this, over IPv4.
const LONGEST_DATAGRAM: usize = 65_507;

/// Sessions one after the other; then attempts to connect to a port on which no socket listens.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let traffic = Traffic {
        sessions: ctx.int("sessions"),
        sent: ctx.int("send") as usize,
        received: ctx.int("receive") as usize,
        hold: ctx.duration("hold"),
    };
    // Zero if the kernel does not report it.
    let clock = ThreadClock::here().ok();
    let waited = || clock.as_ref().map_or(Duration::ZERO, |clock| clock.run_queue().waited);
    let before = waited();
    let (port, lived) = match ctx.text("protocol") {
        "udp" => exchange_datagrams(traffic)?,
        _ => converse(traffic)?,
    };
    let waited = waited() - before;
    let refused = ctx.int("refused");
    let refusing_port = be_refused(refused)?;
    let (timeline, mut series) = (ctx.timeline(), ctx.series());
    lived.iter().for_each(|lived| series.record(timeline.warmup, *lived));
    ctx.save("lived", series)?;
    ctx.metric("port", f64::from(port), "");
    ctx.metric("refusing_port", f64::from(refusing_port), "");
    ctx.metric("sessions", traffic.sessions as f64, "count");
    ctx.metric("refused", refused as f64, "count");
    ctx.metric("sent", traffic.sessions as f64 * traffic.sent as f64, "B");
    ctx.metric("received", traffic.sessions as f64 * traffic.received as f64, "B");
    ctx.metric("lived", lived.iter().sum::<Duration>().as_nanos() as f64, "ns");
    ctx.metric("waited_for_a_cpu", waited.as_nanos() as f64, "ns");
    Ok(())
}

/// The server's port, and how long each session lived, by the client's clock.
fn converse(traffic: Traffic) -> anyhow::Result<(u16, Vec<Duration>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let lived = scope(|scope| -> anyhow::Result<_> {
        let server = scope.spawn(move || serve(&listener, traffic));
        let lived: anyhow::Result<Vec<Duration>> =
            (0..traffic.sessions).map(|_| session(address, traffic)).collect();
        server.join().expect("the server does not panic")?;
        lived
    })?;
    Ok((address.port(), lived))
}

fn serve(listener: &TcpListener, traffic: Traffic) -> anyhow::Result<()> {
    let (mut question, answer) = (vec![0; traffic.sent], vec![1; traffic.received]);
    for _ in 0..traffic.sessions {
        let (mut stream, _) = listener.accept()?;
        stream.read_exact(&mut question)?;
        stream.write_all(&answer)?;
        // The client is the first to close, and sees the end of both ways.
        stream.read_to_end(&mut Vec::new())?;
    }
    Ok(())
}

fn session(address: SocketAddr, traffic: Traffic) -> anyhow::Result<Duration> {
    let (question, mut answer) = (vec![1; traffic.sent], vec![0; traffic.received]);
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(&question)?;
    stream.read_exact(&mut answer)?;
    sleep(traffic.hold);
    stream.shutdown(Shutdown::Write)?;
    stream.read_to_end(&mut Vec::new())?;
    Ok(begun.elapsed())
}

/// The same without connections.
fn exchange_datagrams(traffic: Traffic) -> anyhow::Result<(u16, Vec<Duration>)> {
    let [client, server] = [(); 2].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)));
    let (client, server) = (client?, server?);
    client.connect(server.local_addr()?)?;
    server.connect(client.local_addr()?)?;
    let [sent, received] = [traffic.sent, traffic.received].map(|it| it.min(LONGEST_DATAGRAM));
    let (question, answer, mut buffer) = (vec![1; sent], vec![1; received], vec![0; 1 << 16]);
    let exchange = |_| {
        let begun = Instant::now();
        client.send(&question)?;
        ensure!(server.recv(&mut buffer)? == sent, "a datagram was cut");
        server.send(&answer)?;
        ensure!(client.recv(&mut buffer)? == received, "a datagram was cut");
        sleep(traffic.hold);
        Ok(begun.elapsed())
    };
    let lived: anyhow::Result<_> = (0..traffic.sessions).map(exchange).collect();
    Ok((server.local_addr()?.port(), lived?))
}

/// Attempts to connect to a port on which no socket listens; returns the port.
fn be_refused(times: u64) -> anyhow::Result<u16> {
    // A port that was free a moment ago, and that no kernel gives away again at once.
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    for _ in 0..times {
        ensure!(TcpStream::connect(address).is_err(), "a process listens on {address}");
    }
    Ok(address.port())
}
