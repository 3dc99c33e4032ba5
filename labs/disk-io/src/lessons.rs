//! The lessons: waiting, sharing, losing, and bytes that no program wrote.

use lab_kit::{Answer, Evidence, Figures, Gap, How, Lesson};

use crate::claims::{blocked, group_gain};

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "LAB-5",
        how: How::Live,
        span: "1s",
        setup: "A thread writes 8 KiB at a time to a file that it opened with O_SYNC: a write \
                returns when its bytes are on the disk.",
        ask: "What share of its time is the thread not running, nor ready to?",
        answer: Answer::Share,
        hints: &[
            "What does the CPU have to do while the disk works?",
            "To copy 8 KiB and to ask the disk takes some 20 µs; the disk takes far longer.",
        ],
        figures: share_blocked,
        because: "The disk does the work, and the thread waits for it, off the CPU. A CPU profile \
                  of this program shows next to nothing of where its time goes.",
        away: "The file is opened without O_SYNC now. What share of its time does the thread wait?",
        so: "A buffered write is a copy in memory: fast, on the CPU, and lost if the power goes.",
    },
    Lesson {
        claim: "SP-3",
        how: How::Live,
        span: "1s",
        setup: "A thread appends records of 128 B to a file and makes each of them durable with \
                fdatasync. The kernel counts the bytes that the disk is owed.",
        ask: "How many bytes is the disk owed for each byte that the program writes?",
        answer: Answer::Times,
        hints: &[
            "What is the smallest thing that the page cache gives to a disk?",
            "A page of 4,096 bytes, for a record of 128.",
        ],
        figures: amplification,
        because: "A page is the smallest part of the cache that is written. The same page goes to \
                  the disk 32 times, until its last record is in it.",
        away: "Records are of 4,096 B now, a whole page each. How many bytes for each byte?",
        so: "Look at both ends: the program's bytes, and the disk's. The file system adds more: \
             its journal is in no account of the program.",
    },
    Lesson {
        claim: "PHOTON-1",
        how: How::Live,
        span: "1s",
        setup: "16 threads put records into one log, and each record is to be durable before it is \
                acknowledged. One variant syncs for each record; in the other one sync serves all \
                records that wait by then.",
        ask: "How many times as many records a second does the shared sync give?",
        answer: Answer::Times,
        hints: &[
            "While one sync runs, how many of 16 threads wait for the next?",
            "A sync takes as long for 15 records as for one.",
        ],
        figures: gain,
        because: "The sync is nearly all of the cost, and it does not grow with the records that \
                  it makes durable.",
        away: "Both variants sync for each record now. How many times as many?",
        so: "Throughput of durable writes is commits a second times records a commit: more who \
             wait make larger commits.",
    },
    Lesson {
        claim: "DYNAMO-1",
        how: How::Simulated,
        span: "1s",
        setup: "A store acknowledges a record when it is in memory, and writes and syncs it a \
                little later. It crashes 1,000 times at random moments, and what was not synced is \
                gone.",
        ask: "In which share of the crashes is an acknowledged record missing?",
        answer: Answer::Share,
        hints: &[
            "What has a client been told of the records that wait in memory?",
            "While one batch is written, the next is acknowledged already.",
        ],
        figures: lossy,
        because: "There is always a record that is acknowledged and not written. To answer early \
                  is to promise what the next moment may break.",
        away: "Records are acknowledged after the sync now. In which share of the crashes?",
        so: "Durability has a price in time. To write behind is a choice: cheap tails for records \
             that a replica has, or that may be lost.",
    },
];

fn share_blocked(e: &Evidence) -> Result<Figures, Gap> {
    Figures::measured(blocked(e, "o-sync")?)
}

fn amplification(e: &Evidence) -> Result<Figures, Gap> {
    let record = e.settings_of("fdatasync").int("small") as f64;
    Figures::against(e.metric("fdatasync", "physical")?.value, (4_096.0 / record).max(1.0))
}

fn gain(e: &Evidence) -> Result<Figures, Gap> {
    Figures::measured(group_gain(e)?.value)
}

fn lossy(e: &Evidence) -> Result<Figures, Gap> {
    let behind = e.settings_of("crashes-behind").text("commit") == "behind";
    let measured = e.metric("crashes-behind", "lossy_crashes")?.value;
    Figures::against(measured, if behind { 1.0 } else { 0.0 })
}
