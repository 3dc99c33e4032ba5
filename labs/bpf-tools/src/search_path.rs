//! A program that looks for its files in many places, for opensnoop.

use std::fs::File;
use std::io::ErrorKind;

use lab_kit::Ctx;

/// The beginning of the missing places.
pub(crate) const NOWHERE: &str = "/no/such/directory/";

/// As dynamic linkers try them: folders for other processors.
const IN_VAIN: [&str; 4] = ["haswell/avx512_1", "haswell", "x86_64", "tls"];

/// Where the file is.
const HERE: &str = "/proc/self/";

/// Looks for a file until `opens` (a knob) opens have failed.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let planned = ctx.int("opens");
    let last = ctx.text("order") == "last";
    let nowhere = IN_VAIN.map(|place| format!("{NOWHERE}{place}/"));
    let mut places: Vec<&str> = nowhere.iter().map(String::as_str).collect();
    places.insert(if last { places.len() } else { 0 }, HERE);
    let (mut failed, mut found) = (0_u64, 0_u64);
    for _ in 0..planned.div_ceil(IN_VAIN.len() as u64) {
        for place in &places {
            match File::open(format!("{place}comm")) {
                Ok(_) => {
                    found += 1;
                    break;
                }
                Err(error) if error.kind() == ErrorKind::NotFound => failed += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
    ctx.metric("planned", planned.next_multiple_of(IN_VAIN.len() as u64) as f64, "count");
    ctx.metric("failed", failed as f64, "count");
    ctx.metric("found", found as f64, "count");
    Ok(())
}
