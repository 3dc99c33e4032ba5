//! Field offsets of the running kernel's structures, from its own type information:
//! /sys/kernel/btf/vmlinux.
//!
//! aya reads this format to relocate C programs, and offers no look-up; the layout is that of the
//! kernel's `Documentation/bpf/btf.rst`.

use std::fs;

use anyhow::{Context, Result, bail};

use super::refused::Refused;

/// Where the kernel publishes its types.
const PATH: &str = "/sys/kernel/btf/vmlinux";

/// A field of a kernel structure whose offset is passed to a program in a global.
pub(crate) struct Field {
    /// The global.
    pub(crate) global: &'static str,
    /// The structure.
    pub(crate) structure: &'static str,
    /// The field.
    pub(crate) field: &'static str,
}

const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_TYPEDEF: u32 = 8;
const KIND_VOLATILE: u32 = 9;
const KIND_CONST: u32 = 10;

/// The kernel's types.
pub(crate) struct Types {
    data: Vec<u8>,
    /// The offset of each type, at the index of its number less one.
    types: Vec<usize>,
    strings: usize,
}

impl Types {
    /// Those of the running kernel.
    ///
    /// # Errors
    /// [`Refused`] if it publishes none.
    pub(crate) fn of_kernel() -> Result<Self> {
        let Ok(data) = fs::read(PATH) else {
            return Err(Refused::no_btf(PATH).into());
        };
        Self::parse(data).with_context(|| format!("{PATH} is damaged"))
    }

    fn parse(data: Vec<u8>) -> Option<Self> {
        let header = |at: usize| Some(word(&data, at)? as usize);
        let begin = header(4)?;
        let (mut at, strings) = (begin + header(8)?, begin + header(16)?);
        let end = at + header(12)?;
        let mut types = Vec::new();
        while at < end {
            types.push(at);
            at += 12 + extra(word(&data, at + 4)?)?;
        }
        Some(Self { data, types, strings })
    }

    /// The offset in bytes of `field` in `structure`, or in one of its unnamed members.
    /// `outer.inner` is a field of a field that is itself a structure.
    pub(crate) fn offset(&self, structure: &str, field: &str) -> Result<u32> {
        let Some(mut at) = self.named(KIND_STRUCT, structure) else {
            bail!("this kernel has no struct {structure}");
        };
        let mut bits = 0;
        for part in field.split('.') {
            let member = self.member(at, part.as_bytes());
            let (more, of_type) =
                member.with_context(|| format!("this kernel's {structure} has no {field}"))?;
            bits += more;
            at = self.resolve(of_type).unwrap_or(at);
        }
        Ok(bits / 8)
    }

    /// The number of arguments of a tracepoint; `None` if the kernel has no such tracepoint.
    pub(crate) fn arguments(&self, tracepoint: &str) -> Option<u32> {
        let alias = self.named(KIND_TYPEDEF, &format!("btf_trace_{tracepoint}"))?;
        let pointer = self.resolve(word(&self.data, alias + 8)?)?;
        let prototype = self.resolve(word(&self.data, pointer + 8)?)?;
        // Without the first argument, which is internal to the kernel's tracing.
        (word(&self.data, prototype + 4)? & 0xffff).checked_sub(1)
    }

    /// The offset of the type of this kind and name.
    fn named(&self, kind: u32, name: &str) -> Option<usize> {
        let is_it = |at: &usize| self.kind(*at) == kind && self.string(*at) == name.as_bytes();
        self.types.iter().copied().find(is_it)
    }

    /// The offset of the type of this number, with typedefs and qualifiers resolved.
    fn resolve(&self, number: u32) -> Option<usize> {
        let mut at = *self.types.get((number as usize).checked_sub(1)?)?;
        // Bounded, since damaged types may refer to each other.
        for _ in 0..16 {
            if !matches!(self.kind(at), KIND_TYPEDEF | KIND_VOLATILE | KIND_CONST) {
                break;
            }
            at = *self.types.get((word(&self.data, at + 8)? as usize).checked_sub(1)?)?;
        }
        Some(at)
    }

    fn kind(&self, at: usize) -> u32 {
        word(&self.data, at + 4).map_or(0, |info| info >> 24 & 0x1f)
    }

    /// The value of the enumerator `name`, in any enumeration.
    pub(crate) fn value(&self, name: &str) -> Result<u32> {
        let found = self.types.iter().find_map(|&at| {
            let info = word(&self.data, at + 4)?;
            let values = if info >> 24 & 0x1f == KIND_ENUM { info & 0xffff } else { 0 };
            let mut places = (0..values as usize).map(|value| at + 12 + 8 * value);
            let place = places.find(|&place| self.string(place) == name.as_bytes())?;
            word(&self.data, place + 4)
        });
        found.with_context(|| format!("this kernel has no {name}"))
    }

    /// The offset in bits of a member of the structure that begins at `at`, and the number of its
    /// type.
    fn member(&self, at: usize, field: &[u8]) -> Option<(u32, u32)> {
        let info = word(&self.data, at + 4)?;
        let bit_fields = info >> 31 == 1;
        for member in 0..(info & 0xffff) as usize {
            let member = at + 12 + 12 * member;
            let offset = word(&self.data, member + 8)?;
            let bits = if bit_fields { offset & 0xff_ffff } else { offset };
            let name = self.string(member);
            let of_type = word(&self.data, member + 4)?;
            if name == field {
                return Some((bits, of_type));
            }
            if name.is_empty() {
                let within = *self.types.get((of_type as usize).checked_sub(1)?)?;
                if matches!(self.kind(within), KIND_STRUCT | KIND_UNION)
                    && let Some((more, of_type)) = self.member(within, field)
                {
                    return Some((bits + more, of_type));
                }
            }
        }
        None
    }

    /// The string whose offset is stored at `at`.
    fn string(&self, at: usize) -> &[u8] {
        let from = word(&self.data, at).map_or(0, |offset| self.strings + offset as usize);
        let bytes = self.data.get(from..).unwrap_or_default();
        bytes.split(|&byte| byte == 0).next().unwrap_or_default()
    }
}

fn word(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

/// The number of bytes after the three words that every type has.
fn extra(info: u32) -> Option<usize> {
    let members = (info & 0xffff) as usize;
    Some(match info >> 24 & 0x1f {
        // Pointers, forwards, typedefs, qualifiers, functions, floats and type tags.
        2 | 7..=12 | 16 | 18 => 0,
        // Integers, variables and declaration tags.
        1 | 14 | 17 => 4,
        // Arrays.
        3 => 12,
        // Structures and unions; sections; 64-bit enumerations.
        KIND_STRUCT | KIND_UNION | 15 | 19 => 12 * members,
        // Enumerations and function prototypes.
        KIND_ENUM | 13 => 8 * members,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `struct task { int pid; struct { int tgid; }; }`, with the inner structure at byte 8.
    fn sample() -> Vec<u8> {
        let strings = b"\0int\0task\0pid\0tgid\0";
        let [int, task, pid, tgid] = [1_u32, 5, 10, 14];
        let kind = |kind: u32, members: u32| kind << 24 | members;
        let types: &[u32] = &[
            int,
            kind(1, 0),
            4,
            32, //
            0,
            kind(4, 1),
            4,
            tgid,
            1,
            0, //
            task,
            kind(4, 2),
            12,
            pid,
            1,
            0,
            0,
            2,
            64,
        ];
        let types: Vec<u8> = types.iter().flat_map(|word| word.to_le_bytes()).collect();
        let header =
            [0x0001_eb9f, 24, 0, types.len() as u32, types.len() as u32, strings.len() as u32];
        let mut data: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
        data.extend(types);
        data.extend(strings);
        data
    }

    #[test]
    fn fields_are_found_in_nameless_members_too() {
        let types = Types::parse(sample()).unwrap();
        assert_eq!(types.offset("task", "pid").unwrap(), 0);
        assert_eq!(types.offset("task", "tgid").unwrap(), 8);
        assert_eq!(
            types.offset("task", "x").unwrap_err().to_string(),
            "this kernel's task has no x"
        );
        assert_eq!(types.offset("x", "y").unwrap_err().to_string(), "this kernel has no struct x");
    }

    #[test]
    fn a_field_of_a_field_is_found_through_the_names_of_its_type() {
        let Ok(types) = Types::of_kernel() else { return println!("skipped: no {PATH}") };
        let lock = types.offset("sock", "sk_lock").unwrap();
        assert!((lock + 1..lock + 128).contains(&types.offset("sock", "sk_lock.owned").unwrap()));
        assert!(types.offset("sock", "sk_lock.nonsense").is_err());
    }

    #[test]
    fn arguments_of_a_tracepoint_are_counted() {
        let Ok(types) = Types::of_kernel() else { return println!("skipped: no {PATH}") };
        assert_eq!(types.arguments("sys_enter"), Some(2));
        assert_eq!(types.arguments("no_such_tracepoint"), None);
    }

    #[test]
    fn truncated_btf_is_an_error_and_no_panic() {
        let whole = sample();
        for end in 0..whole.len() {
            if let Some(types) = Types::parse(whole[..end].to_vec()) {
                let _ = types.offset("task", "tgid");
            }
        }
    }
}
