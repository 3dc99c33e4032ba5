//! The open files of a thread, by descriptor.

use lab_programs::task::Task;
use lab_programs::{global, globals};

globals! {
    /// Where `task_struct` has `files`.
    TASK_FILES: u32 = 0;
    /// Where `files_struct` has `fdt`.
    FILES_TABLE: u32 = 0;
    /// Where `fdtable` has `fd`.
    TABLE_FILES: u32 = 0;
    /// Where `fdtable` has `max_fds`.
    TABLE_LEN: u32 = 0;
    /// Where `file` has `f_path`.
    FILE_PATH: u32 = 0;
    /// Where `path` has `dentry`.
    PATH_ENTRY: u32 = 0;
    /// Where `dentry` has `d_name`.
    ENTRY_NAME: u32 = 0;
    /// Where `qstr` has `name`.
    NAME_TEXT: u32 = 0;
}

/// The file behind a descriptor of `task`.
#[inline(always)]
pub fn file(task: Task, descriptor: u32) -> Option<Task> {
    let table = task.follow(global!(TASK_FILES))?.follow(global!(FILES_TABLE))?;
    if descriptor >= table.read::<u32>(global!(TABLE_LEN))? {
        return None;
    }
    table.follow(global!(TABLE_FILES))?.follow(descriptor.checked_mul(8)?)
}
