//! Services that answer well, badly, late or not at all: every request has one end.
#![expect(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Result, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::Duration;

use http_body_util::Empty;
use hyper::Response;
use hyper::body::Bytes;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use lab_kit::{Mode, Rehearsal, rehearse};
use perf_lab_load::LAB;
use serde_json::Value;
use tokio::task::{LocalSet, spawn_local};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// A service on loopback, with a thread for each connection; `answer` writes one answer, and is told
/// which of the connection it is. Its address.
fn service(answer: fn(&mut TcpStream, usize) -> Result<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream, answer));
        }
    });
    url
}

fn serve(mut stream: TcpStream, answer: fn(&mut TcpStream, usize) -> Result<()>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut requests = BufReader::new(stream.try_clone()?);
    for number in 0.. {
        let mut line = String::new();
        while requests.read_line(&mut line)? > 2 {
            line.clear();
        }
        if line.is_empty() {
            return Ok(());
        }
        answer(&mut stream, number)?;
    }
    Ok(())
}

/// A service that speaks HTTP/2 alone. Each answer takes 20 ms. Its address.
fn http2_service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    thread::spawn(move || {
        LocalSet::new().block_on(&runtime, async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let answer = service_fn(|_| async {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
                });
                let serving = http2::Builder::new(Local);
                spawn_local(serving.serve_connection(TokioIo::new(stream), answer));
            }
        });
    });
    url
}

/// Runs tasks on this thread.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future<Output: 'static> + 'static> Executor<F> for Local {
    fn execute(&self, task: F) {
        spawn_local(task);
    }
}

/// Answers later than any test waits.
fn never() -> Result<()> {
    thread::sleep(Duration::from_secs(5));
    Ok(())
}

/// What half a second of load on a service found, or why there was none.
fn load(set: &[(&str, &str)]) -> std::result::Result<Value, String> {
    let dir = tempfile::tempdir().unwrap();
    let measure = Some(Duration::from_millis(500));
    let what = Rehearsal { mode: Mode::Live, variants: &["load"], set, measure };
    rehearse(&LAB, dir.path(), what).map_err(|error| format!("{error:#}"))?;
    let file = dir.path().join("trials/001-load/metrics.json");
    Ok(serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap())
}

fn ends(found: &Value) -> [u64; 4] {
    let of = |end: &str| found["accounting"][end].as_u64().unwrap();
    let sum: u64 = ["completed", "failed", "refused", "timed_out", "abandoned", "in_flight"]
        .into_iter()
        .map(of)
        .sum();
    assert_eq!(of("offered"), sum + of("dropped"), "{found}");
    ["completed", "failed", "timed_out", "abandoned"].map(of)
}

#[test]
fn every_request_is_answered_in_an_open_and_in_a_closed_loop() {
    let url = service(|stream, _| stream.write_all(OK));
    for which in ["open", "closed"] {
        let found = load(&[("url", &url), ("rate", "400"), ("loop", which)]).unwrap();
        let [completed, others @ ..] = ends(&found);
        assert!(completed > 100 && others == [0; 3], "{which}: {found}");
        assert!(found["metrics"]["status_200"]["value"].as_f64() >= Some(completed as f64));
    }
}

#[test]
fn one_http2_connection_carries_many_requests_at_a_time() {
    let url = http2_service();
    let load_by = |protocol: &str| {
        let set = [("url", &*url), ("rate", "400"), ("connections", "1"), ("protocol", protocol)];
        load(&set)
    };
    let found = load_by("http2").unwrap();
    let [completed, others @ ..] = ends(&found);
    // One at a time it would be fifty a second.
    assert!(completed > 100 && others == [0; 3], "{found}");
    assert!(load_by("http1").is_err(), "it speaks nothing else");
}

#[test]
fn a_service_is_reached_over_a_socket_in_the_file_system() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("x.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut requests = BufReader::new(stream.try_clone()?);
                let mut line = String::new();
                while requests.read_line(&mut line)? > 0 {
                    if line == "\r\n" {
                        stream.write_all(OK)?;
                    }
                    line.clear();
                }
                Result::Ok(())
            });
        }
    });
    let url = format!("unix:{}:/a", socket.display());
    let [completed, others @ ..] = ends(&load(&[("url", &url), ("rate", "200")]).unwrap());
    assert!(completed > 50 && others == [0; 3], "{completed} {others:?}");
}

#[test]
fn statuses_that_are_not_expected_are_failures() {
    let url = service(|stream, number| match number % 10 {
        9 => stream.write_all(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"),
        _ => stream.write_all(OK),
    });
    let found = load(&[("url", &url), ("rate", "400")]).unwrap();
    let [completed, failed, ..] = ends(&found);
    assert!(failed > 5 && failed < completed / 5, "{found}");
}

#[test]
fn a_request_without_an_answer_times_out_and_its_connection_is_given_up() {
    // The tenth answer of each connection never comes.
    let url = service(|stream, number| match number {
        9 => never(),
        _ => stream.write_all(OK),
    });
    let set = [("url", url.as_str()), ("rate", "200"), ("timeout", "100ms")];
    let found = load(&set).unwrap();
    let [completed, _, timed_out, _] = ends(&found);
    assert!(completed > 20 && timed_out > 0, "{found}");
    assert!(found["series"]["response"]["censored"].as_u64() >= Some(timed_out), "{found}");
}

#[test]
fn bodies_that_never_end_or_come_byte_by_byte_time_out() {
    let endless = service(|stream, number| {
        if number == 0 {
            return stream.write_all(OK);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        loop {
            stream.write_all(b"400\r\n")?;
            stream.write_all(&[b'x'; 1024])?;
            stream.write_all(b"\r\n")?;
            thread::sleep(Duration::from_millis(5));
        }
    });
    let slow = service(|stream, number| {
        if number == 0 {
            return stream.write_all(OK);
        }
        OK.iter().try_for_each(|byte| {
            thread::sleep(Duration::from_millis(10));
            stream.write_all(&[*byte])
        })
    });
    for url in [endless, slow] {
        let set = [("url", url.as_str()), ("rate", "100"), ("timeout", "100ms")];
        let found = load(&set).unwrap();
        assert!(ends(&found)[2] > 10, "{found}");
    }
}

#[test]
fn a_connection_that_breaks_abandons_its_request_and_another_is_opened() {
    let url = service(|stream, number| match number {
        3 => stream.shutdown(std::net::Shutdown::Both),
        _ => stream.write_all(OK),
    });
    let found = load(&[("url", &url), ("rate", "400")]).unwrap();
    let [completed, _, _, abandoned] = ends(&found);
    assert!(abandoned > 5 && completed > abandoned, "{found}");
    assert!(found["notes"].to_string().contains("requests got no answer"), "{found}");
}

#[test]
fn a_service_that_cannot_be_asked_is_one_clear_error() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (nobody, redirects) = (
        format!("http://{closed}/"),
        service(|stream, _| {
            stream.write_all(b"HTTP/1.1 301 Moved\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n")
        }),
    );
    let broken =
        service(|stream, _| stream.write_all(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"));
    let deaf = service(|_, _| never());
    let babble = service(|stream, _| stream.write_all(b"SSH-2.0-x\r\n"));
    for (url, said) in [
        (nobody.as_str(), "Connection refused"),
        (&redirects, "redirects to"),
        (&broken, "it answers 500"),
        (&deaf, "no answer within 200ms"),
        (&babble, "the first request, before the load"),
        ("http://192.0.2.1/", "--yes-i-run-this-server"),
        ("unix:/no/such.sock:/", "connect to /no/such.sock"),
    ] {
        let error = load(&[("url", url), ("timeout", "200ms")]).unwrap_err();
        assert!(error.contains(said), "{url}: {error}");
    }
}
