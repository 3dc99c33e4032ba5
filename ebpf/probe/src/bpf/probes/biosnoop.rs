//! Requests to block devices, one by one.

use std::collections::HashMap;
use std::fs;

use anyhow::Result;
use lab_probe_common::event::BlockIo;
use lab_record::table::Cell;

use super::block::REQUEST;
use crate::bpf::found::Found;
use crate::bpf::load::Loaded;
use crate::bpf::{Probe, maps};

pub(super) const PROBE: Probe =
    Probe { fields: &[REQUEST], drain, ..Probe::of(object!("biosnoop"), &[]) };

fn drain(loaded: &mut Loaded, found: &mut Found) -> Result<()> {
    let (begun_ns, _) = loaded.span_ns();
    let columns = [
        ("TIME", "s"),
        ("PID", ""),
        ("COMM", ""),
        ("DISK", ""),
        ("TYPE", ""),
        ("SECTOR", ""),
        ("BYTES", ""),
        ("QUEUED", "ns"),
        ("SERVICE", "ns"),
    ];
    let rows = found.rows("requests", &columns);
    let mut disks: HashMap<(u32, u32), String> = HashMap::new();
    loaded.events(|event: &BlockIo| {
        let numbers = (event.major, event.minor);
        let disk = disks.entry(numbers).or_insert_with(|| disk(numbers)).clone();
        rows.push(vec![
            Cell::Number(event.time_ns.saturating_sub(begun_ns) as f64 / 1e9),
            Cell::Count(event.owner.tgid),
            Cell::Text(maps::name(&event.owner.comm.bytes())),
            Cell::Text(disk),
            Cell::Text(operation(event.operation).to_owned()),
            Cell::Count(event.sector),
            Cell::Count(event.bytes.into()),
            Cell::Count(event.queued_ns),
            Cell::Count(event.service_ns),
        ]);
    })
}

/// The device's name in /dev; its numbers if it is gone.
fn disk((major, minor): (u32, u32)) -> String {
    let device = fs::read_link(format!("/sys/dev/block/{major}:{minor}")).ok();
    let name = device.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    name.unwrap_or_else(|| format!("{major}:{minor}"))
}

fn operation(number: u32) -> &'static str {
    match number {
        0 => "read",
        1 => "write",
        2 => "flush",
        3 | 5 => "discard",
        9 => "zeroes",
        _ => "other",
    }
}
