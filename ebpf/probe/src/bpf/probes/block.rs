//! Shared by the probes of block devices.

use crate::bpf::btf::Field;

/// The fields of a request that are reported.
pub(super) const REQUEST: &[Field] = &[
    Field { global: "REQUEST_QUEUE", structure: "request", field: "q" },
    Field { global: "REQUEST_FLAGS", structure: "request", field: "cmd_flags" },
    Field { global: "REQUEST_BYTES", structure: "request", field: "__data_len" },
    Field { global: "REQUEST_SECTOR", structure: "request", field: "__sector" },
    Field { global: "QUEUE_DISK", structure: "request_queue", field: "disk" },
    Field { global: "DISK_MAJOR", structure: "gendisk", field: "major" },
    Field { global: "DISK_MINOR", structure: "gendisk", field: "first_minor" },
];
