//! Walks a copied user stack up to its root, with the unwind tables of the mapped files.

use framehop::{
    CacheNative, FrameAddress, MayAllocateDuringUnwind, Module, UnwindRegsNative, Unwinder,
    UnwinderNative,
};

use super::images::{Bytes, Elf, Images};
use super::space::Space;

/// Bytes of user stack copied with each sample. 32 KiB holds the root of nearly every stack of a
/// tokio server, of which 16 KiB lost a third: its poll functions have frames of several KiB. The
/// kernel's limit is just under 64 KiB.
pub(crate) const STACK_BYTES: u32 = 32 * 1024;

/// More frames than the copied stack can hold, so only a loop in damaged tables meets this limit.
const MAX_FRAMES: usize = 4096;

/// The user registers each sample carries, as bits of the kernel's `perf_event_*_regs`: enough to
/// begin a walk.
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
    fp: u64,
    regs: UnwindRegsNative,
}

#[cfg(target_arch = "x86_64")]
fn start(regs: &[u64]) -> Option<Start> {
    let &[bp, sp, ip] = regs else { return None };
    Some(Start { ip, sp, fp: bp, regs: UnwindRegsNative::new(ip, sp, bp) })
}

#[cfg(target_arch = "aarch64")]
fn start(regs: &[u64]) -> Option<Start> {
    let &[fp, lr, sp, ip] = regs else { return None };
    Some(Start { ip, sp, fp, regs: UnwindRegsNative::new(lr, sp, fp) })
}

/// Where a walk over a user stack ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum End {
    /// Where the tables say that there is no caller.
    Root,
    /// Where the kernel's walk by frame pointers ended, which continued ours.
    FramePointers,
    /// At the end of the copied part of a larger stack.
    CopyEnded,
    /// In code without unwind tables.
    NoTables,
    /// There was no walk.
    #[default]
    Unknown,
}

/// The way from a leaf to the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Walk {
    /// An address within each call, leaf first.
    pub(crate) addresses: Vec<u64>,
    /// Where it ended.
    pub(crate) end: End,
}

impl Walk {
    /// Appends what the kernel found beyond our last frame, if the kernel's walk passed through
    /// that, or its frame number `read` has the return address that we could not read.
    fn go_on(&mut self, chain: &[u64], read: Option<usize>) {
        // All but the leaf are return addresses, just after the call.
        let call = |(depth, address): (usize, &u64)| address.wrapping_sub(u64::from(depth > 0));
        let calls: Vec<u64> = chain.iter().enumerate().map(call).collect();
        let Some(last) = self.addresses.last() else { return };
        let through = calls.iter().position(|address| address == last);
        let rest = read.or(through).and_then(|at| calls.get(at + 1..)).unwrap_or_default();
        if !rest.is_empty() {
            self.addresses.extend(rest);
            self.end = End::FramePointers;
        }
    }
}

/// The walker of one address space.
pub(crate) struct Walker {
    unwinder: UnwinderNative<Bytes, MayAllocateDuringUnwind>,
    cache: CacheNative<MayAllocateDuringUnwind>,
}

impl Walker {
    /// A walker with the tables of all that is mapped in `space`.
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

    /// Walks from the user registers `regs` (in the order of [`USER_REGS`]) over the copy of the
    /// stack; if that ends before its root, continues with `chain`, the addresses that the kernel
    /// found by frame pointers.
    pub(crate) fn walk(&mut self, regs: &[u64], stack: &[u8], chain: &[u64]) -> Walk {
        let Some(Start { ip, sp, fp, regs }) = start(regs) else {
            return Walk::default();
        };
        let copy = Copy { sp, stack };
        let mut wanted = None;
        let mut read = |address: u64| {
            let word = copy.word(address);
            wanted = word.map_or(Some(address), |_| wanted);
            word.ok_or(())
        };
        let mut frames = self.unwinder.iter_frames(ip, regs, &mut self.cache, &mut read);
        let mut walk = Walk { addresses: Vec::new(), end: End::NoTables };
        while walk.addresses.len() < MAX_FRAMES {
            match frames.next() {
                Ok(Some(frame)) => walk.addresses.push(FrameAddress::address_for_lookup(frame)),
                Ok(None) => {
                    walk.end = End::Root;
                    break;
                }
                Err(_) => break,
            }
        }
        if walk.end != End::Root {
            // If less than the limit was copied, that was the whole stack.
            if wanted.is_some() && stack.len() >= STACK_BYTES as usize {
                walk.end = End::CopyEnded;
            }
            walk.go_on(chain, wanted.and_then(|address| copy.frame_of(fp, address)));
        }
        walk
    }
}

/// The copied part of a stack.
struct Copy<'a> {
    sp: u64,
    stack: &'a [u8],
}

impl Copy<'_> {
    fn word(&self, address: u64) -> Option<u64> {
        let offset = usize::try_from(address.checked_sub(self.sp)?).ok()?;
        let word = self.stack.get(offset..)?.first_chunk()?;
        Some(u64::from_le_bytes(*word))
    }

    /// The number, counted from the leaf, of the saved frame pointer at `address` or just below it:
    /// a return address lies just above the caller's frame pointer.
    fn frame_of(&self, fp: u64, address: u64) -> Option<usize> {
        let next = |&fp: &u64| self.word(fp).filter(|next| *next > fp);
        let pointers = std::iter::successors(Some(fp), next).take(MAX_FRAMES);
        pointers
            .enumerate()
            .find(|(_, fp)| *fp == address || fp.wrapping_add(8) == address)
            .map(|(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_goes_on_where_frame_pointers_come_through_its_last_frame() {
        let walk = |end, chain: &[u64], read| {
            let mut walk = Walk { addresses: vec![0x10, 0x1f], end };
            walk.go_on(chain, read);
            (walk.addresses, walk.end)
        };
        let whole = || (vec![0x10, 0x1f, 0x2f, 0x3f], End::FramePointers);
        assert_eq!(walk(End::CopyEnded, &[0x10, 0x20, 0x30, 0x40], None), whole());
        // The leaf has no frame: the kernel's second address is our leaf's caller, from the word
        // that we could not read.
        assert_eq!(walk(End::CopyEnded, &[0x10, 0x30, 0x40], Some(0)), whole());
        for chain in [&[0x10, 0x90, 0x30][..], &[], &[0x10, 0x20]] {
            let stays = (vec![0x10, 0x1f], End::NoTables);
            assert_eq!(walk(End::NoTables, chain, None), stays, "{chain:?}");
        }
    }

    #[test]
    fn frame_pointers_are_followed_within_the_copy() {
        let words = [0, 0x1020, 0, 0, 0x9000_u64];
        let stack: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let copy = Copy { sp: 0x1000, stack: &stack };
        assert_eq!(copy.frame_of(0x1008, 0x9008), Some(2));
        assert_eq!(copy.frame_of(0x1008, 0x1010), Some(0));
        assert_eq!(copy.frame_of(0x1008, 0x9010), None);
        assert_eq!(copy.frame_of(0x5000, 0x5008), Some(0));
    }
}
