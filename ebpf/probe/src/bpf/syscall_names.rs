//! The names of x86-64's system calls, 64-bit and 32-bit.

use lab_probe_common::syscall::{COMPAT, OTHERS};
use syscalls::{x86, x86_64};

/// The name of the system call in a slot of `lab_probe_common::syscall`; its number if it has no
/// name here.
pub(crate) fn name(slot: u32) -> String {
    let known = |name: Option<&'static str>, number: u32| {
        name.map_or_else(|| format!("syscall {number}"), str::to_owned)
    };
    match slot {
        OTHERS.. => "other numbers".to_owned(),
        COMPAT.. => {
            let number = slot - COMPAT;
            let name = x86::Sysno::new(number as usize).map(|call| call.name());
            format!("{} (32-bit)", known(name, number))
        }
        number => known(x86_64::Sysno::new(number as usize).map(|call| call.name()), number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_named_by_the_table_of_its_kind() {
        assert_eq!(name(libc::SYS_mseal as u32), "mseal");
        assert_eq!([name(20), name(COMPAT + 20)], ["writev", "getpid (32-bit)"]);
        assert_eq!([name(400), name(COMPAT + 511)], ["syscall 400", "syscall 511 (32-bit)"]);
        assert_eq!(name(OTHERS), "other numbers");
    }
}
