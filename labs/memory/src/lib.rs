//! Who asks for memory, who touches it, and who needs it?
//!
//! Asking is seen by the allocator, growth by the kernel's calls, touching by page faults, and need
//! by the pages that were referenced: `growth` separates the first three, `heap` and `leak` ask
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
        Knob::choice(
            "memory",
            &["fresh", "touched"],
            "whether new memory is touched by the kernel in advance",
        ),
        Knob::int("heap-mib", 32, "MiB", [1, 1_024], "memory that is allocated in blocks"),
        Knob::int("block", 240, "B", [16, 64 << 20], "size of a block"),
        Knob::choice("leak", &["yes", "no"], "whether the server leaks"),
        Knob::choice("pages", &["huge", "small"], "page size: 2 MiB (huge), or 4 KiB (small)"),
        Knob::int(
            "map-mib",
            64,
            "MiB",
            [1, 1_024],
            "memory that is mapped, of which working-set needs a part",
        ),
        Knob::int(
            "set-mib",
            8,
            "MiB",
            [1, 1_024],
            "working set: the part of the mapped memory that is used",
        ),
        Knob::choice(
            "reset",
            &["each", "never"],
            "whether the referenced bits are cleared before each window",
        ),
        Knob::choice(
            "resident",
            &["yes", "no"],
            "whether the pages that clear_refs walks are resident",
        ),
    ],
    // What a trial takes is in its counts.
    variants: &[
        Variant::new(
            "growth",
            "memory that is allocated, mapped by the kernel, and touched",
            growth::run,
        )
        .live([100; 3]),
        Variant::new("heap", "a heap of small blocks, filled twice", heap::run).live([500; 3]),
        Variant::new("leak", "a server in which two functions leak", leak::run).live([100; 3]),
        Variant::new("huge-pages", "the first touch of huge pages", huge_pages::run).live([100; 3]),
        Variant::new("working-set", "a process that uses part of its memory", working_set::run)
            .live([100; 3]),
        Variant::new("walk", "the cost of reading the referenced bits", working_set::walk)
            .live([500; 3]),
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
