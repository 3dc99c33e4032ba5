//! What the kernel counts is exact.

use lab_record::table::Cell;

use crate::support::{Bench, cell, is, rows};

#[test]
fn syscount_counts_system_calls_and_their_errors() {
    let Some(bench) = Bench::new() else { return };
    let (_, record) = bench.observe("syscount", &[], &["calls", "5000"]);
    for (call, errors) in [("getppid", 0), ("chdir", 5000)] {
        let row = rows(&record, "SYSCALL", is(call))[0];
        assert_eq!(*cell(&record, row, "COUNT"), Cell::Count(5000), "{call}");
        assert_eq!(*cell(&record, row, "ERRORS"), Cell::Count(errors), "{call}");
    }
    assert_eq!(record.losses.total(), 0);
}

#[test]
fn execsnoop_reports_a_thousand_short_processes_with_arguments() {
    let Some(bench) = Bench::new() else { return };
    let (_, record) = bench.observe("execsnoop", &[], &["execs", "1000"]);
    let started = rows(&record, "PCOMM", is("true"));
    assert_eq!((started.len(), record.losses.total()), (1000, 0));
    for (turn, row) in started.iter().enumerate() {
        let turn = format!("turn-{turn}");
        assert_eq!(*cell(&record, row, "ARGS"), Cell::Words(vec!["true".into(), turn]));
    }
    // Its parent is the command, which was started first.
    let parent = cell(&record, &record.tables[0].rows[0], "PID");
    assert!(started.iter().all(|row| cell(&record, row, "PPID") == parent));
}

#[test]
fn opensnoop_reports_opened_files_and_failures_by_path() {
    let Some(bench) = Bench::new() else { return };
    let (_, record) = bench.observe("opensnoop", &[], &["opens", "1000"]);
    for turn in 0..1000 {
        let row = rows(&record, "PATH", is(&format!("/no/such/file-{turn}")));
        let [row] = row.as_slice() else { panic!("{} of turn {turn}", row.len()) };
        assert_eq!(*cell(&record, row, "ERR"), Cell::Count(2));
        assert_eq!(*cell(&record, row, "FD"), Cell::Signed(-1));
    }
    let null = rows(&record, "PATH", is("/dev/null"));
    assert_eq!((null.len(), record.losses.total()), (1000, 0));
    assert!(null.iter().all(|row| *cell(&record, row, "ERR") == Cell::Count(0)));
}
