//! Leaves as processes of their own: they serve a root, and survive any other connection.
#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers with it")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use lab_kit::{Mode, Rehearsal, rehearse};
use tail_latency::LAB;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tail-latency");

struct LeafProcess {
    child: Child,
    address: String,
}

impl LeafProcess {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        let mut child =
            command.arg("leaf").args(args).stdout(Stdio::piped()).spawn().expect("start a leaf");
        let mut address = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut address).expect("the leaf prints its address");
        Self { child, address: address.trim().to_owned() }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }
}

impl Drop for LeafProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks for key 0 as request 1, untied, and reads the whole answer.
fn ask(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    stream.write_all(&[12, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_le_bytes(length))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

#[test]
fn a_leaf_listens_on_loopback_and_outlives_every_bad_peer() {
    let leaf = LeafProcess::start(&["--slow-fraction", "0"]);
    assert!(leaf.address.starts_with("127.0.0.1:"), "{}", leaf.address);
    let mut good = leaf.connect();
    let answer = ask(&mut good).unwrap();
    for bad in [
        &[0xff, 0xff][..],                      // an oversized length
        &[3, 0, 99, 1, 2],                      // an unknown kind
        &[12, 0, 3, 1],                         // a frame cut off by closing
        &[0, 0],                                // an empty frame
        b"GET / HTTP/1.1\r\n\r\n",              // somebody else's protocol
        &[10, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 1], // a frame of ours that no leaf receives
    ] {
        let mut stream = leaf.connect();
        stream.write_all(bad).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        // Closed, or reset where we still had unread bytes there.
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty(), "{bad:?} was answered: {rest:?}");
    }
    for _ in 0..200 {
        drop(leaf.connect());
    }
    let again = ask(&mut good).unwrap();
    assert_eq!(again.len(), answer.len(), "the good peer never noticed");
    assert_eq!(ask(&mut leaf.connect()).unwrap()[..18], answer[..18], "id, shard, sum");
}

#[test]
fn a_root_takes_leaves_that_run_elsewhere() {
    let leaves: Vec<LeafProcess> = ["0", "1"]
        .iter()
        .flat_map(|shard| ["0", "1"].map(|replica| (shard, replica)))
        .map(|(shard, replica)| LeafProcess::start(&["--shard", shard, "--replica", replica]))
        .collect();
    let addresses: Vec<&str> = leaves.iter().map(|leaf| leaf.address.as_str()).collect();
    let addresses = addresses.join(",");
    let set = [("leaves", "2"), ("leaf-addresses", &addresses), ("rate", "100")];
    let dir = tempfile::tempdir().unwrap();
    let what = Rehearsal {
        mode: Mode::Live,
        variants: &["fan-out"],
        set: &set,
        measure: Some(Duration::from_millis(500)),
    };
    rehearse(&LAB, dir.path(), what).unwrap();
    let run = lab_record::Run::load(dir.path()).unwrap();
    let accounting = run.finished[0].metrics.accounting;
    assert!(accounting.adds_up() && accounting.completed > 20, "{accounting:?}");
    assert_eq!(accounting.failed, 0, "their answers are the right ones");
}

#[test]
fn requests_that_leaves_never_answer_are_in_the_tail_and_make_the_run_invalid() {
    // It takes connections, and answers nothing.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = silent.local_addr().unwrap();
    let addresses = format!("{address},{address}");
    let set = [("leaves", "1"), ("leaf-addresses", &addresses), ("rate", "100")];
    let dir = tempfile::tempdir().unwrap();
    let what = Rehearsal {
        mode: Mode::Live,
        variants: &["single"],
        set: &set,
        measure: Some(Duration::from_millis(500)),
    };
    rehearse(&LAB, dir.path(), what).unwrap();
    let run = lab_record::Run::load(dir.path()).unwrap();
    let found = &run.finished[0].metrics;
    let sum = found.accounting;
    assert!(sum.adds_up() && sum.offered > 20 && sum.timed_out == sum.offered, "{sum:?}");
    let facts = found.series["response"];
    assert_eq!((facts.count, facts.censored), (sum.offered, sum.offered));
    assert!(facts.min_ns >= 10_000_000_000, "each has waited for the client's whole timeout");
    let expected = format!("{0} of {0} requests timed out", sum.offered);
    assert!(found.invalid_reasons.contains(&expected), "{:?}", found.invalid_reasons);
}

#[test]
fn missing_or_too_few_leaves_are_one_clear_error() {
    let error = |addresses: &str| {
        let dir = tempfile::tempdir().unwrap();
        let set = [("leaves", "1"), ("leaf-addresses", addresses)];
        let what = Rehearsal { mode: Mode::Live, variants: &["fan-out"], set: &set, measure: None };
        format!("{:#}", rehearse(&LAB, dir.path(), what).unwrap_err())
    };
    let nobody = error("127.0.0.1:1,127.0.0.1:1");
    assert!(nobody.contains("leaf at 127.0.0.1:1"), "{nobody}");
    assert!(error("127.0.0.1:1").contains("1 leaf addresses are set and 2 are needed"));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let leaf = LeafProcess::start(&[]);
    let output = Command::new(PROGRAM).args(["leaf", "--listen", &leaf.address]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains(&format!("listen on {}", leaf.address)), "{stderr}");
}

#[test]
fn too_few_open_files_say_how_many_are_needed() {
    let dir = tempfile::tempdir().unwrap();
    let none = Rehearsal {
        mode: Mode::Simulated,
        variants: &["fan-out"],
        set: &[("leaves", "2")],
        measure: Some(Duration::from_millis(10)),
    };
    rehearse(&LAB, dir.path(), none).unwrap();
    let trial = dir.path().join("trials/001-fan-out");
    let file = trial.join("trial.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let text =
        text.replace("\"simulated\"", "\"live\"").replace("\"leaves\": 2", "\"leaves\": 500");
    std::fs::write(&file, text).unwrap();
    let output = run_with_open_files(&trial, 200);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("open files are needed and 200 are allowed"), "{stderr}");
}

fn run_with_open_files(trial: &Path, limit: u32) -> Output {
    Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -n {limit} && exec \"$0\" run \"$1\""))
        .arg(PROGRAM)
        .arg(trial)
        .output()
        .unwrap()
}
