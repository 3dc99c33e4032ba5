//! Profiles for other tools: speedscope's JSON, pprof's protobuf and differential files.
//!
//! Folded stacks hold all there is to export, except the time that a sample stands for. It is the
//! requested period: CPU time without a sample is in no stack, and is not added to other stacks.

use std::collections::HashMap;
use std::io::Write;

use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder};
use serde::Serialize;

use crate::draw::Kind;
use crate::folded::{Folded, Stack};

/// Speedscope's file format, one `sampled` profile with a weight for each stack.
/// Schema: <https://www.speedscope.app/file-format-schema.json>.
pub fn speedscope(folded: &Folded, name: &str, kind: Kind, out: &mut dyn Write) -> Result<()> {
    let mut names = Interner::default();
    let samples: Vec<Vec<u64>> = folded
        .stacks()
        .map(|stack| stack.frames().map(|frame| names.index(frame)).collect())
        .collect();
    let file = Speedscope {
        schema: "https://www.speedscope.app/file-format-schema.json",
        exporter: concat!("perf-lab ", env!("CARGO_PKG_VERSION")),
        name,
        active_profile_index: 0,
        shared: Shared { frames: names.texts.iter().map(|name| Frame { name }).collect() },
        profiles: [Profile {
            kind: "sampled",
            name,
            unit: match kind {
                Kind::Cpu => "none",
                Kind::OffCpu => "microseconds",
                Kind::Memory => "bytes",
                Kind::Faults => "none",
            },
            start_value: 0,
            end_value: folded.total(),
            samples,
            weights: folded.stacks().map(|stack| stack.count).collect(),
        }],
    };
    serde_json::to_writer(out, &file).context("cannot write the speedscope file")
}

/// Deeper stacks overflow speedscope's own, which walks them by recursion.
const SPEEDSCOPE_DEPTH: usize = 1_000;

/// What to know of stacks that speedscope may not show.
pub fn speedscope_note(folded: &Folded) -> Option<String> {
    let depth = |stack: &Stack<'_>| stack.frames().count();
    let (mut deepest, mut count) = (0, 0);
    for stack in folded.stacks() {
        let depth = depth(&stack);
        deepest = deepest.max(depth);
        count += if depth > SPEEDSCOPE_DEPTH { stack.count } else { 0 };
    }
    let share = 100.0 * count as f64 / folded.total() as f64;
    (count > 0).then(|| {
        format!(
            "{share:.1} % stand in stacks of more than {SPEEDSCOPE_DEPTH} frames (the deepest has {deepest}), of which speedscope may fail: the flame graph draws them"
        )
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Speedscope<'a> {
    #[serde(rename = "$schema")]
    schema: &'a str,
    exporter: &'a str,
    name: &'a str,
    active_profile_index: u64,
    shared: Shared<'a>,
    profiles: [Profile<'a>; 1],
}

#[derive(Serialize)]
struct Shared<'a> {
    frames: Vec<Frame<'a>>,
}

#[derive(Serialize)]
struct Frame<'a> {
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Profile<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    name: &'a str,
    unit: &'a str,
    start_value: u64,
    end_value: u64,
    samples: Vec<Vec<u64>>,
    weights: Vec<u64>,
}

/// A differential file, as difffolded.pl writes it: each stack of either side, its count before and
/// after, 0 where it is absent. Scaled, the counts before have the total of those after, as with its
/// `-n`, but to the nearest whole number: cut off, far more single samples would become none.
pub fn differential(
    before: &Folded,
    after: &Folded,
    scaled: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let scale = if scaled { after.total() as f64 / before.total() as f64 } else { 1.0 };
    let all = Folded::merge([before, after])?;
    let (mut before, mut after) = (before.stacks().peekable(), after.stacks().peekable());
    for stack in all.stacks() {
        let is_it = |other: &Stack<'_>| other.path() == stack.path();
        let [before, after] = [before.next_if(is_it), after.next_if(is_it)]
            .map(|found| found.map_or(0, |found| found.count));
        let before = (before as f64 * scale).round() as u64;
        writeln!(out, "{} {before} {after}", stack.path()).context("cannot write the counts")?;
    }
    Ok(())
}

/// pprof's `profile.proto`, gzipped as its tools expect. `hz`, the rate that was asked for,
/// gives CPU samples their period of `1e9 / hz` nanoseconds; without it a profile has counts alone.
///
/// Numbers of fields are those of google/pprof's `proto/profile.proto`.
pub fn pprof(folded: &Folded, kind: Kind, hz: Option<f64>, out: &mut dyn Write) -> Result<()> {
    let bytes = profile(folded, kind, hz);
    let mut gzip = GzBuilder::new().mtime(0).write(out, Compression::default());
    gzip.write_all(&bytes).context("cannot write the pprof file")?;
    gzip.finish().context("cannot write the pprof file")?;
    Ok(())
}

fn profile(folded: &Folded, kind: Kind, hz: Option<f64>) -> Vec<u8> {
    // String 0 is the empty one, as the format wants.
    let mut strings = Interner::default();
    strings.index("");
    let period_ns = match kind {
        Kind::Cpu => hz.filter(|hz| *hz > 0.0).map(|hz| (1e9 / hz).round() as u64),
        Kind::OffCpu | Kind::Memory | Kind::Faults => None,
    };
    let types: &[(&str, &str)] = match (kind, period_ns) {
        (Kind::Cpu, Some(_)) => &[("samples", "count"), ("cpu", "nanoseconds")],
        (Kind::Cpu, None) => &[("samples", "count")],
        (Kind::OffCpu, _) => &[("off-cpu", "microseconds")],
        (Kind::Memory, _) => &[("space", "bytes")],
        (Kind::Faults, _) => &[("faults", "count")],
    };

    let mut out = Message::default();
    for &(name, unit) in types {
        out.message(1, &value_type(&mut strings, name, unit));
    }
    // A location for each function, of the same id; ids begin at 1.
    let mut functions = Interner::default();
    for stack in folded.stacks() {
        let leaf_first: Vec<u64> =
            stack.frames().rev().map(|frame| functions.index(frame) + 1).collect();
        let nanoseconds =
            period_ns.map(|period| stack.count.saturating_mul(period).min(i64::MAX as u64));
        let values: Vec<u64> = [stack.count].into_iter().chain(nanoseconds).collect();
        let mut sample = Message::default();
        sample.packed(1, &leaf_first);
        sample.packed(2, &values);
        out.message(2, &sample);
    }
    for (id, name) in (1..).zip(&functions.texts) {
        let mut line = Message::default();
        line.number(1, id);
        let mut location = Message::default();
        location.number(1, id);
        location.message(4, &line);
        out.message(4, &location);
        let mut function = Message::default();
        function.number(1, id);
        function.number(2, strings.index(name));
        out.message(5, &function);
    }
    if let Some(period_ns) = period_ns {
        out.message(11, &value_type(&mut strings, "cpu", "nanoseconds"));
        out.number(12, period_ns);
    }
    for text in &strings.texts {
        out.bytes(6, text.as_bytes());
    }
    out.0
}

fn value_type<'a>(strings: &mut Interner<'a>, name: &'a str, unit: &'a str) -> Message {
    let mut message = Message::default();
    message.number(1, strings.index(name));
    message.number(2, strings.index(unit));
    message
}

/// Texts in the order of their first mention.
#[derive(Default)]
struct Interner<'a> {
    texts: Vec<&'a str>,
    indices: HashMap<&'a str, u64>,
}

impl<'a> Interner<'a> {
    fn index(&mut self, text: &'a str) -> u64 {
        *self.indices.entry(text).or_insert_with(|| {
            self.texts.push(text);
            self.texts.len() as u64 - 1
        })
    }
}

/// A protobuf message under construction: as much of the wire format as a profile needs.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn number(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn message(&mut self, field: u64, message: &Message) {
        self.bytes(field, &message.0);
    }

    fn packed(&mut self, field: u64, values: &[u64]) {
        let mut packed = Message::default();
        for &value in values {
            packed.varint(value);
        }
        self.message(field, &packed);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_match_the_protobuf_guide() {
        let mut message = Message::default();
        message.number(1, 150);
        assert_eq!(message.0, [0x08, 0x96, 0x01]);
        let mut message = Message::default();
        message.bytes(2, b"testing");
        assert_eq!(message.0, [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]);
        let mut message = Message::default();
        message.packed(6, &[3, 270, 86_942]);
        assert_eq!(message.0, [0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05]);
        let mut message = Message::default();
        message.varint(u64::MAX);
        assert_eq!(message.0.len(), 10);
    }
}
