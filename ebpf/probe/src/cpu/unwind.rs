//! Walks a copied user stack up to its root with the tables that the mapped files carry.

use framehop::{
    CacheNative, FrameAddress, MayAllocateDuringUnwind, Module, UnwindRegsNative, Unwinder,
    UnwinderNative,
};

use super::images::{Bytes, Elf, Images};
use super::space::Space;

/// More frames than the copied stack can hold, so only a loop in damaged tables meets this limit.
const MAX_FRAMES: usize = 4096;

/// The user registers each sample carries, as bits of the kernel's `perf_event_*_regs`: enough to begin a walk.
#[cfg(target_arch = "x86_64")]
pub(crate) const USER_REGS: u64 = 1 << 6 | 1 << 7 | 1 << 8; // bp, sp, ip
#[cfg(target_arch = "aarch64")]
pub(crate) const USER_REGS: u64 = 1 << 29 | 1 << 30 | 1 << 31 | 1 << 32; // fp, lr, sp, pc
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("lab-probe can unwind the stacks of x86_64 and aarch64 only");

/// Where the walk begins.
struct Start {
    ip: u64,
    sp: u64,
    regs: UnwindRegsNative,
}

#[cfg(target_arch = "x86_64")]
fn start(regs: &[u64]) -> Option<Start> {
    let &[bp, sp, ip] = regs else { return None };
    Some(Start { ip, sp, regs: UnwindRegsNative::new(ip, sp, bp) })
}

#[cfg(target_arch = "aarch64")]
fn start(regs: &[u64]) -> Option<Start> {
    let &[fp, lr, sp, ip] = regs else { return None };
    Some(Start { ip, sp, regs: UnwindRegsNative::new(lr, sp, fp) })
}

/// The way from a leaf to the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Walk {
    /// An address within each call, leaf first.
    pub(crate) addresses: Vec<u64>,
    /// It ended where the tables say that nobody called, not where the copy of the stack or the tables ran out.
    pub(crate) complete: bool,
}

/// The walker of one address space.
pub(crate) struct Walker {
    unwinder: UnwinderNative<Bytes, MayAllocateDuringUnwind>,
    cache: CacheNative<MayAllocateDuringUnwind>,
}

impl Walker {
    /// Knows the tables of all that is mapped in `space`.
    pub(crate) fn new(space: &Space, images: &Images) -> Self {
        let mut unwinder = UnwinderNative::new();
        for (range, piece) in space.pieces() {
            if let (Some(Elf { unwind, .. }), Some(bias)) =
                (&images.get(piece.image).elf, piece.bias)
            {
                unwinder.add_module(Module::new(String::new(), range, bias, unwind.clone()));
            }
        }
        Self { unwinder, cache: CacheNative::new() }
    }

    /// Walks from the user registers `regs` (in the order of [`USER_REGS`]) over the copy of the stack.
    pub(crate) fn walk(&mut self, regs: &[u64], stack: &[u8]) -> Walk {
        let Some(Start { ip, sp, regs }) = start(regs) else {
            return Walk::default();
        };
        let mut read = |address: u64| {
            let offset = usize::try_from(address.checked_sub(sp).ok_or(())?).map_err(|_| ())?;
            let word = stack.get(offset..).and_then(<[u8]>::first_chunk).ok_or(())?;
            Ok(u64::from_le_bytes(*word))
        };
        let mut frames = self.unwinder.iter_frames(ip, regs, &mut self.cache, &mut read);
        let mut walk = Walk::default();
        while walk.addresses.len() < MAX_FRAMES {
            match frames.next() {
                Ok(Some(frame)) => walk.addresses.push(FrameAddress::address_for_lookup(frame)),
                Ok(None) => {
                    walk.complete = true;
                    break;
                }
                Err(_) => break,
            }
        }
        walk
    }
}
