//! Recognises what a file is that a user gives as folded stacks, and makes folded text of it.
//!
//! gzip is unpacked, a byte-order mark dropped, and the text of `perf script` collapsed. Of what cannot
//! be read the error says what it is and what makes folded stacks of it.

use std::io::Read as _;
use std::ops::Range;

use anyhow::{Context as _, Error, Result, anyhow, ensure};
use flate2::read::MultiGzDecoder;
use inferno::collapse::Collapse as _;
use inferno::collapse::perf;

/// The first bytes of a file, from which it is known what the file is.
pub(crate) const HEAD: usize = 1_000;

/// The most that is unpacked of a file: eight times the largest that is known to have been drawn.
const MAX_UNPACKED: u64 = 8 << 30;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The folded text in `bytes`, and what a reader should know of how it was taken.
pub(crate) fn folded_text(file: &str, mut bytes: Vec<u8>) -> Result<(Vec<u8>, Vec<String>)> {
    let mut notes = Vec::new();
    if bytes.starts_with(b"\x1f\x8b") {
        bytes = unpacked(&bytes).with_context(|| format!("{file}: truncated or damaged gzip"))?;
    }
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    if is_perf_script(&bytes) {
        bytes = collapsed(&bytes).with_context(|| format!("{file}: text of `perf script`"))?;
        notes.push(format!("{file}: text of `perf script`, collapsed by samples"));
    }
    Ok((bytes, notes))
}

fn unpacked(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    MultiGzDecoder::new(bytes).take(MAX_UNPACKED + 1).read_to_end(&mut text)?;
    ensure!(text.len() as u64 <= MAX_UNPACKED, "more than {MAX_UNPACKED} bytes when unpacked");
    Ok(text)
}

/// What to say of a file that is no folded text, where it begins with `head`; else `error`.
pub(crate) fn refusal(file: &str, head: &[u8], error: Error) -> Error {
    match foreign(head) {
        Some((what, instead)) => {
            let instead = instead.replace("PERF_LAB", lab_text::program::name());
            anyhow!("{file} is {what}, not folded stacks: {instead}")
        }
        None => error,
    }
}

/// What a file of another kind is, and what to do with it; `PERF_LAB` stands for the program's name.
fn foreign(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const UNPACK: &str = "unpack it, or pipe it: `zstdcat FILE | PERF_LAB flame -`";
    let start = bytes.trim_ascii_start();
    let begins = |with: &str| {
        start.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()))
    };
    let head = || String::from_utf8_lossy(start);
    if bytes.starts_with(b"PERFILE2") {
        Some(("perf.data", "`perf script -i FILE | PERF_LAB flame -` draws it"))
    } else if begins("<svg") || (begins("<?xml") && head().contains("<svg")) {
        Some(("an image (SVG)", "give the stacks that it was drawn from; a browser shows it"))
    } else if begins("<?xml") || begins("<!doctype html") || begins("<html") {
        Some(("a page (HTML or XML)", "give the stacks that it was made from"))
    } else if begins("{") || begins("[{") {
        Some(("JSON", "speedscope.app and Perfetto read profiles in it; give folded stacks here"))
    } else if bytes.starts_with(b"\x7fELF") {
        Some(("a program (ELF)", "`PERF_LAB record -- FILE` records and draws it"))
    } else if bytes.starts_with(b"\x28\xb5\x2f\xfd") {
        Some(("compressed (zstd)", UNPACK))
    } else if bytes.starts_with(b"\xfd7zXZ\0") {
        Some(("compressed (xz)", "unpack it, or pipe it: `xzcat FILE | PERF_LAB flame -`"))
    } else if bytes.starts_with(b"BZh") && bytes.get(4..10) == Some(b"1AY&SY") {
        Some(("compressed (bzip2)", "unpack it, or pipe it: `bzcat FILE | PERF_LAB flame -`"))
    } else if bytes.starts_with(b"PK\x03\x04") {
        Some(("an archive (zip)", "unpack it: `unzip -p FILE | PERF_LAB flame -`"))
    } else if is_pprof(bytes) {
        Some(("a pprof profile", "`go tool pprof -raw FILE` shows its stacks as text"))
    } else {
        None
    }
}

/// Protobuf whose first field is 1, a message: as pprof writes it, unpacked.
fn is_pprof(bytes: &[u8]) -> bool {
    matches!(bytes, [0x0a, length, 0x08, ..] if usize::from(*length) < 16)
}

/// The first line is that of a sample (`program 71 [001] 3.2: 10 cpu-clock: `), and an address
/// stands in the next.
fn is_perf_script(bytes: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(16 << 10)]);
    let mut lines = start.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let (Some(sample), Some(frame)) = (lines.next(), lines.next()) else { return false };
    let address = frame.split_whitespace().next().unwrap_or_default();
    sample.trim_end().ends_with(':')
        && frame.starts_with([' ', '\t'])
        && address.len() >= 4
        && address.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Stacks by their samples: inferno would add up their periods.
fn collapsed(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut samples = String::with_capacity(bytes.len());
    for line in String::from_utf8_lossy(bytes).lines() {
        match period(line) {
            Some(period) => {
                samples.push_str(&line[..period.start]);
                samples.push_str(line[period.end..].trim_start());
            }
            None => samples.push_str(line),
        }
        samples.push('\n');
    }
    let mut options = perf::Options::default();
    options.annotate_kernel = true;
    options.annotate_jit = true;
    let mut text = Vec::new();
    perf::Folder::from(options).collapse(samples.as_bytes(), &mut text)?;
    Ok(text)
}

/// Where the period stands in the first line of a sample: a number behind the time, before the event.
fn period(line: &str) -> Option<Range<usize>> {
    if line.starts_with([' ', '\t', '#']) {
        return None;
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    line.match_indices(": ").find_map(|(at, _)| {
        let time = line[..at].rsplit(' ').next()?;
        let (seconds, fraction) = time.split_once('.')?;
        let rest = line[at + 1..].trim_start();
        let start = line.len() - rest.len();
        let digits = rest.split(' ').next()?;
        let is_period = is_number(seconds) && is_number(fraction) && is_number(digits);
        is_period.then(|| start..start + digits.len())
    })
}
