//! Page faults of user space, by where they happen.

use crate::bpf::Probe;
use crate::bpf::stacks::{Weight, fold_single};

pub(super) const PROBE: Probe = Probe {
    read: |loaded, found| {
        let faults = loaded.per_cpu_sums("FAULTS")?;
        fold_single(loaded, found, &Weight::count("page-faults", "faults"), &faults)
    },
    ..Probe::of(object!("pagefaults"), &[])
};
