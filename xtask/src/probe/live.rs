//! Rows as the observer records them: each is a line of JSON, after a line with the columns.

use std::io::{BufRead as _, BufReader, PipeReader};

use anyhow::Context as _;
use lab_record::table::{Cell, Column};

use crate::output::print;
use crate::rows::{Rows, cut};

/// Prints rows until the pipe's other end is closed; returns whether there were any.
pub(super) fn print_rows(pipe: PipeReader, width: Option<usize>) -> anyhow::Result<bool> {
    let mut columns: Option<Vec<Column>> = None;
    let mut rows: Option<Rows> = None;
    for line in BufReader::new(pipe).lines() {
        let line = line.context("read rows")?;
        let Some(columns) = &columns else {
            columns = Some(serde_json::from_str(&line).context("read the columns of rows")?);
            continue;
        };
        let row: Vec<Cell> = serde_json::from_str(&line).context("read a row")?;
        if rows.is_none() {
            let new = Rows::to_come(columns, &row);
            print(&format!("{}\n", cut(&new.heading(), width)))?;
            rows = Some(new);
        }
        if let Some(rows) = &rows {
            print(&format!("{}\n", cut(&rows.row(&row), width)))?;
        }
    }
    if rows.is_some() {
        print("\n")?;
    }
    Ok(rows.is_some())
}
