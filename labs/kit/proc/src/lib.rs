//! Readers of /proc, /sys and cgroups: one parser for each file (proc(5), cgroups(7)).
//!
//! Labs, runner and probe read through it. A reader returns what the kernel says, in the kernel's
//! words and the type's unit; what it means is the caller's. What this kernel does not tell is an
//! error of kind `InvalidData` that names the file, or `None`.

pub mod block;
pub mod cgroup;
mod cpus;
mod files;
mod maps;
mod process;
mod thread;

pub use cpus::{CpuTicks, cpus, cpus_online, of_cpus, tick};
pub use files::{cpuinfo, line, load_1m, memory_bytes, pressure_some_avg10, selected};
pub use maps::{Mapping, executable_mappings};
pub use process::{Stat, Status, process_of, processes, threads};
pub use thread::{Io, RunQueue, Schedstat, run_queue_of_living, slice};
