//! Page faults, by where they happen: the program's own, and those of the kernel on its pages, as
//! when it reads into them. The two are separate: the kernel's have a stack that continues into the
//! kernel.

use anyhow::Result;

use crate::bpf::Probe;
use crate::bpf::btf::Field;
use crate::bpf::stacks::{Weight, fold_single};

pub(super) const PROBE: Probe = Probe {
    fields: &[&[Field {
        global: "TASK_NO_FAULTS",
        structure: "task_struct",
        field: "pagefault_disabled",
    }]],
    read: |loaded, found| {
        let kinds = [("FAULTS", "page-faults"), ("KERNEL_FAULTS", "kernel-page-faults")];
        let counted = |(map, kind)| Ok((Weight::count(kind, "faults"), loaded.per_cpu_sums(map)?));
        let kinds: Result<Vec<_>> = kinds.into_iter().map(counted).collect();
        fold_single(loaded, found, &kinds?)
    },
    ..Probe::of(object!("pagefaults"), &[])
};
