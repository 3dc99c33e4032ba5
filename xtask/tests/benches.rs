//! The benches of two revisions of a cargo workspace, compared by the real program.
//!
//! The bench program of these workspaces measures nothing: it takes criterion's arguments and writes
//! criterion's files, so that the figures are known and nothing has to be compiled but itself.
#![expect(clippy::unwrap_used, reason = "a test that cannot make its own data is a failed test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Writes what criterion would have, of the benchmarks in `TIMES`.
const BENCH: &str = r##"
use std::{env, fs, time::SystemTime};
include!("times.rs");
fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    if args.iter().any(|arg| arg == "--list") {
        TIMES.iter().for_each(|(name, _)| println!("{name}: benchmark"));
        return;
    }
    assert!(args.contains(&"--bench".to_owned()), "as cargo starts it");
    assert!(args.iter().any(|arg| arg.starts_with("--measurement-time=")), "{args:?}");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos();
    for (at, (name, ns)) in TIMES.iter().enumerate() {
        if *ns == 0.0 { continue; }
        assert!(*ns > 0.0, "told to fail");
        // Another by up to half a per cent in each process.
        let time = ns * (1.0 + 0.005 * ((now as usize / 97 + 31 * at) % 100) as f64 / 100.0);
        let dir = format!("{}/{}/new", env::var("CRITERION_HOME").unwrap(), name.replace('/', "_"));
        fs::create_dir_all(&dir).unwrap();
        let sample = format!(r#"{{"iters":[1.0,2.0,3.0],"times":[{},{},{}]}}"#, time, 2.0 * time, 99.0 * time);
        fs::write(format!("{dir}/sample.json"), sample).unwrap();
        fs::write(format!("{dir}/benchmark.json"), format!(r#"{{"full_id":"{name}"}}"#)).unwrap();
    }
}
"##;

/// A workspace whose commits each give its benchmarks these times.
fn repository(commits: &[&[(&str, f64)]]) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    git(home.path(), &["init", "--quiet", "--initial-branch=main"]);
    let write = |path: &str, text: &str| {
        let path = home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(".gitignore", "/target\ncache/\n");
    write(
        "Cargo.toml",
        "[package]\nname = \"demo\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
         [[bench]]\nname = \"sums\"\nharness = false\n[profile.bench]\nopt-level = 0\n",
    );
    write("Cargo.lock", "version = 3\n\n[[package]]\nname = \"demo\"\nversion = \"0.1.0\"\n");
    write("src/lib.rs", "");
    write("benches/sums.rs", BENCH);
    for (number, times) in commits.iter().enumerate() {
        let text = format!("// {number}\nconst TIMES: &[(&str, f64)] = &{times:?};\n");
        write("benches/times.rs", &text);
        git(home.path(), &["add", "--all"]);
        let author = ["-c", "user.name=t", "-c", "user.email=t@localhost"];
        let message = format!("change {number}");
        git(home.path(), &[&author[..], &["commit", "--quiet", "-m", &message]].concat());
        git(home.path(), &["tag", &format!("v{number}")]);
    }
    home
}

fn git(home: &Path, args: &[&str]) {
    let mut git = Command::new("git");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GIT_")) {
        git.env_remove(name);
    }
    let output = git.args(args).current_dir(home).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

struct Said {
    out: String,
    err: String,
}

/// Runs a verb, which must end with this code.
fn expect(code: i32, home: &TempDir, args: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perf-lab"));
    command.args(args).current_dir(home.path());
    command.env_remove("CARGO_PKG_NAME").env("XDG_CACHE_HOME", home.path().join("cache"));
    command.env_remove("CARGO_TARGET_DIR").env("CARGO_NET_OFFLINE", "true");
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let said = Said { out: text(stdout), err: text(stderr) };
    assert_eq!(status.code(), Some(code), "{args:?}\n{}\n{}", said.out, said.err);
    said
}

fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const BASE: &[(&str, f64)] =
    &[("sum/10", 100.0), ("sum/20", 200.0), ("max/10", 1_000.0), ("max/20", 2_000.0), ("min", 5e6)];

#[test]
fn what_moved_comes_first_and_a_shift_of_all_is_called_one() {
    let mut one = BASE.to_vec();
    one[3].1 *= 1.1;
    let all: Vec<(&str, f64)> = BASE.iter().map(|(name, ns)| (*name, 1.1 * ns)).collect();
    let fewer = &BASE[1..];
    let home = repository(&[BASE, &one, &all, fewer]);
    // One benchmark of five: by 10 %, and all together by 1.9 %, which is under the floor.
    let args = ["compare", "v0", "v1", "--bench", "--looks", "12", "--format", "json"];
    let said = expect(3, &home, &args);
    let found: Value = serde_json::from_str(&said.out).unwrap();
    let scenario = &found["scenarios"][0];
    let rows = scenario["metrics"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["metric"].as_str().unwrap()).collect();
    assert_eq!(&names[..2], ["(all)", "max/20"], "{names:?}");
    let verdicts: Vec<&str> = rows.iter().map(|row| row["verdict"].as_str().unwrap()).collect();
    assert_eq!(&verdicts[..3], ["equivalent", "regressed", "equivalent"], "{names:?}");
    let change = rows[1]["change_ratio"].as_f64().unwrap();
    assert!((change - 0.1).abs() < 0.006, "{change}");
    let base = rows[1]["base"].as_f64().unwrap();
    assert!((1_990.0..2_020.0).contains(&base), "the median sample, not the mean: {base}");
    assert_eq!(found["looks"]["tests"], 6, "all benchmarks share alpha");
    // All of them, by the same.
    let said = expect(3, &home, &["compare", "v0", "v2", "--bench", "--looks", "12"]);
    let shift = "a shift of the whole suite by +10.0%: 5 of 5 benchmarks moved by that";
    let told = joined(&said.out).replace("+9.9%", "+10.0%").replace("+10.1%", "+10.0%");
    assert!(told.contains(shift), "{}", said.out);
    // One of them alone, by its name; with a limit on it.
    let only = ["compare", "v0", "v1", "--bench", "^max/20$", "--looks", "10"];
    let limit = ["--assert", "max/20 < 2us", "--assert", "a.max/20 < 2.1us"];
    let said = expect(3, &home, &[&only[..], &limit].concat());
    assert!(said.err.contains("1 benchmark: "), "{}", said.err);
    assert!(said.out.contains("limit max/20 < 2us: broken"), "{}", said.out);
    assert!(said.out.contains("limit a.max/20 < 2.1us: kept"), "{}", said.out);
    // What one side alone has.
    let gone = ["compare", "v0", "v3", "--bench", "--looks", "12"];
    let said = expect(5, &home, &gone);
    assert!(said.err.contains("only in base, so not compared: sum/10"), "{}", said.err);
    let back = expect(5, &home, &["compare", "v3", "v0", "--bench", "--looks", "12"]);
    assert!(back.err.contains("only in new, so not compared: sum/10"), "{}", back.err);
    let allowed = expect(0, &home, &[&gone[..], &["--allow-diff", "benches"]].concat());
    assert!(allowed.out.contains("only in base, so not compared: sum/10"), "{}", allowed.out);
    // What there is not.
    for (args, said) in [
        (
            &["v0", "v1", "--bench", "sum/1O"][..],
            "no benchmark matches `sum/1O`: did you mean `sum/10`?",
        ),
        (&["v0", "v1", "--bench", "elephants"], "there are max/10, max/20, min, sum/10, sum/20"),
        (&["v0", "v1", "--bench", "("], "--bench `(`"),
        (&["v0", "v1", "--bench", "--gate", "sum/99"], "no metric `sum/99` to gate on"),
        (&["v0", "v1", "--bench", "--assert", "sum/99 < 1us"], "did you mean `sum/"),
        (&["--bench", "sum"], "--bench sum takes revisions before it"),
        (&["v0", "v1", "--bench", "--lab", "x"], "cannot be used with"),
    ] {
        let refused = expect(2, &home, &[&["compare"], args].concat());
        assert!(refused.err.contains(said), "{args:?}: {}", refused.err);
    }
}

#[test]
fn a_revision_is_found_by_its_benchmark() {
    let mut slow = BASE.to_vec();
    slow[1].1 *= 1.2;
    let home = repository(&[BASE, BASE, BASE, &slow, &slow]);
    let args = ["bisect", "v0", "v4", "--bench", "--format", "json"];
    let found: Value = serde_json::from_str(&expect(0, &home, &args).out).unwrap();
    assert_eq!(found["regression"]["metric"], "sum/20");
    assert_eq!(found["candidates"][0]["subject"], "change 3");
}

#[test]
fn benches_that_do_not_do_their_work_are_named() {
    let home = repository(&[BASE, &[("sum/10", 0.0)], &[("sum/10", -1.0)], &[]]);
    let compare = |code, new: &str, filter: &str| {
        let allow = ["--allow-diff", "benches"];
        let args = ["compare", "v0", new, "--bench", filter];
        expect(code, &home, &[&args[..], &allow].concat()).err
    };
    let silent = compare(1, "v1", "sum/10");
    assert!(silent.contains("v1: benches/sums.rs: sum/10 leaves no samples"), "{silent}");
    let failing = compare(1, "v2", "sum/10");
    assert!(failing.contains("v2: benches/sums.rs ended with exit code 101"), "{failing}");
    assert!(failing.contains("| told to fail") || failing.contains("told to fail"), "{failing}");
    let none = compare(2, "v3", "");
    assert!(none.contains("the sides have no benchmark in common"), "{none}");
    fs::write(home.path().join("benches/sums.rs"), "fn main() { 1 }").unwrap();
    let broken = expect(1, &home, &["compare", "v0", "--bench"]);
    assert!(broken.err.contains(". does not build"), "{}", broken.err);
    fs::remove_dir_all(home.path().join("benches")).unwrap();
    let manifest = "[package]\nname = \"demo\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    fs::write(home.path().join("Cargo.toml"), manifest).unwrap();
    let without = expect(2, &home, &["compare", "v0", "--bench"]);
    assert!(without.err.contains(". has no benches here"), "{}", without.err);
    let nowhere = tempfile::tempdir().unwrap();
    let outside = expect(2, &nowhere, &["compare", "main", "HEAD", "--bench"]);
    assert!(outside.err.contains("not a git repository"), "{}", outside.err);
}
