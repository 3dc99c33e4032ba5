//! The types that BPF programs share with their loader, and the buckets of histograms.
//!
//! Both sides compile this crate. After a change here, build the committed objects again
//! (`cargo xtask ebpf build`); a test fails until then.
#![no_std]

pub mod block;
pub mod event;
pub mod function;
pub mod histogram;
pub mod page_cache;
pub mod request;
pub mod stack;
pub mod syscall;
pub mod tally;
pub mod target;
pub mod tcp;

/// A thread's name as the kernel keeps it: sixteen bytes, padded with zeros. Kept as two words,
/// which programs compare faster.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Comm(pub [u64; 2]);

impl Comm {
    /// The first fifteen bytes of `name`: the kernel keeps no more.
    pub fn new(name: &[u8]) -> Self {
        let mut bytes = [0; 16];
        let kept = name.len().min(15);
        bytes[..kept].copy_from_slice(&name[..kept]);
        let word = |at: usize| u64::from_ne_bytes(core::array::from_fn(|i| bytes[at + i]));
        Self([word(0), word(8)])
    }

    /// Its bytes, padded with zeros.
    pub fn bytes(self) -> [u8; 16] {
        let [first, last] = self.0.map(u64::to_ne_bytes);
        core::array::from_fn(|i| if i < 8 { first[i] } else { last[i - 8] })
    }
}

/// A slot of the histogram of one thread name.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommSlot {
    /// The name.
    pub comm: Comm,
    /// A slot of [`histogram`].
    pub slot: u64,
}

/// Lets the loader read and write types in maps.
#[cfg(feature = "loader")]
macro_rules! plain {
    ($($name:ty),*) => { $(
        // SAFETY: `repr(C)` and made of integers without padding: every byte pattern is a value.
        unsafe impl aya::Pod for $name {}
    )* };
}
#[cfg(feature = "loader")]
plain!(
    Comm,
    CommSlot,
    block::Flush,
    block::InFlight,
    function::Begun,
    function::Place,
    page_cache::Progress,
    request::Class,
    request::Serving,
    stack::Away,
    stack::ChainKey,
    stack::StackKey,
    stack::WakeKey,
    syscall::Calls,
    syscall::Pending,
    tcp::Session
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_as_the_kernel_cuts_it() {
        assert_eq!(Comm::new(b"cat").bytes(), *b"cat\0\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(Comm::new(b"tokio-runtime-worker").bytes(), *b"tokio-runtime-w\0");
    }
}
