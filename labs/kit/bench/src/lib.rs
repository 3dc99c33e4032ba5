//! Criterion for the loops of labs, with a profiler that leaves folded stacks.
//!
//! A lab's bench takes its configuration here, and criterion's macros from here too, so it needs no
//! other crate:
//!
//! ```no_run
//! use lab_bench::{Criterion, criterion_group, criterion_main};
//!
//! fn loops(c: &mut Criterion) {
//!     c.bench_function("add", |b| b.iter(|| std::hint::black_box(1) + 1));
//! }
//!
//! criterion_group! { name = benches; config = lab_bench::criterion(); targets = loops }
//! criterion_main!(benches);
//! ```
//!
//! `cargo bench -p LAB --bench BENCH -- --profile-time 5 add` runs `add` for five seconds without
//! statistics, and writes `cpu.folded` and `cpu.json`, as a profiled trial has them, into
//! `target/criterion/add/profile`. `cargo xtask flame` draws them.

use std::fs;
use std::path::{Path, PathBuf};

use criterion::profiler::Profiler;
pub use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lab_kit::CpuProfile;

/// Samples a CPU-second: not 100, which would stay in step with the kernel's timer.
const HZ: u32 = 99;

/// Criterion as labs use it.
pub fn criterion() -> Criterion {
    Criterion::default().with_profiler(Folded::default())
}

/// A profile of the benchmark that runs. Errors are printed: a benchmark returns no result.
#[derive(Default)]
struct Folded {
    running: Option<(CpuProfile, PathBuf)>,
}

impl Profiler for Folded {
    fn start_profiling(&mut self, name: &str, dir: &Path) {
        match fs::create_dir_all(dir).map_err(Into::into).and_then(|()| CpuProfile::start(HZ)) {
            Ok(profile) => self.running = Some((profile, dir.to_owned())),
            Err(error) => eprintln!("{name}: no profile: {error:#}"),
        }
    }

    fn stop_profiling(&mut self, name: &str, _dir: &Path) {
        let Some((profile, dir)) = self.running.take() else { return };
        match profile.stop(&dir) {
            Ok(()) => println!("{name}: cargo xtask flame {}", dir.join("cpu.folded").display()),
            Err(error) => eprintln!("{name}: no profile: {error:#}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profiled_benchmark_leaves_stacks_with_its_function() {
        let dir = tempfile::tempdir().unwrap();
        let mut folded = Folded::default();
        folded.start_profiling("busy", &dir.path().join("profile"));
        lab_kit::spin::cpu(std::time::Duration::from_millis(300));
        folded.stop_profiling("busy", Path::new("not used"));
        let stacks = fs::read_to_string(dir.path().join("profile/cpu.folded")).unwrap();
        assert!(stacks.contains("lab_kit::spin::cpu"), "{stacks}");
    }

    #[test]
    fn a_benchmark_runs_without_a_profile_if_its_directory_cannot_be_made() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let mut folded = Folded::default();
        folded.start_profiling("busy", &dir.path().join("file/profile"));
        assert!(folded.running.is_none());
        folded.stop_profiling("busy", dir.path());
    }
}
