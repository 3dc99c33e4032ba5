//! The black boxes of a lab: variants with something wrong, which a learner is to find.

use std::hash::{BuildHasher as _, RandomState};

use lab_record::{Description, VariantSpec};

/// Typed instead of a variant: any black box.
pub(crate) const RANDOM: &str = "random";

/// The lab's black boxes.
pub(crate) fn asking(lab: &Description) -> impl Iterator<Item = &VariantSpec> {
    lab.variants.iter().filter(|variant| variant.asks)
}

/// A random black box of the lab; `None` if it has none.
pub(crate) fn any_box(lab: &Description) -> Option<String> {
    let boxes: Vec<&VariantSpec> = asking(lab).collect();
    // The keys of a new state are random.
    let at = RandomState::new().hash_one(0) as usize;
    boxes.get(at.checked_rem(boxes.len())?).map(|variant| variant.name.clone())
}
