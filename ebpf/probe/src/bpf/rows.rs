//! Rows as they come, for the program that started us: the columns on a line of their own, then
//! each row, in JSON.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{FromRawFd as _, RawFd};

use anyhow::{Context as _, Result};
use rustix::io::{FdFlags, fcntl_setfd};
use serde::Serialize;

use super::found::Found;

/// What has been written.
pub(crate) struct Rows {
    to: Option<File>,
    written: usize,
}

impl Rows {
    /// No rows yet. The file belongs to this process from now on, and not to any command.
    ///
    /// # Errors
    /// There is no such open file.
    pub(crate) fn to(fd: Option<RawFd>) -> Result<Self> {
        // SAFETY: the program that started us has opened the file for us, and nothing else here
        // uses its descriptor.
        let to = fd.map(|fd| unsafe { File::from_raw_fd(fd) });
        if let Some(file) = &to {
            fcntl_setfd(file, FdFlags::CLOEXEC).context("take over the file for rows")?;
        }
        Ok(Self { to, written: 0 })
    }

    /// Writes the new rows of the table. A reader that has gone away is no error.
    pub(crate) fn write(&mut self, found: &Found) {
        let (Some(file), Some(table)) = (&mut self.to, found.tables.first()) else { return };
        let mut text = String::new();
        if self.written == 0 && !table.rows.is_empty() {
            text += &line(&table.columns);
        }
        table.rows.iter().skip(self.written).for_each(|row| text += &line(row));
        self.written = table.rows.len();
        let _ = file.write_all(text.as_bytes());
    }
}

fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default() + "\n"
}
