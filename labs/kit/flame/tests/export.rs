//! Exports, read back.
#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::io::Read as _;

use flate2::read::GzDecoder;
use lab_flame::draw::Kind;
use lab_flame::export::{differential, pprof, speedscope};
use lab_flame::folded::Folded;

const STACKS: &str = "main;b;c 31\nmain;b 7\nmain;<&\"> 2\n";

#[test]
fn speedscope_has_every_stack_and_weight() {
    let folded = Folded::parse("in", STACKS).unwrap();
    let mut out = Vec::new();
    speedscope(&folded, "a \"name\"", Kind::Cpu, &mut out).unwrap();
    let file: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let (profile, frames) = (&file["profiles"][0], &file["shared"]["frames"]);
    assert_eq!(file["$schema"], "https://www.speedscope.app/file-format-schema.json");
    assert_eq!(profile["type"], "sampled");
    assert_eq!(profile["endValue"], 40);
    let stacks =
        profile["samples"].as_array().unwrap().iter().zip(profile["weights"].as_array().unwrap());
    let text: Vec<String> = stacks
        .map(|(stack, weight)| {
            let names = stack
                .as_array()
                .unwrap()
                .iter()
                .map(|id| &frames[id.as_u64().unwrap() as usize]["name"]);
            let names: Vec<_> = names.map(|name| name.as_str().unwrap()).collect();
            format!("{} {weight}\n", names.join(";"))
        })
        .collect();
    assert_eq!(text.concat(), folded.to_text());
}

#[test]
fn the_period_is_that_of_the_achieved_rate() {
    // 1e9 / 98.7 Hz = 10,131,712 ns: field 12, as a varint.
    let bytes = unzipped(Kind::Cpu, Some(98.7));
    assert!(bytes.windows(5).any(|bytes| bytes == [12 << 3, 0x80, 0xb2, 0xea, 0x04]), "{bytes:x?}");
    assert!(contains(&bytes, b"nanoseconds"));
    assert!(!contains(&unzipped(Kind::Cpu, None), b"nanoseconds"), "no rate, no time");
    assert!(contains(&unzipped(Kind::OffCpu, Some(99.0)), b"microseconds"));
}

#[test]
fn pprof_stacks_begin_at_the_leaf() {
    // Locations are numbered as they come up: of `main;b;c`, c is 4, b 3 and main 2.
    assert!(contains(&unzipped(Kind::Cpu, None), &[1 << 3 | 2, 3, 4, 3, 2]));
}

#[test]
fn exports_are_the_same_bytes_each_time() {
    let folded = Folded::parse("in", STACKS).unwrap();
    let [one, two] = [0; 2].map(|_| {
        let mut out = Vec::new();
        pprof(&folded, Kind::Cpu, Some(99.0), &mut out).unwrap();
        out
    });
    assert_eq!(one, two);
}

fn unzipped(kind: Kind, hz: Option<f64>) -> Vec<u8> {
    let (mut zipped, mut bytes) = (Vec::new(), Vec::new());
    pprof(&Folded::parse("in", STACKS).unwrap(), kind, hz, &mut zipped).unwrap();
    GzDecoder::new(&zipped[..]).read_to_end(&mut bytes).unwrap();
    bytes
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// DFG-4, and DFG-5 without its truncation: 251 before are 200 after.
#[test]
fn a_differential_file_has_both_counts_and_scales_to_the_nearest() {
    let parse = |text: &str| Folded::parse("in", text).unwrap();
    let columns = |before: &str, after: &str, scaled| {
        let mut out = Vec::new();
        differential(&parse(before), &parse(after), scaled, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let (before, after) = ("a;b 31\na 1\nx 219\n", "a;b 33\na::b 7\nx 160\n");
    assert_eq!(columns(before, after, false), "a 1 0\na;b 31 33\na::b 0 7\nx 219 160\n");
    assert_eq!(columns(before, after, true), "a 1 0\na;b 25 33\na::b 0 7\nx 175 160\n");
}
