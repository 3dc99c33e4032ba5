//! Who said it first, what is claimed, and the checks.

use lab_kit::scratch::PAGE;
use lab_kit::{Claim, Evidence, Gap, Judged, Next, ShownBy, Source, Story, live, statements};

use crate::leak::{ANSWERED, PER_SESSION, REMEMBERED, SESSION};
use crate::{FAULTS, REFERENCED, WALK};

/// The page on tracing memory.
pub(crate) const FLAME_GRAPHS: Source = Source {
    short: "Gregg, memory",
    title: "B. Gregg, Memory Leak (and Growth) Flame Graphs, 2013-2020",
    link: "https://www.brendangregg.com/FlameGraphs/memoryflamegraphs.html",
};

/// The tool and its documentation.
pub(crate) const WSS: Source = Source {
    short: "Gregg, wss",
    title: "B. Gregg, wss: working set size tools for Linux, 2018",
    link: "https://github.com/brendangregg/wss",
};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim {
        id: "MEM-1",
        says: "Requests, brk, mmap and page faults each show their own side: asking, growing, \
               touching.",
        source: &FLAME_GRAPHS,
        checks: &[live(&["growth"], each_sees_its_own).without(&[("memory", "touched")])],
        shown_by: &[],
    },
    Claim {
        id: "MEM-2",
        says: "To watch each request costs more than 5 times; page faults are rarer by far.",
        source: &FLAME_GRAPHS,
        checks: &[live(&["heap"], watching_costs).without(ONE_BLOCK)],
        shown_by: &[],
    },
    Claim {
        id: "MEM-3",
        says: "In huge pages the first touch of 64 MiB is 32 page faults; in small ones bpf-tools \
               counts 16,384.",
        source: &FLAME_GRAPHS,
        checks: &[live(&["huge-pages"], a_fault_a_huge_page).without(&[("pages", "small")])],
        shown_by: &[],
    },
    Claim {
        id: "MEM-4",
        says: "Memory that the heap has already is asked for without a page fault.",
        source: &FLAME_GRAPHS,
        checks: &[live(&["heap"], no_faults_again).without(ONE_BLOCK)],
        shown_by: &[ShownBy::Chart(&FAULTS, &["heap"])],
    },
    Claim {
        id: "MEM-5",
        says: "What was asked for and not freed is the leak, to the byte, by stack.",
        source: &FLAME_GRAPHS,
        checks: &[live(&["leak"], leaks_by_stack).without(&[("leak", "no")])],
        shown_by: &[ShownBy::Stacks("leak", "leak.folded")],
    },
    Claim {
        id: "WSS-1",
        says: "Pages referenced since a reset are what is needed: 8 of 64 MiB.",
        source: &WSS,
        checks: &[live(&["working-set"], needed_is_referenced).without(NEVER_RESET)],
        shown_by: &[],
    },
    Claim {
        id: "WSS-2",
        says: "What is referenced grows with the window, up to the working set.",
        source: &WSS,
        checks: &[live(&["working-set"], grows_to_the_set).without(NEVER_RESET)],
        shown_by: &[ShownBy::Chart(&REFERENCED, &["working-set"])],
    },
    Claim {
        id: "WSS-3",
        says: "A look walks all pages in use: more than a second for 100 GB.",
        source: &WSS,
        checks: &[live(&["walk"], looks_cost_by_size).without(&[("resident", "no")])],
        shown_by: &[ShownBy::Chart(&WALK, &["walk"])],
    },
];

/// A heap of one block, which is mapped when it is asked for and unmapped when it is freed.
const ONE_BLOCK: &[(&str, &str)] = &[("block", "33554432")];
const NEVER_RESET: &[(&str, &str)] = &[("reset", "never")];

/// A page of the program itself may be touched for the first time.
const FEW: f64 = 16.0;

fn each_sees_its_own(e: &Evidence) -> Judged {
    let of = |metric| Ok::<f64, Gap>(e.metric("growth", metric)?.value);
    let grown = 4_097.0 * PAGE as f64;
    let pages = 2.0 * 4_096.0;
    let asks = of("brk_requests")? + of("mmap_requests")? + of("touching_requests")?;
    let grows = of("asking_brk")? + of("mmap_brk")? + of("touching_brk")?;
    statements(&[
        ("1,000 requests are 1,000 calls of the allocator", of("asking_requests")? == 1_000.0),
        ("of nothing else there is one", asks == 0.0),
        ("the heap grows by brk", of("brk_brk")? == grown),
        ("and by nothing else", grows == 0.0),
        (
            "asking and growing are no page faults",
            of("asking_faults")? + of("growing_faults")? <= FEW,
        ),
        (
            "each page is a fault when it is touched",
            (of("touching_faults")? - pages).abs() <= 0.02 * pages,
        ),
    ])
}

fn watching_costs(e: &Evidence) -> Judged {
    e.metric("heap", "watched_slower")?
        .at_least(5.0)?
        .because("times slower, each request watched")?
        .and(
            e.metric("heap", "requests_per_fault")?
                .at_least(10.0)?
                .because("requests to a page fault"),
        )
}

fn a_fault_a_huge_page(e: &Evidence) -> Judged {
    let pages = e.metric("huge-pages", "huge_pages")?.value;
    e.metric("huge-pages", "faults")?
        .near_relative(pages, 0.1)?
        .because("faults of the first touch")
}

fn no_faults_again(e: &Evidence) -> Judged {
    let first = e.metric("heap", "faults")?;
    e.metric("heap", "faults_again")?
        .over(&first)
        .at_most(0.01)?
        .because("faults, of those of the first time")
}

fn leaks_by_stack(e: &Evidence) -> Judged {
    let bytes = |metric, expected: usize| e.metric("leak", metric)?.near(expected as f64, 0.0);
    bytes("remembered", ANSWERED * REMEMBERED)?
        .because("bytes below remember")?
        .and(bytes("sessions", ANSWERED / PER_SESSION * SESSION)?.because("below open_session"))?
        .and(bytes("parsed", 0)?.because("below parse"))
}

fn needed_is_referenced(e: &Evidence) -> Judged {
    let needed = e.settings_of("working-set").int("set-mib") as f64;
    e.metric("working-set", "referenced")?.near_relative(needed, 0.05)?.because("MiB referenced")
}

fn grows_to_the_set(e: &Evidence) -> Judged {
    let needed = e.settings_of("working-set").int("set-mib") as f64;
    let windows = e.curve("working-set", "referenced")?;
    let (Some((_, first)), Some((_, last))) = (windows.first(), windows.last()) else {
        return Err(Gap::Unavailable("no window".into()));
    };
    last.clone()
        .near_relative(needed, 0.05)?
        .because("MiB in the longest window")?
        .and(first.over(last).at_most(0.5)?.because("the shortest, of that"))?
        .and(e.metric("working-set", "off_theory")?.at_most(0.15)?.because("off what chance gives"))
}

/// A page costs up to three times as much if the caches do not hold the kernel's data about it. So
/// only a third of the growth is required.
fn looks_cost_by_size(e: &Evidence) -> Judged {
    e.metric("walk", "of_100_gb")?.at_least(1e9)?.because("CPU time of 100 GB")?.and(
        e.metric("walk", "dearer")?
            .at_least(8.0 / 3.0)?
            .because("times, for eight times the memory"),
    )
}

/// A heap, filled and filled again.
pub(crate) const STORY: Story = Story {
    finding,
    reads: &["heap"],
    chart: Some(ShownBy::Chart(&FAULTS, &["heap"])),
    next: Next {
        set: ONE_BLOCK,
        ask: "The heap is one block of 32 MiB now: how many page faults the second time?",
    },
};

fn finding(e: &Evidence) -> Result<String, Gap> {
    let of = |metric| Ok::<f64, Gap>(e.metric("heap", metric)?.value);
    Ok(format!(
        "Filling a heap took {:.0} requests and {:.0} page faults; filling it again took {:.0} \
         page faults. Watching each request made it {:.0} times slower.",
        of("requests")?,
        of("faults")?,
        of("faults_again")?,
        of("watched_slower")?,
    ))
}
