//! Tables for a terminal: headings, and rows of words and figures below them.

use std::fmt::Write as _;

use lab_record::shell;
use lab_record::table::{Cell, Column, Table};
use lab_text::terminal::one_line;

use crate::output::row as push;
use crate::quantity::quantity;

/// Writes a table, with no line longer than `width`.
pub(crate) fn table(text: &mut String, table: &Table, width: Option<usize>) {
    let mut rows = Rows::of(&table.columns, table.rows.first());
    table.rows.iter().for_each(|row| rows.make_room(row));
    push(text, &cut(&rows.heading(), width));
    table.rows.iter().for_each(|row| push(text, &cut(&rows.row(row), width)));
}

/// Rows under their headings: each column is as wide as its widest cell so far.
pub(crate) struct Rows {
    columns: Vec<Column>,
    widths: Vec<usize>,
    is_text: Vec<bool>,
}

impl Rows {
    /// Words are aligned left, figures right: the first row says which is which.
    pub(crate) fn of(columns: &[Column], first: Option<&Vec<Cell>>) -> Self {
        let is_text = |at: usize| {
            let cell = first.and_then(|row| row.get(at));
            matches!(cell, Some(Cell::Text(_) | Cell::Words(_)))
        };
        Self {
            columns: columns.to_vec(),
            widths: columns.iter().map(|column| column.name.chars().count()).collect(),
            is_text: (0..columns.len()).map(is_text).collect(),
        }
    }

    /// As [`Self::of`], with room for rows that are not known yet.
    pub(crate) fn to_come(columns: &[Column], first: &Vec<Cell>) -> Self {
        let mut rows = Self::of(columns, Some(first));
        for (width, is_text) in rows.widths.iter_mut().zip(&rows.is_text) {
            *width = (*width).max(if *is_text { 15 } else { 9 });
        }
        rows
    }

    fn make_room(&mut self, row: &[Cell]) {
        let cells = row.iter().zip(&self.columns).map(cell);
        for (width, cell) in self.widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.chars().count());
        }
    }

    pub(crate) fn heading(&self) -> String {
        self.padded(self.columns.iter().map(|column| column.name.clone()))
    }

    pub(crate) fn row(&self, row: &[Cell]) -> String {
        self.padded(row.iter().zip(&self.columns).map(cell))
    }

    fn padded(&self, cells: impl Iterator<Item = String>) -> String {
        let mut out = String::new();
        for (at, cell) in cells.enumerate() {
            let gap = if at == 0 { "" } else { "  " };
            let width = self.widths.get(at).copied().unwrap_or(0);
            let padded = if self.is_text.get(at) == Some(&true) {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            };
            let _ = write!(out, "{gap}{padded}");
        }
        out.trim_end().to_owned()
    }
}

fn cell((cell, column): (&Cell, &Column)) -> String {
    match cell {
        Cell::Text(words) => one_line(words),
        Cell::Words(words) => one_line(&shell::words(words)),
        Cell::Count(value) if column.unit.is_empty() => value.to_string(),
        Cell::Count(value) => quantity(*value as f64, &column.unit),
        Cell::Signed(value) => value.to_string(),
        Cell::Number(value) if column.unit == "s" => format!("{value:.6}"),
        Cell::Number(value) if column.unit == "%" => format!("{value:.1}"),
        Cell::Number(value) => quantity(*value, &column.unit),
    }
}

/// Cuts text to the terminal's width; the record has the rest.
pub(crate) fn cut(text: &str, width: Option<usize>) -> String {
    match width {
        Some(width) if text.chars().count() > width => {
            text.chars().take(width - 1).chain(['…']).collect()
        }
        _ => text.to_owned(),
    }
}
