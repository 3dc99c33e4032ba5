//! The executable memory of a process at one moment.

use std::collections::BTreeMap;
use std::ops::Range;

use super::images::{ImageId, Images};

/// A range of addresses that maps a part of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    end: u64,
    /// The image.
    pub(crate) image: ImageId,
    /// What to subtract from an address to get the file's own address; `None` if it is not a file
    /// with code.
    pub(crate) bias: Option<u64>,
}

/// Where a frame's code is, in terms that do not depend on the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    /// An address in the kernel.
    Kernel(u64),
    /// An address in an image, as the image has it.
    Image(ImageId, u64),
    /// In an image without addresses of its own.
    Label(ImageId),
    /// Nothing was known to be mapped there.
    Nowhere,
}

/// The executable memory of one process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Space {
    /// Pieces by first address; they do not overlap.
    pieces: BTreeMap<u64, Piece>,
}

impl Space {
    /// Maps `image` at `range`, whose first byte is at `offset` in the file, over what was there:
    /// unmapping is not reported. Returns whether code with unwind tables came or went (generated
    /// code has none).
    pub(crate) fn map(
        &mut self,
        range: Range<u64>,
        offset: u64,
        image: ImageId,
        images: &Images,
    ) -> bool {
        if range.is_empty() {
            return false;
        }
        let gone = self.cut(range.clone());
        let bias = images.get(image).elf.as_ref().and_then(|elf| elf.bias(range.start, offset));
        self.pieces.insert(range.start, Piece { end: range.end, image, bias });
        gone || bias.is_some()
    }

    /// Where `address` is.
    pub(crate) fn place(&self, address: u64) -> Place {
        match self.pieces.range(..=address).next_back() {
            Some((_, piece)) if address < piece.end => match piece.bias {
                Some(bias) => Place::Image(piece.image, address.wrapping_sub(bias)),
                None => Place::Label(piece.image),
            },
            _ => Place::Nowhere,
        }
    }

    /// Everything mapped, in order.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (Range<u64>, Piece)> {
        self.pieces.iter().map(|(&start, &piece)| (start..piece.end, piece))
    }

    /// Removes `range`; pieces that extend beyond it keep their part outside. Returns whether
    /// unwind tables went with it.
    fn cut(&mut self, range: Range<u64>) -> bool {
        // Pieces do not overlap, so their ends fall going backwards from the end of the range.
        let from_the_end = self.pieces.range(..range.end).rev();
        let overlapping = from_the_end.take_while(|(_, piece)| range.start < piece.end);
        let overlapping: Vec<_> = overlapping.map(|(&start, &piece)| (start, piece)).collect();
        for &(start, piece) in &overlapping {
            self.pieces.remove(&start);
            if start < range.start {
                self.pieces.insert(start, Piece { end: range.start, ..piece });
            }
            if range.end < piece.end {
                self.pieces.insert(range.end, piece);
            }
        }
        overlapping.iter().any(|(_, piece)| piece.bias.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_mapping_takes_the_place_of_what_was_there() {
        let mut images = Images::default();
        let [old, new] = [&b"//anon"[..], b"[heap]"].map(|name| images.intern(name, 0));
        let mut space = Space::default();
        space.map(0x1000..0x9000, 0, old, &images);
        assert!(!space.map(0x3000..0x4000, 0, new, &images), "neither has tables");
        let image_at = |address| match space.place(address) {
            Place::Label(image) => Some(image),
            _ => None,
        };
        let seen = [0xfff, 0x1000, 0x2fff, 0x3000, 0x3fff, 0x4000, 0x8fff, 0x9000].map(image_at);
        assert_eq!(
            seen,
            [None, Some(old), Some(old), Some(new), Some(new), Some(old), Some(old), None]
        );
        assert_eq!(space.pieces().count(), 3);
    }

    #[test]
    fn one_mapping_can_cover_several() {
        let mut images = Images::default();
        let [old, new] = [&b"//anon"[..], b"[heap]"].map(|name| images.intern(name, 0));
        let mut space = Space::default();
        for start in [0x1000, 0x2000, 0x4000, 0x8000] {
            space.map(start..start + 0x1000, 0, old, &images);
        }
        space.map(0x1800..0x4800, 0, new, &images);
        let pieces: Vec<_> = space.pieces().map(|(range, piece)| (range, piece.image)).collect();
        let expected = [
            (0x1000..0x1800, old),
            (0x1800..0x4800, new),
            (0x4800..0x5000, old),
            (0x8000..0x9000, old),
        ];
        assert_eq!(pieces, expected);
    }

    #[test]
    fn code_with_tables_is_reported_when_it_comes_and_goes() {
        let mut images = Images::default();
        let anonymous = images.intern(b"//anon", 0);
        let vdso = images.intern(b"[vdso]", 0);
        let mut space = Space::default();
        assert!(!space.map(0x9000..0xa000, 0, anonymous, &images));
        assert!(space.map(0x1000..0x3000, 0, vdso, &images));
        assert!(space.map(0x2000..0x3000, 0, anonymous, &images));
        assert!(!space.map(0x2000..0x3000, 0, anonymous, &images));
    }

    #[test]
    fn empty_and_reversed_ranges_map_nothing() {
        let mut images = Images::default();
        let image = images.intern(b"//anon", 0);
        let mut space = Space::default();
        space.map(5..5, 0, image, &images);
        #[expect(clippy::reversed_empty_ranges, reason = "what a damaged record could say")]
        space.map(9..5, 0, image, &images);
        assert_eq!(space.pieces().count(), 0);
    }
}
