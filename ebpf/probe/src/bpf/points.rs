//! USDT points of a program: for each, a note in its file gives the address of a no-op instruction,
//! on which a trap is set.
//!
//! The notes' layout is SystemTap's
//! (<https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation>): three words of ELF, the
//! owner `stapsdt`, then three addresses, of which the first is the point's, its provider, its name
//! and its arguments. We ask for no arguments, so semaphores and their counting are not needed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use lab_record::probe::ProbeTarget;
use object::elf::PF_X;
use object::{Object, ObjectSection, ObjectSegment, SegmentFlags};

use crate::proc;
use crate::target::NotStarted;

/// The provider of our points.
pub(crate) const PROVIDER: &str = "perf_lab";

const SECTION: &str = ".note.stapsdt";
const OWNER: &[u8] = b"stapsdt\0";
const TYPE: u32 = 3;

/// Our points in a program.
#[derive(Debug)]
pub(crate) struct Points {
    path: PathBuf,
    /// Names and file offsets. A point that was inlined has several.
    points: Vec<(String, u64)>,
}

impl Points {
    /// The points of the observed program; empty if the target is no program, or has none.
    ///
    /// # Errors
    /// There is no such command or process, or its file cannot be read.
    pub(crate) fn of(target: &ProbeTarget) -> Result<Self> {
        match target {
            ProbeTarget::Pid(id) => {
                let path = format!("/proc/{}/exe", proc::process_of(*id)?);
                Self::of_file(Path::new(&path))
            }
            ProbeTarget::Command(words) => {
                let word = words.first().map_or("", String::as_str);
                let path =
                    proc::executable(word.as_ref()).ok_or_else(|| NotStarted::not_found(word))?;
                Self::of_file(&path)
            }
            ProbeTarget::Everyone | ProbeTarget::Comm(_) => bail!("no program was named"),
        }
    }

    /// The points of a file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn of_file(path: &Path) -> Result<Self> {
        // Reads through the link in /proc, not its target: in a container that would be another
        // file, or none.
        let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let points = points(&bytes).unwrap_or_default();
        Ok(Self { path: path.to_owned(), points })
    }

    /// The program.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Every place of the point of this name.
    pub(crate) fn places(&self, name: &str) -> Vec<u64> {
        let places = self.points.iter().filter(|(own, _)| own == name);
        places.map(|(_, place)| *place).collect()
    }
}

/// Our points in a program of this machine's word length, and where they are in its file.
fn points(bytes: &[u8]) -> Option<Vec<(String, u64)>> {
    let file = object::File::parse(bytes).ok()?;
    let code: Vec<_> = file
        .segments()
        .filter(|segment| matches!(segment.flags(), SegmentFlags::Elf { p_flags } if p_flags & PF_X != 0))
        .map(|segment| (segment.address(), segment.file_range()))
        .collect();
    // A point that the linker has left out has no address in the code.
    let place = |address: u64| {
        code.iter().find_map(|&(begin, (offset, len))| {
            let within = address.checked_sub(begin).filter(|within| *within < len)?;
            Some(offset + within)
        })
    };
    let mut notes = file.section_by_name(SECTION)?.data().ok()?;
    let mut points = Vec::new();
    while let Some((note, rest)) = next(notes) {
        notes = rest;
        if let Some((address, name)) = note.and_then(ours)
            && let Some(place) = place(address)
        {
            points.push((name, place));
        }
    }
    Some(points)
}

/// The description of the first note, if it is of a point, and the notes after it.
fn next(notes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (head, rest) = notes.split_first_chunk::<12>()?;
    let word = |at: usize| head[at..at + 4].try_into().map(u32::from_ne_bytes).ok();
    let (owner_len, len, of_type) = (word(0)? as usize, word(4)? as usize, word(8)?);
    let (owner, rest) = rest.split_at_checked(owner_len.checked_next_multiple_of(4)?)?;
    let (description, _) = rest.split_at_checked(len)?;
    // The last note need not be padded.
    let rest = rest.get(len.checked_next_multiple_of(4)?..).unwrap_or_default();
    let is_point = of_type == TYPE && owner.get(..owner_len)? == OWNER;
    Some((is_point.then_some(description), rest))
}

/// The address and the name of a point of ours.
fn ours(description: &[u8]) -> Option<(u64, String)> {
    let (address, rest) = description.split_first_chunk::<8>()?;
    let mut words = rest.get(16..)?.split(|&byte| byte == 0);
    let is_ours = words.next()? == PROVIDER.as_bytes();
    let name = String::from_utf8(words.next()?.to_vec()).ok()?;
    is_ours.then(|| (u64::from_ne_bytes(*address), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(owner: &[u8], of_type: u32, address: u64, words: &[u8]) -> Vec<u8> {
        let mut description = [address, 0, 0].map(u64::to_ne_bytes).concat();
        description.extend(words);
        let sizes = [owner.len() as u32, description.len() as u32, of_type];
        let mut note = sizes.map(u32::to_ne_bytes).concat();
        for part in [owner, &description] {
            note.extend(part);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    fn all(mut notes: &[u8]) -> Vec<(u64, String)> {
        let mut found = Vec::new();
        while let Some((note, rest)) = next(notes) {
            found.extend(note.and_then(ours));
            notes = rest;
        }
        found
    }

    #[test]
    fn points_are_read_and_those_of_others_are_left_out() {
        let notes = [
            note(OWNER, TYPE, 0x1234, b"perf_lab\0request_begin\0\0"),
            note(OWNER, TYPE, 0x2000, b"libc\0setjmp\08@%rdi\0"),
            note(b"GNU\0", TYPE, 0x3000, b"perf_lab\0x\0\0"),
            note(OWNER, 1, 0x4000, b"perf_lab\0x\0\0"),
            note(OWNER, TYPE, 0x5678, b"perf_lab\0request_begin\0\0"),
        ]
        .concat();
        let begin = "request_begin".to_owned();
        assert_eq!(all(&notes), [(0x1234, begin.clone()), (0x5678, begin)]);
    }

    #[test]
    fn truncated_notes_end_without_panic_or_endless_loop() {
        let whole = note(OWNER, TYPE, 0x1234, b"perf_lab\0request_begin\0\0");
        for end in 0..whole.len() - 3 {
            assert_eq!(all(&whole[..end]), [], "{end}");
        }
        assert_eq!(all(&[0xff; 64]), []);
        assert_eq!(points(b"#!/bin/sh\n"), None);
    }
}
