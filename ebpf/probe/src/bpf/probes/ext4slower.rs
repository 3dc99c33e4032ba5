//! Slow calls on files on ext4.

use super::file::{FILE, drain};
use crate::bpf::btf::Field;
use crate::bpf::load::CALL;
use crate::bpf::{Options, Probe};

pub(super) const PROBE: Probe = Probe {
    fields: &[
        CALL,
        FILE,
        &[
            Field { global: "FILE_INODE", structure: "file", field: "f_inode" },
            Field { global: "INODE_SUPER", structure: "inode", field: "i_sb" },
            Field { global: "SUPER_MAGIC", structure: "super_block", field: "s_magic" },
        ],
    ],
    globals: |options| vec![("FROM_US", from_us(options))],
    drain,
    read: |loaded, found| super::file::by_io_uring(loaded, found, "reads, writes, opens and syncs"),
    ..Probe::of(object!("ext4slower"), &[])
};

fn from_us(options: &Options) -> u32 {
    let ms: u32 = options.setting("from_ms").parse().expect("all values of it are numbers");
    ms * 1000
}
