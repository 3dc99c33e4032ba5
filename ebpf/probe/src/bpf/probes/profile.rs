//! Stacks of running threads, walked and counted in the kernel: cheaper than `lab-probe cpu`, which
//! carries each sample out, and blind where code keeps no frame pointers.

use crate::bpf::Probe;
use crate::bpf::stacks::{Weight, fold_single};

pub(super) const PROBE: Probe = Probe {
    read: |loaded, found| {
        let samples = loaded.per_cpu_sums("SAMPLES")?;
        fold_single(loaded, found, &[(Weight::count("profile", "samples"), samples)])
    },
    ..Probe::of(object!("profile"), &[])
};
