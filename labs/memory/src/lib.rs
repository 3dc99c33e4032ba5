//! Who asks for memory, who touches it, and who needs it?
//!
//! Asking is seen by the allocator, growth by the kernel's calls, touching by page faults, and need
//! by the pages that were referenced: `growth` tells the first three apart, `heap` and `leak` ask
//! through the allocator, `huge_pages` touches, and `working_set` looks at what is needed.

mod claims;
mod growth;
mod heap;
mod huge_pages;
mod leak;
mod lessons;
mod working_set;

use lab_kit::{Chart, Knob, Lab, Variant};

/// The lab.
pub const LAB: Lab = Lab {
    name: "memory",
    question: "Who asks for memory, who touches it, and who needs it?",
    sources: &[&claims::FLAME_GRAPHS, &claims::WSS],
    knobs: &[
        Knob::choice("memory", &["fresh", "touched"], "whether growth comes touched already"),
        Knob::int("heap-mib", 32, "MiB", [1, 1_024], "memory that is asked for in blocks"),
        Knob::int("block", 240, "B", [16, 64 << 20], "the size of a block"),
        Knob::choice("leak", &["yes", "no"], "whether the server forgets to free"),
        Knob::choice("pages", &["huge", "small"], "of 2 MiB, or of 4 KiB"),
        Knob::int("map-mib", 64, "MiB", [1, 1_024], "memory that is mapped"),
        Knob::int("set-mib", 8, "MiB", [1, 1_024], "of it, what is needed"),
        Knob::choice(
            "reset",
            &["each", "never"],
            "whether a window begins with no page referenced",
        ),
        Knob::choice("resident", &["yes", "no"], "whether what is walked is in memory"),
    ],
    // What a trial takes is in its counts.
    variants: &[
        Variant::new("growth", "asks, grows by brk and mmap, and touches", growth::run)
            .live([100; 3]),
        Variant::new("heap", "a heap of small blocks, filled twice", heap::run).live([500; 3]),
        Variant::new("leak", "a server of which two functions do not free", leak::run)
            .live([100; 3]),
        Variant::new("huge-pages", "the first touch of huge pages", huge_pages::run).live([100; 3]),
        Variant::new("working-set", "a part of the memory is needed", working_set::run)
            .live([100; 3]),
        Variant::new("walk", "what it costs to look", working_set::walk).live([500; 3]),
    ],
    claims: claims::CLAIMS,
    charts: &[REFERENCED, FAULTS, WALK],
    story: claims::STORY,
    lessons: lessons::LESSONS,
    verbs: &[],
};

const REFERENCED: Chart = Chart::Lines {
    title: "Referenced memory by the length of the window",
    curves: &["referenced"],
};
const FAULTS: Chart = Chart::Lines {
    title: "Page faults of a heap, by how often it was filled",
    curves: &["faults"],
};
const WALK: Chart =
    Chart::Lines { title: "CPU time of a look, by the memory in use", curves: &["walk"] };

#[cfg(test)]
mod tests {
    #[test]
    fn every_check_can_fail() {
        lab_kit::check_lab(&super::LAB);
    }
}
