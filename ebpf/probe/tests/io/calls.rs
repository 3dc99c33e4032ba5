//! System calls of either kind, and the paths that they are given.

use crate::support::Bench;

#[test]
fn a_call_of_32_bits_is_counted_by_its_own_number() {
    let bench = Bench::new();
    let Some(seen) = bench.run(&["syscount"], &["compat", "500"]) else { return };
    let count = |name: &str| -> u64 {
        let rows = seen.table().rows().filter(|row| row.text("SYSCALL") == name);
        rows.map(|row| row.count("COUNT")).sum()
    };
    assert_eq!((count("getpid (32-bit)"), count("open (32-bit)")), (500, 500));
    // What those numbers mean in calls of 64 bits: the program makes a few fstat of its own.
    assert_eq!(count("writev"), 0);
    assert!(count("fstat") < 100);

    let seen = bench.run(&["opensnoop"], &["compat", "500"]).unwrap();
    let path = "/no/such/file-of-32-bits";
    let rows = seen.table().rows().filter(|row| row.text("PATH") == path);
    assert_eq!(rows.filter(|row| row.count("ERR") == 2).count(), 500);
}

#[test]
fn a_relative_path_is_reported_with_its_folder() {
    let bench = Bench::new();
    let folder = bench.path().join("deep/in/a folder");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["here", "there"] {
        std::fs::write(folder.join(name), b"").unwrap();
    }
    let folder = folder.canonicalize().unwrap();
    let opens = ["opens-below", folder.to_str().unwrap()];
    let Some(seen) = bench.run(&["opensnoop"], &opens) else { return };
    for name in ["here", "there"] {
        let path = folder.join(name);
        let is_it = |path: &str| seen.table().rows().any(|row| row.text("PATH") == path);
        assert!(is_it(path.to_str().unwrap()), "{}", path.display());
    }
}
