//! Readers of /proc, /sys and cgroups: one parser for each file (proc(5), cgroups(7)).
//!
//! Labs, runner and probe use it. A reader returns what the kernel says, by the kernel's names and
//! in the unit that the type documents; the caller interprets it. What this kernel lacks is an
//! error of kind `InvalidData` that names the file, or `None`.

pub mod block;
pub mod cgroup;
mod clock;
mod cpus;
mod files;
mod load;
mod maps;
mod memory;
mod messages;
mod network;
mod pressure;
mod process;
mod protocols;
mod smaps;
mod thread;
mod vmstat;

pub use clock::{process_cpu_time, thread_cpu_time};
pub use cpus::{Activity, CpuTicks, activity, cpus, cpus_online, machine_checks, of_cpus, tick};
pub use files::{cpuinfo, line, selected};
pub use load::{Load, load};
pub use maps::{Mapping, executable_mappings};
pub use memory::{Memory, memory};
pub use messages::{Message, messages};
pub use network::{Interface, Traffic, interfaces, speed};
pub use pressure::{Pressure, pressure};
pub use process::{Stat, Status, page_bytes, process_of, processes, threads};
pub use protocols::Protocols;
pub use smaps::{Smaps, clear_referenced, smaps_at};
pub use thread::{Io, RunQueue, Schedstat, run_queue_of, run_queue_of_living, slice};
pub use vmstat::Vmstat;
