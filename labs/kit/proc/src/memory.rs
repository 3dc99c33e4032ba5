//! The machine's memory: `/proc/meminfo`.

use std::io;

use crate::files::{field, lacks, text};

const PATH: &str = "/proc/meminfo";

/// The use of memory, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// All memory that the kernel manages.
    pub total: u64,
    /// Unused memory.
    pub free: u64,
    /// The kernel's estimate of what programs could have without swapping (since Linux 3.14).
    pub available: u64,
    /// Buffers of block devices.
    pub buffers: u64,
    /// Cached files, and reclaimable memory of the kernel's own.
    pub cached: u64,
    /// Memory shared by processes; it is in `cached`, too.
    pub shared: u64,
    /// Swap space.
    pub swap_total: u64,
    /// Unused swap space.
    pub swap_free: u64,
}

impl Memory {
    fn parse(text: &str) -> io::Result<Self> {
        let bytes = |name: &str| {
            let kib = field(text, name)?.strip_suffix("kB")?.trim().parse::<u64>().ok()?;
            Some(kib * 1024)
        };
        let needed = |name: &str| bytes(name).ok_or_else(|| lacks(PATH, name));
        let optional = |name: &str| bytes(name).unwrap_or_default();
        Ok(Self {
            total: needed("MemTotal")?,
            free: needed("MemFree")?,
            available: needed("MemAvailable")?,
            buffers: optional("Buffers"),
            cached: optional("Cached") + optional("SReclaimable"),
            shared: optional("Shmem"),
            swap_total: optional("SwapTotal"),
            swap_free: optional("SwapFree"),
        })
    }
}

/// The machine's memory now.
///
/// # Errors
/// This system has no /proc/meminfo.
pub fn memory() -> io::Result<Memory> {
    Memory::parse(&text(PATH)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
MemTotal:       1000 kB
MemFree:         100 kB
MemAvailable:    600 kB
Buffers:          20 kB
Cached:          400 kB
Shmem:             8 kB
SReclaimable:     80 kB
";

    #[test]
    fn what_the_kernel_can_give_up_is_cached() {
        let memory = Memory::parse(TEXT).unwrap();
        assert_eq!((memory.total, memory.available), (1000 << 10, 600 << 10));
        assert_eq!((memory.cached, memory.buffers, memory.swap_total), (480 << 10, 20 << 10, 0));
    }

    #[test]
    fn a_missing_line_is_named() {
        let error = Memory::parse("MemTotal: 1 kB\nMemFree: 1 kB\n").unwrap_err();
        assert_eq!(error.to_string(), "/proc/meminfo has no MemAvailable");
    }
}
