//! Addresses of the kernel's functions, from /proc/kallsyms.

use std::fs::File;
use std::io::{BufRead, BufReader};

/// The address and the length in bytes of a function; `None` if there is no such function, or the
/// kernel hides its addresses (kernel.kptr_restrict).
pub(super) fn function(name: &str) -> Option<(u64, u64)> {
    find(BufReader::new(File::open("/proc/kallsyms").ok()?), name)
}

/// A function ends where the next symbol begins; the table is not sorted.
fn find(mut table: impl BufRead, name: &str) -> Option<(u64, u64)> {
    let (mut addresses, mut start) = (Vec::new(), None);
    let mut line = String::new();
    while table.read_line(&mut line).ok()? > 0 {
        let mut words = line.split_ascii_whitespace();
        let address = u64::from_str_radix(words.next()?, 16).ok()?;
        if words.nth(1) == Some(name) {
            start = Some(address);
        }
        addresses.push(address);
        line.clear();
    }
    let start = start.filter(|&start| start != 0)?;
    let end = addresses.into_iter().filter(|&address| address > start).min()?;
    Some((start, end - start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_ends_where_the_next_symbol_begins() {
        let table = "0000000000001000 A percpu\n\
            ffffffff82000900 t later\n\
            ffffffff82000100 T wanted\n\
            ffffffff82000180 t __pfx_next\n\
            ffffffffa0000000 t wanted_too\t[module]\n";
        assert_eq!(find(table.as_bytes(), "wanted"), Some((0xffff_ffff_8200_0100, 0x80)));
        assert_eq!(find(table.as_bytes(), "want"), None);
    }

    #[test]
    fn a_symbol_with_a_hidden_address_is_not_found() {
        let table = "0000000000000000 T wanted\n0000000000000000 t next\n";
        assert_eq!(find(table.as_bytes(), "wanted"), None);
        assert_eq!(find(b"".as_slice(), "wanted"), None);
    }
}
